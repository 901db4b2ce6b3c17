/** Our words for a prompt, written as OpenAI-compatible servers read them. */
import type OpenAI from 'openai'
import type { ChatMessage, ChatRequest } from '../core/chat.ts'
import type { Pool } from '../core/pools.ts'
import type { ToolCall } from '../core/run.ts'

type Params = OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming

/** What a server turned out not to know; learnt once and kept. */
export type Quirks = { noStreamOptions: boolean; completionTokens: boolean; noSalt: boolean }

/** A request with what a pool adds to it. */
export type FullRequest = ChatRequest & {
  /** Keeps the prefix caches of workspaces apart; for servers in the house, which ignore what they do not know. */
  salt?: string | undefined
  sampling?: Pool['sampling']
  /** The last message is the beginning of the answer, to be gone on with. */
  resume?: boolean | undefined
}

/** Servers accept tool names of letters, digits, `_` and `-`, up to 64: our names to theirs and back. */
export type WireNames = { out(ours: string): string; back(theirs: string): string }

export function wireNames(tools: { name: string }[]): WireNames {
  const there = new Map<string, string>()
  const home = new Map<string, string>()
  const out = (ours: string): string => {
    const known = there.get(ours)
    if (known !== undefined) return known
    const plain = ours.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)
    let theirs = plain
    for (let n = 2; home.has(theirs); n += 1) theirs = `${plain.slice(0, 60)}_${n}`
    there.set(ours, theirs)
    home.set(theirs, ours)
    return theirs
  }
  for (const tool of tools) out(tool.name)
  return { out, back: (theirs) => home.get(theirs) ?? theirs }
}

/** The body of a streaming request. `tool_choice` is left out: the default is `auto`, and Ollama has none. */
export function writeRequest(
  request: FullRequest,
  model: string,
  maxTokens: number | undefined,
  names: WireNames,
  quirks: Quirks,
): Params {
  const limit = quirks.completionTokens ? 'max_completion_tokens' : 'max_tokens'
  const { temperature, topP, seed } = request.sampling ?? {}
  return {
    model,
    stream: true,
    messages: request.messages.map((message) => writeMessage(message, names)),
    ...(quirks.noStreamOptions ? {} : { stream_options: { include_usage: true } }),
    ...(maxTokens === undefined ? {} : { [limit]: maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { top_p: topP }),
    ...(seed === undefined ? {} : { seed }),
    ...(request.salt && !quirks.noSalt ? { cache_salt: request.salt } : {}),
    ...(request.resume ? { add_generation_prompt: false, continue_final_message: true } : {}),
    ...(request.tools.length === 0
      ? {}
      : {
          tools: request.tools.map(({ name, description, parameters }) => ({
            type: 'function' as const,
            function: { name: names.out(name), description, parameters },
          })),
        }),
  }
}

function writeMessage(
  message: ChatMessage,
  names: WireNames,
): OpenAI.Chat.Completions.ChatCompletionMessageParam {
  if (message.role === 'tool') return { role: 'tool', tool_call_id: message.call, content: message.content }
  if (message.role !== 'assistant') return { role: message.role, content: message.content }
  if (!message.calls?.length) return { role: 'assistant', content: message.content }
  return {
    role: 'assistant',
    content: message.content || null,
    tool_calls: message.calls.map((call) => ({
      id: call.id,
      type: 'function' as const,
      function: { name: names.out(call.tool), arguments: writeArguments(call.args) },
    })),
  }
}

/** Always an object: templates of vLLM parse the arguments of earlier calls and refuse the prompt otherwise. */
function writeArguments(args: ToolCall['args']): string {
  const isObject = typeof args === 'object' && args !== null && !Array.isArray(args)
  return JSON.stringify(isObject ? args : { invalid: args ?? null })
}

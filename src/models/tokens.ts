/** How many tokens a prompt is: asked of the server where it can count, reckoned from what it reported otherwise. */
import { createHash } from 'node:crypto'
import type { ChatMessage, ChatRequest } from '../core/chat.ts'
import { estimateTokens } from '../core/chunk.ts'
import type { Replica } from './replica.ts'
import { wireNames, writeRequest } from './wire.ts'

/** Counts prompts of one model. */
export type Counter = {
  /**
   * Tokens of a prompt. The part that a server has counted before is exact; what is new is counted by `replica` where
   * it is long and the server can, else estimated. Never throws.
   */
  count(request: ChatRequest, replica?: Replica): Promise<number>
  /** A server reported how many tokens this prompt was. */
  learn(request: ChatRequest, tokens: number): void
}

/** A prompt up to one of its messages: our estimate, and the exact number where it is known. */
type Known = { estimate: number; exact?: number }

/** Prompts that are remembered, one entry a message. */
const MOST_KNOWN = 20_000
/** New parts below this many tokens are estimated: what they can be wrong by is less than what asking costs. */
const SMALL_TOKENS = 2_000
const COUNT_MS = 1_000
/** A server that cannot count is asked again after this long, in ms. */
const UNABLE_MS = 60_000
/** What a template writes around each message. */
const FRAME_TOKENS = 5

/** Opens a counter; it starts with our estimate and learns the model's own measure. */
export function openCounter(model: string): Counter {
  const known = new Map<string, Known>()
  const unable = new Map<string, number>()
  let ratio = 1.15

  const remember = (key: string, entry: Known) => {
    known.set(key, entry)
    const oldest = known.size > MOST_KNOWN ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
    return entry
  }
  /** Every beginning of the prompt, shortest first. */
  const walk = ({ messages, tools }: ChatRequest): { key: string; entry: Known }[] => {
    const offer = JSON.stringify(tools)
    let key = createHash('sha256').update(offer).digest('base64')
    let estimate = tools.length > 0 ? (known.get(key)?.estimate ?? estimateTokens(offer)) : 0
    const steps = [{ key, entry: known.get(key) ?? remember(key, { estimate }) }]
    for (const message of messages) {
      const text = textOf(message)
      key = createHash('sha256').update(key).update(text).digest('base64')
      const entry = known.get(key)
      estimate = entry?.estimate ?? estimate + estimateTokens(text) + FRAME_TOKENS
      steps.push({ key, entry: entry ?? remember(key, { estimate }) })
    }
    return steps
  }
  const learn = (request: ChatRequest, tokens: number) => {
    const last = walk(request).at(-1)
    if (!last || tokens <= 0) return
    last.entry.exact = tokens
    if (last.entry.estimate >= 50)
      ratio = 0.8 * ratio + 0.2 * Math.min(4, Math.max(0.25, tokens / last.entry.estimate))
  }
  const count = async (request: ChatRequest, replica?: Replica): Promise<number> => {
    const steps = walk(request)
    const exact = steps.findLast(({ entry }) => entry.exact !== undefined)?.entry
    const all = steps.at(-1)?.entry.estimate ?? 0
    const fresh = (all - (exact?.estimate ?? 0)) * ratio
    const reckoned = Math.ceil((exact?.exact ?? 0) + fresh)
    if (fresh < SMALL_TOKENS || !replica || (unable.get(replica.url) ?? 0) > performance.now())
      return reckoned
    const asked = await ask(replica, model, request).catch(() => undefined)
    if (asked === undefined) unable.set(replica.url, performance.now() + UNABLE_MS)
    else learn(request, asked)
    return asked ?? reckoned
  }
  return { count, learn }
}

function textOf(message: ChatMessage): string {
  const calls = message.role === 'assistant' && message.calls?.length ? JSON.stringify(message.calls) : ''
  return `${message.role}\n${message.content}${calls}`
}

/** vLLM counts messages and tools; llama.cpp counts a text. Undefined where the server does neither. */
async function ask(replica: Replica, model: string, request: ChatRequest): Promise<number | undefined> {
  const quirks = { noStreamOptions: true, completionTokens: false, noSalt: true }
  const { messages, tools } = writeRequest(request, model, undefined, wireNames(request.tools), quirks)
  const content = JSON.stringify(messages)
  const body = { model, messages, ...(tools ? { tools } : {}), add_generation_prompt: true, content }
  const { status, text } = await replica.chat.post('/tokenize', body, COUNT_MS)
  if (status !== 200) return undefined
  const said = JSON.parse(text) as { count?: unknown; tokens?: unknown }
  if (typeof said.count === 'number') return said.count
  return Array.isArray(said.tokens) && said.tokens.length > 0 ? said.tokens.length : undefined
}

/** What a request to the stand-in holds, freed of the prompt's tags. */

type WireMessage = {
  role: string
  content?: string | null | { type?: string; text?: string }[]
  tool_calls?: { id: string; function: { name: string; arguments: string } }[]
  tool_call_id?: string
}
export type WireTool = {
  function: { name: string; description?: string; parameters?: Record<string, unknown> }
}
export type WireRequest = {
  model?: string
  messages: WireMessage[]
  tools?: WireTool[]
  stream?: boolean
  stream_options?: { include_usage?: boolean }
}

/** Files and what was said before are read like passages, with the number 0: there is nothing to cite. */
export type Passage = { n: number; title: string; text: string }
/** A call of this turn and what became of it, in the words of the tool message. */
export type PastCall = { name: string; args: unknown; result: string }
export type Situation = {
  passages: Passage[]
  /** Finished exchanges of the thread, oldest first. */
  history: { asked: string[]; answered: string }[]
  /** What people said in this turn: the question, then what came while it was worked on. */
  said: string[]
  /** Calls of this turn, oldest first. */
  calls: PastCall[]
  tools: WireTool['function'][]
}

/** Reads the messages of a prompt. */
export function readSituation(request: WireRequest): Situation {
  const situation: Situation = {
    passages: [],
    history: [],
    said: [],
    calls: [],
    tools: (request.tools ?? []).map((tool) => tool.function),
  }
  const results = new Map<string, string>()
  for (const message of request.messages)
    if (message.role === 'tool') results.set(message.tool_call_id ?? '', textOf(message))
  for (const message of request.messages) {
    if (message.role === 'user') hear(situation, textOf(message))
    if (message.role !== 'assistant') continue
    if (!message.tool_calls?.length) {
      situation.history.push({ asked: situation.said, answered: textOf(message) })
      situation.said = []
      situation.calls = []
    }
    for (const call of message.tool_calls ?? [])
      situation.calls.push({
        name: call.function.name,
        args: parseArguments(call.function.arguments),
        result: results.get(call.id) ?? '',
      })
  }
  return situation
}

function hear(situation: Situation, content: string): void {
  situation.passages.push(...readPassages(content), ...readShared(content))
  const messages = [...content.matchAll(/<message\b([^>]*)>\n?([\s\S]*?)\n?<\/message>/g)]
  if (messages.length === 0 && !/^<(passages|file|thread)\b/.test(content))
    situation.said.push(content.trim())
  for (const [, attributes = '', text = ''] of messages) {
    // A new wording of the question takes the place of the old one.
    if (attributes.includes('edited=')) situation.said.shift()
    if (attributes.includes('edited=')) situation.said.unshift(text.trim())
    else situation.said.push(text.trim())
  }
}

function readPassages(content: string): Passage[] {
  const blocks = content.matchAll(/<passage n="(\d+)"([^>]*)>\n([\s\S]*?)\n<\/passage>/g)
  return [...blocks].map(([, n, attributes, text]) => ({
    n: Number(n),
    title: /title="([^"]*)"/.exec(attributes ?? '')?.[1] ?? '',
    text: text ?? '',
  }))
}

/** Files that were read, and the thread as one. */
function readShared(content: string): Passage[] {
  const files = [...content.matchAll(/<file name="([^"]*)"[^>]*>\n([\s\S]*?)\n<\/file>/g)]
  const said = [...content.matchAll(/<said [^>]*>\n([\s\S]*?)\n<\/said>/g)]
  const thread = said.map(([, words]) => words ?? '').join('\n\n')
  return [
    ...files.map(([, title = '', text = '']) => ({ n: 0, title, text })),
    ...(thread === '' ? [] : [{ n: 0, title: 'this thread', text: thread }]),
  ]
}

function textOf(message: WireMessage): string {
  const { content } = message
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => part.text ?? '').join('\n')
}

function parseArguments(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

/** The pieces of a stream put together into one answer. Pure: no clock, no network. */
import { randomInt } from 'node:crypto'
import type { ChatAnswer } from '../core/chat.ts'
import { Fault } from '../core/fault.ts'
import { type ToolCall, Usage } from '../core/run.ts'
import { cut } from './failure.ts'
import { skipThinking } from './think.ts'

/** A chunk as servers really send it: any part may be missing. */
export type Chunk = {
  model?: string | null
  choices?: { delta?: Delta | null; finish_reason?: string | null }[] | null
  usage?: {
    prompt_tokens?: number
    completion_tokens?: number
    prompt_tokens_details?: { cached_tokens?: number | null } | null
  } | null
}
type Delta = {
  content?: string | null
  reasoning?: string | null
  reasoning_content?: string | null
  refusal?: string | null
  tool_calls?: CallDelta[] | null
}
type CallDelta = {
  index?: number | null
  id?: string | null
  function?: { name?: string | null; arguments?: string | object | null } | null
}
type Slot = { index: number; id: string; name: string; args: string }

/** Beyond this many characters no answer is meant seriously. */
const LONGEST_ANSWER = 4_000_000
const FINISH: Record<string, ChatAnswer['finish']> = {
  stop: 'stop',
  eos_token: 'stop',
  stop_sequence: 'stop',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  length: 'length',
}

export type Assembly = {
  /** Takes one chunk; says which text is new and whether the chunk held any part of an answer. */
  take(chunk: Chunk): { text: string; token: boolean }
  finished(): boolean
  /**
   * The whole answer.
   * @throws Fault `model-cut` without a finish reason, `model-nonsense` where it is no answer, `model-refused`
   * where a filter held it back
   */
  answer(): Pick<ChatAnswer, 'text' | 'calls' | 'finish' | 'model' | 'usage'>
  /** Text that was held back while it might have been the start of a thought. */
  rest(): string
}

/** Starts an empty answer. `taken` are the call ids the conversation already holds. */
export function assemble(
  model: string,
  taken: Iterable<string>,
  nameBack: (name: string) => string,
): Assembly {
  const thinking = skipThinking()
  const slots: Slot[] = []
  let served = model
  let text = ''
  let refusal = ''
  let size = 0
  let finish: string | undefined
  let usage: Usage | undefined

  const grow = (more: number) => {
    size += more
    if (size > LONGEST_ANSWER)
      throw new Fault('model-nonsense', 'the model wrote more than any answer can hold')
  }
  const take = (chunk: Chunk) => {
    if (chunk.model) served = chunk.model
    usage = readUsage(chunk.usage) ?? usage
    const choice = chunk.choices?.[0]
    const delta = choice?.delta ?? {}
    const thought = delta.reasoning ?? delta.reasoning_content ?? ''
    const said = delta.content ?? ''
    grow(thought.length + said.length)
    refusal += delta.refusal ?? ''
    for (const call of delta.tool_calls ?? []) grow(takeCall(slots, call))
    const fresh = thinking.take(said)
    text += fresh
    if (choice?.finish_reason) finish = choice.finish_reason
    return { text: fresh, token: thought !== '' || said !== '' || Boolean(delta.tool_calls?.length) }
  }
  const rest = () => {
    const held = thinking.rest()
    text += held
    return held
  }
  const answer = () => {
    rest()
    if (finish === undefined) throw cut('the stream of the model ended in the middle of its answer')
    if (finish === 'content_filter')
      throw new Fault('model-refused', 'the filter of the model held the answer back')
    const known = FINISH[finish]
    if (known === undefined) throw cut(`the model server ended the answer with "${finish.slice(0, 40)}"`)
    const calls = readCalls(slots, new Set(taken), nameBack)
    const body = text || refusal
    if (body.trim() === '' && calls.length === 0)
      throw new Fault(
        'model-nonsense',
        known === 'length' && size > 0
          ? 'the model used up its tokens before it said anything'
          : 'the model answered with nothing',
        { retry: true },
      )
    return {
      text: body,
      calls,
      finish: known === 'length' ? known : calls.length > 0 ? ('tool_calls' as const) : ('stop' as const),
      model: served,
      ...(usage ? { usage } : {}),
    }
  }
  return { take, rest, finished: () => finish !== undefined, answer }
}

/**
 * Adds a piece of a call to its slot. Pieces belong together by index; a new id with a name under a used index is
 * another call, for some servers number every call 0. Returns how many characters came.
 */
function takeCall(slots: Slot[], piece: CallDelta): number {
  const index = piece.index ?? (piece.id || piece.function?.name ? slots.length : slots.length - 1)
  const id = piece.id ?? ''
  const name = piece.function?.name ?? ''
  const given = piece.function?.arguments ?? ''
  const args = typeof given === 'string' ? given : JSON.stringify(given)
  let slot = slots.findLast((each) => each.index === index)
  if (!slot || (id && slot.id && id !== slot.id && name)) {
    slot = { index, id: '', name: '', args: '' }
    slots.push(slot)
  }
  slot.id ||= id
  slot.name ||= name
  slot.args += args
  return id.length + name.length + args.length + 1
}

function readCalls(slots: Slot[], taken: Set<string>, nameBack: (name: string) => string): ToolCall[] {
  return slots.map((slot) => {
    if (slot.name.trim() === '')
      throw new Fault('model-nonsense', 'the model called a tool without naming it', { retry: true })
    const id = slot.id && !taken.has(slot.id) ? slot.id : makeId()
    taken.add(id)
    return { id, tool: nameBack(slot.name.trim()), args: readArguments(slot.args) }
  })
}

function readArguments(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Nine letters and digits: the one form that every server accepts back, Mistral's included. */
function makeId(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
  return Array.from({ length: 9 }, () => letters[randomInt(letters.length)]).join('')
}

function readUsage(usage: Chunk['usage']): Usage | undefined {
  if (!usage) return undefined
  const cached = usage.prompt_tokens_details?.cached_tokens
  const read = Usage.safeParse({
    prompt: usage.prompt_tokens,
    completion: usage.completion_tokens ?? 0,
    ...(typeof cached === 'number' ? { cached } : {}),
  })
  return read.success ? read.data : undefined
}

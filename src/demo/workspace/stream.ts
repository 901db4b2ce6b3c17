/** chat.startStream, appendStream, stopStream: a message that grows while people read it. */
import { announceChanged, announcePosted } from './announce.ts'
import { botMessage, threadArg } from './chat-methods.ts'
import { readBlocks, readContent } from './content.ts'
import type { Hub, Stream, StreamPart } from './hub.ts'
import { newId } from './ids.ts'
import { joinedArg, type Method, messageArg, needArg, Refusal, textArg } from './method.ts'
import { setSession } from './sessions.ts'
import { isObject } from './shape.ts'
import {
  addMessage,
  type Block,
  changeMessage,
  findMessage,
  type Json,
  type Message,
  mayRead,
  place,
} from './world.ts'

export const STREAM_METHODS: Record<string, Method> = {
  'chat.startStream': { tier: 2, scope: 'chat:write', run: start },
  'chat.appendStream': { tier: 4, scope: 'chat:write', run: append },
  'chat.stopStream': { tier: 2, scope: 'chat:write', run: stop },
}

/** Slack's measured end of what one stream takes, in bytes. */
const MAX_BYTES = 10_600

function start(hub: Hub, args: Json): Json {
  const channel = joinedArg(hub, args)
  needArg(args, 'thread_ts')
  const thread = threadArg(hub, args, channel)
  const recipient = textArg(args, 'recipient_user_id')
  if (!channel.dm) {
    if (recipient === undefined) throw new Refusal('missing_recipient_user_id')
    if (textArg(args, 'recipient_team_id') === undefined) throw new Refusal('missing_recipient_team_id')
    if (!mayRead(hub.world, recipient, channel.id)) throw new Refusal('user_not_in_channel')
  }
  const mode = args.task_display_mode === 'plan' ? 'plan' : 'timeline'
  const stream: Stream = { open: true, mode, text: '', parts: [] }
  write(stream, args)
  const message: Message = {
    ...botMessage(hub, channel, {}, thread),
    ...rendered(stream),
    streaming: true,
    streaming_state: 'in_progress',
  }
  const key = place(channel.id, message.ts)
  hub.streams.set(key, stream)
  if (!channel.dm && recipient) hub.world.audience.set(key, recipient)
  stream.timer = setTimeout(() => expire(hub, channel.id, message.ts), hub.streamMs)
  stream.timer.unref()
  addMessage(hub.world, message)
  announcePosted(hub, message)
  return { channel: channel.id, ts: message.ts }
}

function append(hub: Hub, args: Json): Json {
  const channel = joinedArg(hub, args)
  const message = messageArg(hub, args, channel)
  const stream = openStream(hub, message)
  if (args.chunks === undefined && textArg(args, 'markdown_text') === undefined) throw new Refusal('no_text')
  write(stream, args)
  changeMessage(hub.world, { ...message, ...rendered(stream) })
  return { channel: channel.id, ts: message.ts }
}

function stop(hub: Hub, args: Json): Json {
  const channel = joinedArg(hub, args)
  const message = messageArg(hub, args, channel)
  const stream = openStream(hub, message)
  write(stream, args)
  const { blocks, metadata } = readContent({ blocks: args.blocks, metadata: args.metadata })
  if (blocks) stream.parts.push({ kind: 'blocks', blocks })
  if (message.thread_ts)
    setSession(hub, channel.id, message.thread_ts, textArg(args, 'session_status') ?? 'active')
  const ended = closeStream(hub, { ...message, ...rendered(stream), ...(metadata ? { metadata } : {}) })
  return { channel: channel.id, ts: message.ts, message: ended }
}

/** Ends a stream; what was written stays. Everybody in the channel sees it from now on. */
export function closeStream(
  hub: Hub,
  message: Message,
  how: 'stopped' | 'by-user' | 'expired' = 'stopped',
): Message {
  const key = place(message.channel, message.ts)
  const stream = hub.streams.get(key)
  const { streaming, ...before } = message
  const ended: Message = { ...before, streaming_state: how === 'expired' ? 'errored' : 'completed' }
  if (stream) {
    stream.open = false
    stream.stoppedByUser = how === 'by-user'
    clearTimeout(stream.timer)
    if (
      stream.mode === 'plan' &&
      stream.parts.some((part) => part.kind === 'task' && part.task.status === 'in_progress')
    ) {
      // What Slack makes of a plan that ends while a step of it is under way.
      stream.planTitle = 'Something went wrong'
      Object.assign(ended, rendered(stream))
    }
  }
  hub.world.audience.delete(key)
  changeMessage(hub.world, ended)
  announceChanged(hub, ended, message)
  return ended
}

function expire(hub: Hub, channel: string, ts: string): void {
  const message = findMessage(hub.world, channel, ts)
  if (message?.streaming) closeStream(hub, message, 'expired')
}

function openStream(hub: Hub, message: Message): Stream {
  if (message.bot_id !== hub.world.bot.id) throw new Refusal('message_not_owned_by_app')
  const stream = hub.streams.get(place(message.channel, message.ts))
  if (!stream?.open)
    throw new Refusal(stream?.stoppedByUser ? 'stopped_by_user' : 'message_not_in_streaming_state')
  return stream
}

/** Adds what a call brings; nothing is added when any part of it is refused. */
function write(stream: Stream, args: Json): void {
  const markdown = textArg(args, 'markdown_text')
  if (markdown !== undefined && args.chunks !== undefined) throw new Refusal('invalid_arguments')
  const chunks = markdown === undefined ? (args.chunks ?? []) : [{ type: 'markdown_text', text: markdown }]
  if (!Array.isArray(chunks)) throw new Refusal('invalid_chunks')
  const content = markdown !== undefined ? 'text' : chunks.length > 0 ? 'chunks' : undefined
  if (content && stream.content && content !== stream.content) throw new Refusal('streaming_mode_mismatch')
  if (content) stream.content = content
  const draft = { ...stream, parts: structuredClone(stream.parts) }
  for (const chunk of chunks) writeChunk(draft, chunk)
  if (Buffer.byteLength(draft.text) > MAX_BYTES) throw new Refusal('msg_too_long')
  Object.assign(stream, draft)
}

function writeChunk(stream: Stream, chunk: unknown): void {
  if (!isObject(chunk)) throw new Refusal('invalid_chunks')
  if (chunk.type === 'markdown_text' && typeof chunk.text === 'string') {
    stream.text += chunk.text
    const last = stream.parts.at(-1)
    if (last?.kind === 'text') last.text += chunk.text
    else stream.parts.push({ kind: 'text', text: chunk.text })
  } else if (chunk.type === 'plan_update' && typeof chunk.title === 'string' && chunk.title.length <= 256) {
    stream.planTitle = chunk.title
  } else if (chunk.type === 'task_update') {
    writeTask(stream, chunk)
  } else if (chunk.type === 'blocks') {
    stream.parts.push({ kind: 'blocks', blocks: readBlocks(chunk.blocks) })
  } else {
    throw new Refusal('invalid_chunks')
  }
}

/** Title and status are replaced; details and output grow. */
function writeTask(stream: Stream, { id, title, status, details, output, sources }: Json): void {
  const known = ['pending', 'in_progress', 'complete', 'error'].includes(String(status))
  if (typeof id !== 'string' || typeof title !== 'string' || title.length > 256 || !known) {
    throw new Refusal('invalid_chunks')
  }
  const before = stream.parts.find((part) => part.kind === 'task' && part.task.id === id)
  const old = before?.kind === 'task' ? before.task : { details: '', output: '', sources: [] }
  const task = {
    id,
    title,
    status: String(status),
    details: old.details + (typeof details === 'string' ? details : ''),
    output: old.output + (typeof output === 'string' ? output : ''),
    sources: [...old.sources, ...(Array.isArray(sources) ? sources : [])],
  }
  if (before?.kind === 'task') before.task = task
  else stream.parts.push({ kind: 'task', task })
}

function rendered(stream: Stream): { text: string; blocks?: Block[] } {
  const blocks: Block[] = []
  if (stream.mode === 'plan') {
    const tasks = stream.parts.filter((part) => part.kind === 'task').map((part) => taskCard(part))
    if (tasks.length > 0)
      blocks.push({ type: 'plan', block_id: 'plan', title: stream.planTitle ?? 'Working', tasks })
  }
  for (const part of stream.parts) {
    const block_id = `s${blocks.length}`
    if (part.kind === 'text') blocks.push({ type: 'markdown', block_id, text: part.text })
    else if (part.kind === 'blocks') blocks.push(...(part.blocks as Block[]))
    else if (stream.mode === 'timeline') blocks.push({ ...taskCard(part), block_id })
  }
  return blocks.length > 0 ? { text: stream.text, blocks } : { text: stream.text }
}

function taskCard({ task }: Extract<StreamPart, { kind: 'task' }>): Block {
  const card: Block = {
    type: 'task_card',
    block_id: newId('', 5),
    task_id: task.id,
    title: task.title,
    status: task.status,
  }
  if (task.details) card.details = plainRichText(task.details)
  if (task.output) card.output = plainRichText(task.output)
  if (task.sources.length > 0) card.sources = task.sources
  return card
}

function plainRichText(text: string): Json {
  return { type: 'rich_text', elements: [{ type: 'rich_text_section', elements: [{ type: 'text', text }] }] }
}

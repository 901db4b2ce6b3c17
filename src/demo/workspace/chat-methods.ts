/** chat.*: what the app says, changes and takes back. */
import { announceChanged, announcePosted, inner, removeAndTell } from './announce.ts'
import { checkBlocks, checkView } from './blocks.ts'
import { type Content, readContent } from './content.ts'
import type { Hub } from './hub.ts'
import { channelArg, joinedArg, type Method, messageArg, needArg, Refusal, textArg } from './method.ts'
import { isObject } from './shape.ts'
import {
  addMessage,
  type Channel,
  changeMessage,
  findMessage,
  type Json,
  type Message,
  mayRead,
  nextTs,
  tell,
} from './world.ts'

export const CHAT_METHODS: Record<string, Method> = {
  'chat.postMessage': { tier: 'post', scope: 'chat:write', run: postMessage },
  'chat.update': { tier: 3, scope: 'chat:write', run: update },
  'chat.delete': { tier: 3, scope: 'chat:write', run: deleteMessage },
  'chat.postEphemeral': { tier: 4, scope: 'chat:write', run: postEphemeral },
  'chat.getPermalink': { tier: 'none', run: getPermalink },
  'reactions.add': { tier: 3, scope: 'reactions:write', run: addReaction },
  'blocks.validate': { tier: 2, run: validate },
}

function postMessage(hub: Hub, args: Json): Json {
  const channel = joinedArg(hub, args)
  const content = readContent(args)
  if (!hasContent(content)) throw new Refusal('no_text')
  const message = botMessage(hub, channel, content, threadArg(hub, args, channel))
  if (!content.vanishes) {
    addMessage(hub.world, message)
    announcePosted(hub, message)
  }
  return { channel: channel.id, ts: message.ts, message: inner(hub, message) }
}

/** The root a call replies to; Slack replies to roots only. */
export function threadArg(hub: Hub, args: Json, channel: Channel): string | undefined {
  const thread = textArg(args, 'thread_ts')
  if (thread === undefined) return undefined
  const root = findMessage(hub.world, channel.id, thread)
  if (!root) throw new Refusal('thread_not_found')
  if (root.thread_ts && root.thread_ts !== root.ts) throw new Refusal('cannot_reply_to_message')
  return thread
}

export function hasContent({ text, blocks, attachments }: Content): boolean {
  return (text ?? '').trim() !== '' || (blocks ?? []).length > 0 || (attachments ?? []).length > 0
}

/** A message of the app, not yet said. */
export function botMessage(hub: Hub, channel: Channel, content: Partial<Content>, thread?: string): Message {
  const { bot } = hub.world
  const message: Message = {
    type: 'message',
    ts: nextTs(hub.world),
    channel: channel.id,
    user: bot.user,
    bot_id: bot.id,
    app_id: bot.app,
    text: content.text ?? '',
  }
  if (thread !== undefined) message.thread_ts = thread
  if (content.blocks && content.blocks.length > 0) message.blocks = content.blocks
  if (content.attachments) message.attachments = content.attachments
  if (content.metadata) message.metadata = content.metadata
  return message
}

function update(hub: Hub, args: Json): Json {
  const channel = channelArg(hub, args)
  const previous = messageArg(hub, args, channel)
  if (previous.bot_id !== hub.world.bot.id) throw new Refusal('cant_update_message')
  if (previous.streaming) throw new Refusal('streaming_state_conflict')
  const content = readContent(args, 4_000)
  const named =
    content.text !== undefined || content.blocks !== undefined || content.attachments !== undefined
  if (!named || (content.blocks === undefined && !hasContent(content))) throw new Refusal('no_text')
  if (holdsText(previous) && content.blocks && !content.blocks.some(({ type }) => type === 'rich_text'))
    throw new Refusal('block_mismatch')
  const message = changed(hub, previous, content)
  changeMessage(hub.world, message)
  announceChanged(hub, message, previous)
  return { channel: channel.id, ts: message.ts, text: message.text, message: inner(hub, message) }
}

/** A stream's text lies in Slack as rich text, which can be replaced by rich text only. */
function holdsText({ streaming_state, blocks }: Message): boolean {
  return (
    streaming_state !== undefined &&
    (blocks ?? []).some(({ type }) => type === 'markdown' || type === 'rich_text')
  )
}

/** Blocks stay where neither text nor blocks are named, and go where only a text is. */
export function changed(hub: Hub, previous: Message, content: Content): Message {
  const { blocks, ...message } = { ...previous }
  const next: Message = { ...message, text: content.text ?? previous.text }
  const kept = content.blocks ?? (content.text === undefined ? blocks : undefined)
  if (kept && kept.length > 0) next.blocks = kept
  if (content.attachments) next.attachments = content.attachments
  if (content.metadata) next.metadata = content.metadata
  if (content.blocks === undefined) next.edited = { user: hub.world.bot.user, ts: nextTs(hub.world) }
  return next
}

function deleteMessage(hub: Hub, args: Json): Json {
  const channel = channelArg(hub, args)
  const message = messageArg(hub, args, channel)
  if (message.bot_id !== hub.world.bot.id || message.streaming) throw new Refusal('cant_delete_message')
  removeAndTell(hub, message)
  return { channel: channel.id, ts: message.ts }
}

function postEphemeral(hub: Hub, args: Json): Json {
  const channel = joinedArg(hub, args)
  const user = needArg(args, 'user')
  if (!mayRead(hub.world, user, channel.id)) throw new Refusal('user_not_in_channel')
  const content = readContent(args)
  if (!hasContent(content)) throw new Refusal('no_text')
  const message = whisper(hub, user, botMessage(hub, channel, content, threadArg(hub, args, channel)))
  return { message_ts: message.ts }
}

/** Shows a message to one person only. */
export function whisper(hub: Hub, user: string, said: Message): Message {
  const message: Message = { ...said, is_ephemeral: true }
  hub.world.ephemerals.set(user, [...(hub.world.ephemerals.get(user) ?? []), message])
  tell(hub.world, { type: 'ephemeral', user, message })
  return message
}

function getPermalink(hub: Hub, args: Json): Json {
  const channel = channelArg(hub, args)
  const message = messageArg(hub, args, channel, 'message_ts')
  const thread = message.thread_ts && message.thread_ts !== message.ts ? message.thread_ts : undefined
  const query = thread ? `?thread_ts=${thread}&cid=${channel.id}` : ''
  const permalink = `${hub.origin}/archives/${channel.id}/p${message.ts.replace('.', '')}${query}`
  return { channel: channel.id, permalink }
}

function addReaction(hub: Hub, args: Json): Json {
  const channel = joinedArg(hub, args)
  const message = messageArg(hub, args, channel, 'timestamp')
  const name = needArg(args, 'name').replaceAll(':', '')
  const reactions = message.reactions ?? []
  const { user } = hub.world.bot
  const before = reactions.find((reaction) => reaction.name === name)
  if (before?.users.includes(user)) throw new Refusal('already_reacted')
  const users = [...(before?.users ?? []), user]
  const others = reactions.filter((reaction) => reaction.name !== name)
  changeMessage(hub.world, { ...message, reactions: [...others, { name, users, count: users.length }] })
  return {}
}

function validate(_hub: Hub, args: Json): Json {
  const given = ['blocks', 'message', 'view'].filter((name) => args[name] !== undefined)
  if (given.length !== 1) throw new Refusal('invalid_arguments')
  const message = isObject(args.message) ? args.message : {}
  const problems =
    given[0] === 'view'
      ? checkView(args.view)
      : checkBlocks(given[0] === 'blocks' ? args.blocks : message.blocks, 'message')
  if (problems.length > 0) {
    const errors = problems.map((problem) => ({ ...problem, code: 'failed_constraint' }))
    const messages = problems.map(({ pointer, message }) => `[ERROR] ${message} [json-pointer:${pointer}]`)
    throw new Refusal(`invalid_${given[0]}`, { errors, response_metadata: { messages } })
  }
  return {}
}

/**
 * The state of the local workspace: people, channels, messages, views. Plain data and the few
 * functions that change it; every change is told to the listeners. Messages are never mutated:
 * a change puts a new object in the place of the old one, so they can be handed out freely.
 */

export type Json = Record<string, unknown>
export type Block = Json & { type: string; block_id?: string }

export type Person = {
  id: string
  name: string
  real_name: string
  color: string
  is_bot: boolean
  is_guest: boolean
  is_admin: boolean
  /** The other organisation they belong to: they are here only in shared channels. */
  stranger?: string
  /** Deactivated: they can do nothing any more. */
  deleted?: true
}

/** A user group, `@handle`. */
export type Group = { id: string; name: string; handle: string; users: string[]; disabled?: true }

/** A channel, or the direct conversation of one person with the app (`dm` is that person). */
export type Channel = {
  id: string
  name: string
  members: string[]
  is_ext_shared: boolean
  is_archived?: boolean
  /** Only members see that it is there. */
  is_private?: boolean
  dm?: string
}

/** A message in Slack's shape. `reply_count` and `reply_users` are added when it is read. */
export type Message = {
  type: 'message'
  subtype?: string
  ts: string
  thread_ts?: string
  channel: string
  user: string
  bot_id?: string
  app_id?: string
  /** Of another app than ours. */
  bot_profile?: Json
  text: string
  blocks?: Block[]
  attachments?: Json[]
  files?: Json[]
  reactions?: { name: string; users: string[]; count: number }[]
  edited?: { user: string; ts: string }
  metadata?: { event_type: string; event_payload: Json }
  client_msg_id?: string
  is_ephemeral?: true
  /** True while a stream is open. */
  streaming?: true
  /** Of a message that is or was a stream; `errored` where nobody ended it. */
  streaming_state?: 'in_progress' | 'completed' | 'errored'
  reply_count?: number
  reply_users?: string[]
  latest_reply?: string
}

/** A modal or a Home tab as the app sees it. */
export type View = Json & {
  id: string
  type: 'modal' | 'home'
  blocks: Block[]
  hash: string
  callback_id: string
  private_metadata: string
  root_view_id: string
  previous_view_id: string | null
  state: { values: Record<string, Record<string, Json>> }
}

export type Session = { status: string; title?: string }

export type Change =
  | { type: 'message'; message: Message }
  | { type: 'changed'; message: Message }
  /** A root whose reply counts are different now. */
  | { type: 'counted'; message: Message }
  | { type: 'deleted'; message: Message }
  | { type: 'ephemeral'; user: string; message: Message }
  | { type: 'ephemeral_deleted'; user: string; message: Message }
  | { type: 'view'; user: string; view: View }
  | { type: 'view_closed'; user: string; view: View }
  | { type: 'home'; user: string; view: View }
  | { type: 'session'; channel: string; thread: string; session: Session }
  | { type: 'joined'; channel: string; user: string }

export type World = {
  team: { id: string; name: string }
  /** The organisation the workspace belongs to. */
  enterprise?: { id: string; name: string }
  bot: { user: string; id: string; app: string; name: string }
  users: Map<string, Person>
  groups: Map<string, Group>
  channels: Map<string, Channel>
  /** channel → ts → message, in the order of ts. */
  messages: Map<string, Map<string, Message>>
  /** `channel:ts` of a root → ts of its replies, in order. */
  replies: Map<string, string[]>
  ephemerals: Map<string, Message[]>
  /** user → the open modal and those under it. */
  views: Map<string, View[]>
  homes: Map<string, View>
  sessions: Map<string, Session>
  /** user → what they have open beside the conversation with the app, the most relevant first. */
  looking: Map<string, Json[]>
  /** `channel:ts` → the one person who sees the stream while it is open. */
  audience: Map<string, string>
  listeners: Set<(change: Change) => void>
  lastMicros: number
}

const PEOPLE: Omit<Person, 'is_bot'>[] = [
  {
    id: 'U0ANA',
    name: 'ana',
    real_name: 'Ana Lindqvist',
    color: '#7c5cbf',
    is_guest: false,
    is_admin: false,
  },
  { id: 'U0BEN', name: 'ben', real_name: 'Ben Okafor', color: '#2f7f6f', is_guest: false, is_admin: false },
  {
    id: 'U0CHLOE',
    name: 'chloe',
    real_name: 'Chloe Martin',
    color: '#b5533c',
    is_guest: false,
    is_admin: true,
  },
  {
    id: 'U0GIL',
    name: 'gil',
    real_name: 'Gil Moreau',
    color: '#5b6b7a',
    is_guest: true,
    is_admin: false,
  },
]

const GROUPS: Group[] = [{ id: 'S0ONCALL', name: 'On call', handle: 'oncall', users: ['U0BEN', 'U0CHLOE'] }]

/** A workspace as it is before anybody has said anything. */
export function createWorld(team: { id: string; name: string }, enterprise?: World['enterprise']): World {
  const bot = { user: 'U0QUORUM', id: 'B0QUORUM', app: 'A0QUORUM', name: 'quorum' }
  const staff = ['U0ANA', 'U0BEN', 'U0CHLOE']
  const channels: Channel[] = [
    { id: 'C0GENERAL', name: 'general', members: [...staff, bot.user], is_ext_shared: false },
    { id: 'C0OPS', name: 'ops', members: [...staff, bot.user], is_ext_shared: false },
    { id: 'C0RANDOM', name: 'random', members: [...staff], is_ext_shared: false },
    { id: 'C0PARTNERS', name: 'partners', members: [...staff, 'U0GIL', bot.user], is_ext_shared: true },
    ...PEOPLE.map(({ id }) => ({
      id: `D0${id.slice(2)}`,
      name: id,
      members: [id, bot.user],
      is_ext_shared: false,
      dm: id,
    })),
  ]
  const people: Person[] = [
    ...PEOPLE.map((person) => ({ ...person, is_bot: false })),
    {
      id: bot.user,
      name: bot.name,
      real_name: 'Quorum',
      color: '#3d5afe',
      is_bot: true,
      is_guest: false,
      is_admin: false,
    },
  ]
  return {
    team,
    ...(enterprise ? { enterprise } : {}),
    bot,
    users: new Map(people.map((person) => [person.id, person])),
    groups: new Map(GROUPS.map((group) => [group.id, { ...group }])),
    channels: new Map(channels.map((channel) => [channel.id, channel])),
    messages: new Map(channels.map((channel) => [channel.id, new Map()])),
    replies: new Map(),
    ephemerals: new Map(),
    views: new Map(),
    homes: new Map(),
    sessions: new Map(),
    looking: new Map(),
    audience: new Map(),
    listeners: new Set(),
    lastMicros: 0,
  }
}

/** Slack's time stamps: seconds with six decimals, unique and rising. */
export function nextTs(world: World): string {
  world.lastMicros = Math.max(world.lastMicros + 1, Date.now() * 1000)
  return `${Math.floor(world.lastMicros / 1e6)}.${String(world.lastMicros % 1e6).padStart(6, '0')}`
}

export function microsOf(ts: string): number {
  return Math.round(Number(ts) * 1e6)
}

export function tell(world: World, change: Change): void {
  for (const listener of [...world.listeners]) listener(change)
}

/** Where a thread's facts are kept: sessions, replies, streams. */
export function place(channel: string, ts: string): string {
  return `${channel}:${ts}`
}

export function findMessage(world: World, channel: string, ts: string): Message | undefined {
  return world.messages.get(channel)?.get(ts)
}

/** Adds a message; a reply also changes its root, whose counts people see. */
export function addMessage(world: World, message: Message): void {
  world.messages.get(message.channel)?.set(message.ts, message)
  if (message.thread_ts && message.thread_ts !== message.ts) {
    const key = place(message.channel, message.thread_ts)
    world.replies.set(key, [...(world.replies.get(key) ?? []), message.ts])
  }
  tell(world, { type: 'message', message })
  tellRoot(world, message)
}

export function changeMessage(world: World, message: Message): void {
  world.messages.get(message.channel)?.set(message.ts, message)
  tell(world, { type: 'changed', message })
}

/** Removes a message. A root with replies leaves a tombstone instead, as in Slack. */
export function removeMessage(world: World, message: Message): 'removed' | 'tombstone' {
  const { channel, ts } = message
  if ((world.replies.get(place(channel, ts)) ?? []).length > 0) {
    changeMessage(world, {
      type: 'message',
      subtype: 'tombstone',
      ts,
      thread_ts: ts,
      channel,
      user: 'USLACKBOT',
      text: 'This message was deleted.',
    })
    return 'tombstone'
  }
  world.messages.get(channel)?.delete(ts)
  if (message.thread_ts && message.thread_ts !== ts) {
    const key = place(channel, message.thread_ts)
    world.replies.set(
      key,
      (world.replies.get(key) ?? []).filter((reply) => reply !== ts),
    )
  }
  tell(world, { type: 'deleted', message })
  tellRoot(world, message)
  return 'removed'
}

function tellRoot(world: World, reply: Message): void {
  if (!reply.thread_ts || reply.thread_ts === reply.ts) return
  const root = findMessage(world, reply.channel, reply.thread_ts)
  if (root) tell(world, { type: 'counted', message: root })
}

/** A message with the counts of its replies, as Slack shows a root. */
export function withReplies(world: World, message: Message): Message {
  const replies = (world.replies.get(place(message.channel, message.ts)) ?? [])
    .map((ts) => findMessage(world, message.channel, ts))
    .filter((reply) => reply !== undefined)
  const last = replies.at(-1)
  if (!last) return message
  return {
    ...message,
    thread_ts: message.ts,
    reply_count: replies.length,
    reply_users: [...new Set(replies.map((reply) => reply.user))],
    latest_reply: last.ts,
  }
}

/** The messages of a channel that are not replies, or were sent to it as well, oldest first, with their counts. */
export function rootMessages(world: World, channel: string): Message[] {
  return [...(world.messages.get(channel)?.values() ?? [])]
    .filter(({ thread_ts, ts, subtype }) => !thread_ts || thread_ts === ts || subtype === 'thread_broadcast')
    .map((message) => withReplies(world, message))
}

/** The root and its replies, oldest first; empty when there is no such message. */
export function threadMessages(world: World, channel: string, thread: string): Message[] {
  const root = findMessage(world, channel, thread)
  if (!root) return []
  const replies = (world.replies.get(place(channel, thread)) ?? [])
    .map((ts) => findMessage(world, channel, ts))
    .filter((reply) => reply !== undefined)
  return [withReplies(world, root), ...replies]
}

export function mayRead(world: World, user: string, channel: string): boolean {
  return world.channels.get(channel)?.members.includes(user) ?? false
}

/** The direct conversation of a person with the app. */
export function dmOf(world: World, user: string): Channel | undefined {
  for (const channel of world.channels.values()) if (channel.dm === user) return channel
  return undefined
}

/** Makes somebody a member; false when they were one already. */
export function joinChannel(world: World, channel: Channel, user: string): boolean {
  if (channel.members.includes(user)) return false
  channel.members = [...channel.members, user]
  tell(world, { type: 'joined', channel: channel.id, user })
  return true
}

/** Ends a membership; false where there was none. */
export function leaveChannel(channel: Channel, user: string): boolean {
  if (!channel.members.includes(user)) return false
  channel.members = channel.members.filter((member) => member !== user)
  return true
}

/** conversations.*: channels, their members and what was said in them. */
import { announceJoined, inner } from './announce.ts'
import type { Hub } from './hub.ts'
import {
  channelArg,
  flagArg,
  joinedArg,
  limitArg,
  type Method,
  needArg,
  page,
  Refusal,
  textArg,
} from './method.ts'
import {
  type Channel,
  dmOf,
  type Json,
  joinChannel,
  type Message,
  mayRead,
  microsOf,
  rootMessages,
  threadMessages,
} from './world.ts'

const KINDS = { im: 'im', private_channel: 'groups', public_channel: 'channels' } as const

function kindOf(channel: Channel): keyof typeof KINDS {
  if (channel.dm) return 'im'
  return channel.is_private ? 'private_channel' : 'public_channel'
}

const byKind = (verb: 'read' | 'history') => (hub: Hub, args: Json) => {
  const channel = hub.world.channels.get(String(args.channel))
  return `${channel ? KINDS[kindOf(channel)] : 'channels'}:${verb}`
}

export const CONVERSATION_METHODS: Record<string, Method> = {
  'conversations.info': { tier: 3, scope: byKind('read'), run: info },
  'conversations.list': { tier: 2, scope: 'channels:read', needsTeam: true, run: listChannels },
  'users.conversations': { tier: 3, scope: 'channels:read', needsTeam: true, run: listMine },
  'conversations.members': { tier: 4, scope: byKind('read'), run: members },
  'conversations.history': { tier: 3, scope: byKind('history'), run: history },
  'conversations.replies': { tier: 3, scope: byKind('history'), run: replies },
  'conversations.open': { tier: 3, scope: 'im:write', run: open },
  'conversations.join': { tier: 3, scope: 'channels:join', run: join },
}

function info(hub: Hub, args: Json): Json {
  return { channel: describe(hub, channelArg(hub, args)) }
}

function describe(hub: Hub, channel: Channel): Json {
  const common = {
    id: channel.id,
    created: 1_700_000_000,
    is_archived: channel.is_archived === true,
    context_team_id: hub.world.team.id,
  }
  if (channel.dm)
    return { ...common, is_im: true, user: channel.dm, is_org_shared: false, is_user_deleted: false }
  return {
    ...common,
    name: channel.name,
    name_normalized: channel.name,
    is_channel: !channel.is_private,
    is_group: channel.is_private === true,
    is_im: false,
    is_mpim: false,
    is_private: channel.is_private === true,
    is_general: channel.name === 'general',
    is_member: mayRead(hub.world, hub.world.bot.user, channel.id),
    is_shared: channel.is_ext_shared,
    is_ext_shared: channel.is_ext_shared,
    is_org_shared: false,
    num_members: channel.members.length,
    topic: { value: '', creator: '', last_set: 0 },
    purpose: { value: '', creator: '', last_set: 0 },
  }
}

function listChannels(hub: Hub, args: Json): Json {
  const types = (textArg(args, 'types') ?? 'public_channel').split(',').map((type) => type.trim())
  const { world } = hub
  const wanted = [...world.channels.values()].filter(
    (one) => types.includes(kindOf(one)) && (!one.is_private || mayRead(world, world.bot.user, one.id)),
  )
  const { items, cursor } = page(wanted, args, limitArg(args, 100, 1000))
  return {
    channels: items.map((channel) => describe(hub, channel)),
    response_metadata: { next_cursor: cursor },
  }
}

/** The channels that the app is in. */
function listMine(hub: Hub, args: Json): Json {
  const types = (textArg(args, 'types') ?? 'public_channel').split(',').map((type) => type.trim())
  const { world } = hub
  const mine = [...world.channels.values()].filter(
    (one) =>
      types.includes(kindOf(one)) &&
      mayRead(world, world.bot.user, one.id) &&
      !(flagArg(args, 'exclude_archived') && one.is_archived),
  )
  const { items, cursor } = page(mine, args, limitArg(args, 100, 999))
  return {
    channels: items.map((channel) => {
      const { is_member, ...described } = describe(hub, channel)
      return described
    }),
    response_metadata: { next_cursor: cursor },
  }
}

function members(hub: Hub, args: Json): Json {
  const { items, cursor } = page(channelArg(hub, args).members, args, limitArg(args, 100, 1000))
  return { members: items, response_metadata: { next_cursor: cursor } }
}

/** Newest first, as Slack gives a channel. */
function history(hub: Hub, args: Json): Json {
  const channel = joinedArg(hub, args)
  const found = rootMessages(hub.world, channel.id).filter(within(args)).reverse()
  const { items, more, cursor } = page(found, args, limitArg(args, 100, hub.mostMessages))
  return { messages: show(hub, items, args), has_more: more, response_metadata: { next_cursor: cursor } }
}

/** The root first, then its replies, oldest first. */
function replies(hub: Hub, args: Json): Json {
  const channel = joinedArg(hub, args)
  const ts = needArg(args, 'ts')
  const asked = hub.world.messages.get(channel.id)?.get(ts)
  if (!asked) throw new Refusal('thread_not_found')
  const isReply = asked.thread_ts !== undefined && asked.thread_ts !== ts
  const thread = isReply ? [asked] : threadMessages(hub.world, channel.id, ts)
  const found = thread.filter((message) => message.ts === ts || within(args)(message))
  const { items, more, cursor } = page(found, args, limitArg(args, 1000, hub.mostMessages))
  return { messages: show(hub, items, args), has_more: more, response_metadata: { next_cursor: cursor } }
}

function within(args: Json): (message: Message) => boolean {
  const oldest = textArg(args, 'oldest')
  const latest = textArg(args, 'latest')
  const inclusive = flagArg(args, 'inclusive')
  return ({ ts }) => {
    const at = microsOf(ts)
    if (oldest !== undefined && (inclusive ? at < microsOf(oldest) : at <= microsOf(oldest))) return false
    if (latest !== undefined && (inclusive ? at > microsOf(latest) : at >= microsOf(latest))) return false
    return true
  }
}

function show(hub: Hub, messages: Message[], args: Json): Json[] {
  const all = flagArg(args, 'include_all_metadata')
  return messages.map((message) => {
    const { metadata, ...shown } = inner(hub, message)
    return all && metadata ? { ...shown, metadata } : shown
  })
}

function open(hub: Hub, args: Json): Json {
  if (textArg(args, 'channel')) return { channel: describe(hub, channelArg(hub, args)) }
  const users = needArg(args, 'users').split(',')
  if (users.length !== 1) throw new Refusal('method_not_supported_for_channel_type')
  const channel = dmOf(hub.world, users[0] ?? '')
  if (!channel) throw new Refusal('user_not_found')
  return { no_op: true, already_open: true, channel: { id: channel.id } }
}

function join(hub: Hub, args: Json): Json {
  const channel = channelArg(hub, args)
  if (channel.dm) throw new Refusal('method_not_supported_for_channel_type')
  const { user } = hub.world.bot
  const joined = joinChannel(hub.world, channel, user)
  if (joined) announceJoined(hub, user, channel)
  return joined
    ? { channel: describe(hub, channel) }
    : { channel: describe(hub, channel), warning: 'already_in_channel' }
}

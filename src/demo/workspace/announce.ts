/** What the app hears of: Events API envelopes for everything that happens where it is a member. */
import { describeGroup } from './group-methods.ts'
import type { Hub } from './hub.ts'
import { newId } from './ids.ts'
import { authorizationOf } from './installing.ts'
import { describePerson } from './team-methods.ts'
import {
  type Channel,
  dmOf,
  findMessage,
  type Group,
  type Json,
  type Message,
  mayRead,
  nextTs,
  type Person,
  removeMessage,
  type View,
  withReplies,
} from './world.ts'

/** Wraps an event as Slack does and hands it to the outbox; `from` is the workspace of whoever did it. */
function post(hub: Hub, event: Json, channel?: Channel, from?: string): void {
  const { team, bot, enterprise } = hub.world
  const authorization = authorizationOf(hub)
  if (!authorization) return
  hub.outbox.post({
    token: 'local-workspace',
    team_id: from ?? team.id,
    context_team_id: team.id,
    context_enterprise_id: enterprise?.id ?? null,
    ...(enterprise ? { enterprise_id: enterprise.id } : {}),
    api_app_id: bot.app,
    event,
    type: 'event_callback',
    event_id: newId('Ev'),
    event_time: Math.floor(Date.now() / 1000),
    authorizations: [authorization],
    is_ext_shared_channel: channel?.is_ext_shared ?? false,
    event_context: newId('4-'),
  })
}

function heardChannel(hub: Hub, id: string): Channel | undefined {
  return mayRead(hub.world, hub.world.bot.user, id) ? hub.world.channels.get(id) : undefined
}

/** A new message: `app_mention` where the app is named, and `message`; to the app alone with what its author has open. */
export function announcePosted(hub: Hub, message: Message): void {
  const channel = heardChannel(hub, message.channel)
  if (!channel) return
  const looking = channel.dm === message.user && hub.world.looking.get(message.user)
  const app_context = looking ? { app_context: contextOf(looking) } : {}
  const { channel_type, ...mention } = wire(hub, message, channel)
  const named = !message.bot_id && !channel.dm && message.text.includes(`<@${hub.world.bot.user}>`)
  const from = hub.world.users.get(message.user)?.stranger
  if (named) post(hub, { ...mention, type: 'app_mention' }, channel, from)
  if (!named || hub.both) post(hub, { ...mention, channel_type, ...app_context }, channel, from)
}

/** A message that is different now; the text may be the same, as after an unfurl. */
export function announceChanged(hub: Hub, message: Message, previous: Message): void {
  const channel = heardChannel(hub, message.channel)
  if (!channel) return
  const ts = nextTs(hub.world)
  const event = {
    type: 'message',
    subtype: 'message_changed',
    message: inner(hub, message),
    previous_message: inner(hub, previous),
    channel: channel.id,
    hidden: true,
    ts,
    event_ts: ts,
    channel_type: channelType(channel),
  }
  post(hub, event, channel)
}

function announceDeleted(hub: Hub, previous: Message): void {
  const channel = heardChannel(hub, previous.channel)
  if (!channel) return
  const ts = nextTs(hub.world)
  const event = {
    type: 'message',
    subtype: 'message_deleted',
    previous_message: inner(hub, previous),
    channel: channel.id,
    hidden: true,
    deleted_ts: previous.ts,
    ts,
    event_ts: ts,
    channel_type: channelType(channel),
  }
  post(hub, event, channel)
}

/** Removes a message and tells the app what Slack would: a deletion, or a root that became a tombstone. */
export function removeAndTell(hub: Hub, message: Message): void {
  if (removeMessage(hub.world, message) === 'removed') {
    announceDeleted(hub, message)
    return
  }
  const tombstone = findMessage(hub.world, message.channel, message.ts)
  if (tombstone) announceChanged(hub, tombstone, message)
}

export function announceJoined(hub: Hub, user: string, channel: Channel): void {
  if (heardChannel(hub, channel.id)) post(hub, moved(hub, 'member_joined_channel', user, channel), channel)
}

/** Somebody left or was removed; the app hears of its own removal too. */
export function announceLeft(hub: Hub, user: string, channel: Channel): void {
  const own = user === hub.world.bot.user
  if (own || heardChannel(hub, channel.id))
    post(hub, moved(hub, 'member_left_channel', user, channel), channel)
  if (!own) return
  const type = channel.is_private ? 'group_left' : 'channel_left'
  post(hub, { type, channel: channel.id, actor_id: 'U0CHLOE', event_ts: nextTs(hub.world) }, channel)
}

function moved(hub: Hub, type: string, user: string, channel: Channel): Json {
  const channel_type = channel.is_private ? 'G' : 'C'
  return {
    type,
    user,
    channel: channel.id,
    channel_type,
    team: hub.world.team.id,
    event_ts: nextTs(hub.world),
  }
}

/** A channel became shared with another organisation, or is not any more. */
export function announceShared(hub: Hub, channel: Channel): void {
  const type = channel.is_ext_shared ? 'channel_shared' : 'channel_unshared'
  if (heardChannel(hub, channel.id))
    post(
      hub,
      { type, channel: channel.id, connected_team_id: 'T0OTHER', event_ts: nextTs(hub.world) },
      channel,
    )
}

/** A user group has other members now: Slack sends what it is and what changed. */
export function announceRegrouped(hub: Hub, group: Group, before: readonly string[]): void {
  const event_ts = nextTs(hub.world)
  const { team } = hub.world
  post(hub, {
    type: 'subteam_updated',
    subteam: { ...describeGroup(hub.world, group), users: group.users, user_count: group.users.length },
    event_ts,
  })
  post(hub, {
    type: 'subteam_members_changed',
    subteam_id: group.id,
    team_id: team.id,
    added_users: group.users.filter((user) => !before.includes(user)),
    removed_users: before.filter((user) => !group.users.includes(user)),
    event_ts,
  })
}

/** Somebody is new in the workspace, or different now. */
export function announcePerson(hub: Hub, type: 'team_join' | 'user_change', person: Person): void {
  post(hub, { type, user: describePerson(hub.world, person), event_ts: nextTs(hub.world) })
}

/** Something became of a channel that the app is in. */
export function announceChannel(hub: Hub, channel: Channel, event: Json): void {
  if (heardChannel(hub, channel.id)) post(hub, event, channel)
}

/** What a person has open beside the conversation with the app is another thing now. */
export function announceLooking(hub: Hub, user: string): void {
  const context = contextOf(hub.world.looking.get(user) ?? [])
  const channel = dmOf(hub.world, user)?.id
  post(hub, { type: 'app_context_changed', user, channel, context, event_ts: nextTs(hub.world) })
}

/** Where nothing is open Slack sends an empty object. */
function contextOf(entities: readonly Json[]): Json {
  return entities.length > 0 ? { entities } : {}
}

export function announceHomeOpened(hub: Hub, user: string, tab: 'home' | 'messages'): void {
  const channel = dmOf(hub.world, user)
  const view: View | undefined = hub.world.homes.get(user)
  const event: Json = {
    type: 'app_home_opened',
    user,
    channel: channel?.id,
    tab,
    event_ts: nextTs(hub.world),
  }
  if (view && tab === 'home') event.view = view
  post(hub, event)
}

export function announceStopped(
  hub: Hub,
  user: string,
  channel: string,
  thread: string,
  streams: string[],
): void {
  const event = {
    type: 'agent_session_stopped',
    channel,
    user,
    thread_ts: thread,
    streaming_message_ts: streams,
    event_ts: nextTs(hub.world),
  }
  post(hub, event, hub.world.channels.get(channel))
}

function wire(hub: Hub, message: Message, channel: Channel): Json {
  const { reply_count, reply_users, latest_reply, streaming, ...rest } = message
  return {
    ...inner(hub, rest),
    channel: channel.id,
    event_ts: message.ts,
    channel_type: channelType(channel),
  }
}

/** A message as it lies inside an event or an answer of the Web API. */
export function inner(hub: Hub, message: Message): Json {
  const { channel, streaming, ...rest } = withReplies(hub.world, message)
  const parent = message.thread_ts && message.thread_ts !== message.ts ? message.thread_ts : undefined
  const root = parent ? findMessage(hub.world, channel, parent) : undefined
  const author = hub.world.users.get(message.user)
  const named: Json = { ...rest, team: author?.stranger ?? hub.world.team.id }
  if (author?.stranger) Object.assign(named, strangersMarks(author, author.stranger))
  if (root) named.parent_user_id = root.user
  if (message.bot_id === hub.world.bot.id) named.bot_profile = botProfile(hub)
  if (!message.blocks && !message.subtype && message.text) named.blocks = [asRichText(message.text)]
  return named
}

/** What Slack adds to a message of somebody of another organisation. */
function strangersMarks(author: Person, team: string): Json {
  const { name, real_name } = author
  const user_profile = {
    name,
    real_name,
    display_name: name,
    team,
    is_restricted: false,
    is_ultra_restricted: false,
  }
  return { user_team: team, source_team: team, user_profile }
}

function botProfile(hub: Hub): Json {
  const { bot, team } = hub.world
  return { id: bot.id, app_id: bot.app, name: bot.name, team_id: team.id, deleted: false, updated: 0 }
}

function channelType(channel: Channel): string {
  if (channel.dm) return 'im'
  return channel.is_private ? 'group' : 'channel'
}

/** Slack's composer sends rich text beside the text: mentions as elements, the rest as it is. */
function asRichText(text: string): Json {
  const elements = text
    .split(/(<@[UW][A-Z0-9]+>)/)
    .filter((part) => part !== '')
    .map((part) => {
      const user = /^<@([UW][A-Z0-9]+)>$/.exec(part)?.[1]
      return user ? { type: 'user', user_id: user } : { type: 'text', text: unescapeText(part) }
    })
  return { type: 'rich_text', block_id: 'b0', elements: [{ type: 'rich_text_section', elements }] }
}

function unescapeText(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

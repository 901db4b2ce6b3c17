/** What people do with messages: write, edit, delete, open the Home tab, press Stop. */
import {
  announceChanged,
  announceHomeOpened,
  announceJoined,
  announceLeft,
  announceLooking,
  announcePerson,
  announcePosted,
  announceRegrouped,
  announceShared,
  announceStopped,
  removeAndTell,
} from './announce.ts'
import { type Dropped, keepFile } from './file-methods.ts'
import type { Hub } from './hub.ts'
import { closeStream } from './stream.ts'
import {
  addMessage,
  changeMessage,
  findMessage,
  type Json,
  joinChannel,
  leaveChannel,
  type Message,
  mayRead,
  nextTs,
  type Person,
  type World,
} from './world.ts'

/** Where and with what a message is written. `broadcast`: a reply that is sent to the channel as well. */
export type SayOptions = {
  thread?: string
  broadcast?: boolean
  /** What is dropped into the message, or files as a message of Slack describes them. */
  files?: (Dropped | Json)[]
  attachments?: Json[]
}

/** A person writes. `text` is as typed: `@quorum` and `#ops` become what Slack makes of them. */
export function say(hub: Hub, user: string, channel: string, text: string, options: SayOptions = {}): string {
  const { world } = hub
  const { thread, broadcast, attachments } = options
  expectReader(world, user, channel)
  if (text.trim() === '' && !options.files) throw new Error('A message needs some text.')
  if (world.channels.get(channel)?.is_archived) throw new Error('The channel is archived.')
  const root = thread === undefined ? undefined : findMessage(world, channel, thread)
  if (thread !== undefined && !root) throw new Error('There is no such thread.')
  const shared = world.channels.get(channel)?.is_ext_shared === true
  const files = options.files?.map((one) => {
    const file = isDropped(one) ? keepFile(hub, user, channel, one) : one
    return shared ? { id: file.id, mode: 'file_access', file_access: 'check_file_info' } : file
  })
  const message: Message = {
    type: 'message',
    ts: nextTs(world),
    channel,
    user,
    text: compose(world, text),
    client_msg_id: crypto.randomUUID(),
    ...(root ? { thread_ts: root.thread_ts ?? root.ts } : {}),
    ...(root && broadcast ? { subtype: 'thread_broadcast' } : {}),
    ...(files ? { files, subtype: 'file_share' } : {}),
    ...(attachments ? { attachments } : {}),
  }
  addMessage(world, message)
  announcePosted(hub, message)
  return message.ts
}

function isDropped(file: Dropped | Json): file is Dropped {
  return 'content' in file
}

/** Another app writes: a name, not a person. */
export function sayAs(
  hub: Hub,
  app: string,
  channel: string,
  text: string,
  { thread }: SayOptions = {},
): string {
  const { world } = hub
  const message: Message = {
    type: 'message',
    subtype: 'bot_message',
    ts: nextTs(world),
    channel,
    user: `U0${app.toUpperCase()}`,
    bot_id: `B0${app.toUpperCase()}`,
    bot_profile: { id: `B0${app.toUpperCase()}`, name: app, deleted: false },
    text: compose(world, text),
    ...(thread ? { thread_ts: thread } : {}),
  }
  addMessage(world, message)
  announcePosted(hub, message)
  return message.ts
}

export function edit(hub: Hub, user: string, channel: string, ts: string, text: string): void {
  const previous = ownMessage(hub.world, user, channel, ts)
  const stamp = nextTs(hub.world)
  const message = { ...previous, text: compose(hub.world, text), edited: { user, ts: stamp } }
  changeMessage(hub.world, message)
  announceChanged(hub, message, previous)
}

export function remove(hub: Hub, user: string, channel: string, ts: string): void {
  removeAndTell(hub, ownMessage(hub.world, user, channel, ts))
}

/** Slack looked at a link of the message: a change of attachments, not of words. */
export function unfurl(hub: Hub, channel: string, ts: string): void {
  const previous = findMessage(hub.world, channel, ts)
  if (!previous) throw new Error('There is no such message.')
  const message = { ...previous, attachments: [{ id: 1, title: 'A page', text: 'What the page says.' }] }
  changeMessage(hub.world, message)
  announceChanged(hub, message, previous)
}

export function invite(hub: Hub, user: string, channel: string): void {
  const found = hub.world.channels.get(channel)
  if (!found || found.dm) throw new Error('There is no such channel.')
  if (joinChannel(hub.world, found, user)) announceJoined(hub, user, found)
}

/** Ends a person's (or the app's) membership in a channel. */
export function leave(hub: Hub, user: string, channel: string): void {
  const found = hub.world.channels.get(channel)
  if (!found || found.dm) throw new Error('There is no such channel.')
  if (leaveChannel(found, user)) announceLeft(hub, user, found)
}

/** A further channel, of these people and the app. */
export function createChannel(
  hub: Hub,
  name: string,
  members: readonly string[],
  is_private: boolean,
): string {
  const { world } = hub
  const id = `C0${name.toUpperCase()}`
  if (world.channels.has(id)) throw new Error(`There is a channel ${name} already.`)
  for (const user of members) expectPerson(world, user)
  world.channels.set(id, {
    id,
    name,
    members: [...members, world.bot.user],
    is_ext_shared: false,
    ...(is_private ? { is_private } : {}),
  })
  world.messages.set(id, new Map())
  return id
}

/** Shares a channel with another organisation, or ends that; its people there leave then. */
export function share(hub: Hub, channel: string, on: boolean): void {
  const found = hub.world.channels.get(channel)
  if (!found || found.dm) throw new Error('There is no such channel.')
  found.is_ext_shared = on
  announceShared(hub, found)
  if (on) return
  for (const user of found.members) if (hub.world.users.get(user)?.stranger) leave(hub, user, channel)
}

/** Somebody who is not a full member: a guest of ours, or a person of another organisation. In no channel yet. */
export function welcome(hub: Hub, name: string, as: 'guest' | 'stranger'): string {
  const stranger = as === 'stranger' ? { stranger: 'T0OTHER' } : {}
  const person: Person = { ...newPerson(name), is_guest: as === 'guest', ...stranger }
  hub.world.users.set(person.id, person)
  if (as === 'guest') announcePerson(hub, 'team_join', person)
  openDirect(hub, person.id)
  return person.id
}

/** Makes a member a guest, or a guest a member. */
export function restrict(hub: Hub, user: string, is_guest: boolean): void {
  expectPerson(hub.world, user)
  const person = hub.world.users.get(user)
  if (person) changePerson(hub, { ...person, is_guest })
}

function changePerson(hub: Hub, person: Person): void {
  hub.world.users.set(person.id, person)
  announcePerson(hub, 'user_change', person)
}

function newPerson(name: string): Person {
  const id = `U0${name.toUpperCase()}`
  return { id, name, real_name: name, color: '#888888', is_bot: false, is_guest: false, is_admin: false }
}

/** The direct conversation of a person with the app. */
function openDirect(hub: Hub, user: string): void {
  const id = `D0${user.slice(2)}`
  hub.world.channels.set(id, {
    id,
    name: user,
    members: [user, hub.world.bot.user],
    is_ext_shared: false,
    dm: user,
  })
  hub.world.messages.set(id, new Map())
}

/** Further full members of the workspace, all of them in #general. Called once. */
export function hire(hub: Hub, count: number): string[] {
  const { world } = hub
  return Array.from({ length: count }, (_, i) => {
    const person = newPerson(`colleague${i + 1}`)
    const general = world.channels.get('C0GENERAL')
    world.users.set(person.id, person)
    announcePerson(hub, 'team_join', person)
    openDirect(hub, person.id)
    if (general && joinChannel(world, general, person.id)) announceJoined(hub, person.id, general)
    return person.id
  })
}

/** A further user group, with nobody in it yet. */
export function createGroup(hub: Hub, name: string): string {
  const id = `S0${name.toUpperCase()}`
  const group = { id, name, handle: name, users: [] }
  hub.world.groups.set(id, group)
  announceRegrouped(hub, group, [])
  return id
}

/** Puts these people, and nobody else, into a user group. */
export function regroup(hub: Hub, group: string, users: readonly string[]): void {
  const found = hub.world.groups.get(group)
  if (!found) throw new Error('There is no such group.')
  for (const user of users) expectPerson(hub.world, user)
  const changed = { ...found, users: [...users] }
  hub.world.groups.set(group, changed)
  announceRegrouped(hub, changed, found.users)
}

/** Ends the account of a person, who is in no channel then. What they pressed before may still arrive. */
export function deactivate(hub: Hub, user: string): void {
  expectPerson(hub.world, user)
  const person = hub.world.users.get(user)
  if (!person) return
  for (const channel of hub.world.channels.values())
    if (!channel.dm && leaveChannel(channel, user)) announceLeft(hub, user, channel)
  for (const group of hub.world.groups.values())
    if (group.users.includes(user))
      regroup(
        hub,
        group.id,
        group.users.filter((one) => one !== user),
      )
  changePerson(hub, { ...person, deleted: true })
}

export function openHome(hub: Hub, user: string, tab: 'home' | 'messages' = 'home'): void {
  expectPerson(hub.world, user)
  announceHomeOpened(hub, user, tab)
}

/** A person opens something beside the conversation with the app, a channel or a thread of it; or closes what was open. */
export function lookAt(hub: Hub, user: string, open?: { channel: string; thread?: string }): void {
  const { world } = hub
  expectPerson(world, user)
  if (open) expectReader(world, user, open.channel)
  const team_id = world.team.id
  const channel = open && { type: 'slack#/types/channel_id', value: open.channel, team_id }
  const message = open?.thread && {
    type: 'slack#/types/message_context',
    value: { channel_id: open.channel, message_ts: open.thread },
    team_id,
  }
  world.looking.set(
    user,
    [message, channel].filter((entity) => typeof entity === 'object'),
  )
  announceLooking(hub, user)
}

/** The native Stop of an agent session: its streams end, and the app is told. */
export function interrupt(hub: Hub, user: string, channel: string, thread: string): void {
  expectReader(hub.world, user, channel)
  const stopped: string[] = []
  for (const message of hub.world.messages.get(channel)?.values() ?? []) {
    if (!message.streaming || message.thread_ts !== thread) continue
    closeStream(hub, message, 'by-user')
    stopped.push(message.ts)
  }
  announceStopped(hub, user, channel, thread, stopped)
}

export function expectPerson(world: World, user: string): void {
  const person = world.users.get(user)
  if (!person || person.is_bot) throw new Error(`There is nobody with the id ${user}.`)
}

export function expectReader(world: World, user: string, channel: string): void {
  expectPerson(world, user)
  if (!world.channels.has(channel)) throw new Error(`There is no channel ${channel}.`)
  if (!mayRead(world, user, channel)) throw new Error(`${user} is not a member of ${channel}.`)
}

function ownMessage(world: World, user: string, channel: string, ts: string): Message {
  expectReader(world, user, channel)
  const message = findMessage(world, channel, ts)
  if (!message || message.subtype === 'tombstone') throw new Error('There is no such message.')
  if (message.user !== user) throw new Error('Only the author can change a message.')
  return message
}

const TOKEN = /(<[@#!][^<>]+>|<https?:[^<>]+>|<mailto:[^<>]+>)/
const LINK = /\bhttps?:\/\/[^\s<>|]+[^\s<>|.,;:!?)\]'"]/g

/** Typed text as Slack stores it: names resolved, `& < >` escaped, links in angle brackets. */
function compose(world: World, typed: string): string {
  const escaped = outsideTokens(typed, (part) => escapeText(part).replace(LINK, '<$&>'))
  return outsideTokens(escaped, (part) => resolveNames(world, part))
}

function outsideTokens(text: string, change: (part: string) => string): string {
  return text
    .split(TOKEN)
    .map((part) => (TOKEN.test(part) ? part : change(part)))
    .join('')
}

function resolveNames(world: World, text: string): string {
  return text
    .replace(/(^|[^\w@<])@([a-z]+)\b/gi, (whole, before: string, name: string) => {
      if (/^(here|channel|everyone)$/i.test(name)) return `${before}<!${name.toLowerCase()}>`
      const person = [...world.users.values()].find((user) => user.name === name.toLowerCase())
      return person ? `${before}<@${person.id}>` : whole
    })
    .replace(/(^|[^\w#&<])#([a-z]+)\b/gi, (whole, before: string, name: string) => {
      const channel = [...world.channels.values()].find((one) => !one.dm && one.name === name.toLowerCase())
      return channel ? `${before}<#${channel.id}|${channel.name}>` : whole
    })
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** What a method of the Web API is, and the words its handlers are written in. */
import type { Hub } from './hub.ts'
import type { Problem } from './shape.ts'
import { type Channel, dmOf, findMessage, type Json, type Message, mayRead } from './world.ts'

/** Calls a minute by Slack's published tiers; posting is counted for each channel by the second. */
export type Tier = 1 | 2 | 3 | 4 | 'post' | 'none'

export type Method = {
  tier: Tier
  /** The scope the bot token needs; absent: none. */
  scope?: string | ((hub: Hub, args: Json) => string | undefined)
  /** Taken with the app-level token instead of the bot's. */
  appToken?: true
  /** Taken without any token: who calls says so by the app's id and secret. */
  open?: true
  /** The token of an organisation's installation does not say which workspace is meant. */
  needsTeam?: true
  run(hub: Hub, args: Json, token: string): Json
}

/** Slack's `{ok: false, error}`: thrown by a method's handler, turned into the answer where it is called. */
export class Refusal extends Error {
  readonly error: string
  readonly extra: Json
  constructor(error: string, extra: Json = {}) {
    super(error)
    this.error = error
    this.extra = extra
  }
}

export function refuseProblems(error: string, problems: Problem[]): never {
  const messages = problems.map(({ pointer, message }) => `[ERROR] ${message} [json-pointer:${pointer}]`)
  throw new Refusal(error, { response_metadata: { messages }, errors: messages.map((text) => text.slice(8)) })
}

export function textArg(args: Json, name: string): string | undefined {
  const value = args[name]
  return value === undefined || value === null || value === '' ? undefined : String(value)
}

export function needArg(args: Json, name: string): string {
  const value = textArg(args, name)
  if (value === undefined) {
    refuseProblems('invalid_arguments', [{ pointer: '', message: `missing required field: ${name}` }])
  }
  return value
}

export function flagArg(args: Json, name: string): boolean {
  return ['true', '1'].includes(String(args[name]))
}

/** A page size, at least 1 and at most `max`. */
export function limitArg(args: Json, fallback: number, max: number): number {
  const value = Number(args.limit ?? fallback)
  if (!Number.isInteger(value) || value < 1) throw new Refusal('invalid_limit')
  return Math.min(value, max)
}

/** The channel named by id, by `#name`, or by a person's id for their direct conversation. */
export function channelArg(hub: Hub, args: Json, name = 'channel'): Channel {
  const wanted = needArg(args, name)
  const { world } = hub
  const byName = () =>
    [...world.channels.values()].find((one) => !one.dm && one.name === wanted.replace(/^#/, ''))
  const channel = world.channels.get(wanted) ?? dmOf(world, wanted) ?? byName()
  const hidden = channel?.is_private && !mayRead(world, world.bot.user, channel.id)
  if (!channel || hidden) throw new Refusal('channel_not_found')
  return channel
}

/** The channel, when the app is a member of it. */
export function joinedArg(hub: Hub, args: Json, name = 'channel'): Channel {
  const channel = channelArg(hub, args, name)
  if (!mayRead(hub.world, hub.world.bot.user, channel.id)) throw new Refusal('not_in_channel')
  return channel
}

export function messageArg(hub: Hub, args: Json, channel: Channel, name = 'ts'): Message {
  const message = findMessage(hub.world, channel.id, needArg(args, name))
  if (!message) throw new Refusal('message_not_found')
  return message
}

/** One page of a list and the cursor of the next, in Slack's form. */
export function page<T>(items: T[], args: Json, size: number): { items: T[]; more: boolean; cursor: string } {
  const cursor = textArg(args, 'cursor')
  const start =
    cursor === undefined ? 0 : Number(Buffer.from(cursor, 'base64').toString().replace('next:', ''))
  if (!Number.isInteger(start) || start < 0) throw new Refusal('invalid_cursor')
  const more = start + size < items.length
  return {
    items: items.slice(start, start + size),
    more,
    cursor: more ? Buffer.from(`next:${start + size}`).toString('base64') : '',
  }
}

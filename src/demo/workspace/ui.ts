/** The page's own requests: what one person sees, and what they do. Plain JSON both ways. */
import type { Dropped } from './file-methods.ts'
import type { Hub } from './hub.ts'
import { click, closeView, command, submit, useShortcut } from './interact.ts'
import { edit, expectPerson, expectReader, interrupt, invite, openHome, remove, say } from './people.ts'
import { isObject } from './shape.ts'
import {
  dmOf,
  findMessage,
  type Json,
  type Message,
  place,
  rootMessages,
  threadMessages,
  type World,
} from './world.ts'

/** Answers one request; bad input and refusals are thrown as plain Errors whose message is for the person. */
export async function answerPage(
  hub: Hub,
  verb: string,
  path: string,
  query: URLSearchParams,
  body: Json,
): Promise<Json> {
  const read = verb === 'GET' ? READS[path] : undefined
  if (read) return read(hub, query)
  const act = verb === 'POST' ? ACTS[path] : undefined
  if (!act) throw new Error(`There is nothing at ${verb} ${path}.`)
  const result = await act(hub, need(body, 'as'), body)
  return isObject(result) ? result : { ok: true }
}

const READS: Record<string, (hub: Hub, query: URLSearchParams) => Json> = {
  '/ui/boot': (hub) => boot(hub),
  '/ui/history': (hub, query) => {
    const { as, channel } = reader(hub, query)
    return {
      messages: rootMessages(hub.world, channel).filter((message) => seesMessage(hub.world, as, message)),
    }
  },
  '/ui/thread': (hub, query) => {
    const { as, channel } = reader(hub, query)
    const ts = query.get('ts') ?? ''
    if (!findMessage(hub.world, channel, ts)) throw new Error('There is no such thread.')
    const messages = threadMessages(hub.world, channel, ts).filter((message) =>
      seesMessage(hub.world, as, message),
    )
    return { messages, session: hub.world.sessions.get(place(channel, ts)) ?? null }
  },
  '/ui/dm': (hub, query) => {
    const channel = dmOf(hub.world, query.get('as') ?? '')
    if (!channel) throw new Error('There is nobody with this id.')
    return { channel: channel.id }
  },
}

type Act = (hub: Hub, as: string, body: Json) => unknown

const ACTS: Record<string, Act> = {
  '/ui/say': (hub, as, body) => ({
    ts: say(hub, as, need(body, 'channel'), optional(body, 'text') ?? '', {
      ...threadIn(body),
      ...filesIn(body),
    }),
  }),
  '/ui/shortcut': (hub, as, body) =>
    useShortcut(hub, as, need(body, 'callback_id'), need(body, 'channel'), need(body, 'message_ts')),
  '/ui/invite': (hub, as, body) => {
    const channel = need(body, 'channel')
    expectReader(hub.world, as, channel)
    invite(hub, hub.world.bot.user, channel)
  },
  '/ui/edit': (hub, as, body) => edit(hub, as, need(body, 'channel'), need(body, 'ts'), need(body, 'text')),
  '/ui/delete': (hub, as, body) => remove(hub, as, need(body, 'channel'), need(body, 'ts')),
  '/ui/click': async (hub, as, body) => {
    const view = optional(body, 'view_id')
    const on =
      view === undefined ? { channel: need(body, 'channel'), ts: need(body, 'message_ts') } : { view }
    await click(hub, as, on, need(body, 'action_id'), optional(body, 'value'), optional(body, 'block_id'))
  },
  '/ui/command': async (hub, as, body) => await command(hub, as, need(body, 'channel'), need(body, 'text')),
  '/ui/submit': async (hub, as, body) =>
    await submit(hub, as, need(body, 'view_id'), isObject(body.values) ? body.values : {}),
  '/ui/close': async (hub, as, body) => await closeView(hub, as, need(body, 'view_id')),
  '/ui/home': (hub, as, body) => {
    openHome(hub, as, body.tab === 'messages' ? 'messages' : 'home')
    return { view: hub.world.homes.get(as) ?? null }
  },
  '/ui/interrupt': (hub, as, body) => interrupt(hub, as, need(body, 'channel'), need(body, 'thread_ts')),
}

/** While a stream in a channel is open, only the person it answers sees it. */
export function seesMessage(world: World, user: string, message: Message): boolean {
  if (!message.streaming) return true
  const recipient = world.audience.get(place(message.channel, message.ts))
  return recipient === undefined || recipient === user
}

function boot(hub: Hub): Json {
  const { team, bot, users, channels } = hub.world
  return {
    team,
    bot: bot.user,
    users: [...users.values()],
    channels: [...channels.values()]
      .filter((channel) => !channel.dm)
      .map(({ id, name, members, is_ext_shared }) => ({ id, name, members, is_ext_shared, is_dm: false })),
  }
}

function reader(hub: Hub, query: URLSearchParams): { as: string; channel: string } {
  const as = query.get('as') ?? ''
  const channel = query.get('channel') ?? ''
  expectPerson(hub.world, as)
  expectReader(hub.world, as, channel)
  return { as, channel }
}

function need(body: Json, name: string): string {
  const value = optional(body, name)
  if (value === undefined) throw new Error(`"${name}" is missing.`)
  return value
}

function optional(body: Json, name: string): string | undefined {
  const value = body[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

function threadIn(body: Json): { thread?: string } {
  const thread = optional(body, 'thread_ts')
  return thread ? { thread } : {}
}

/** Files of a message that a page sends, their bytes as base64. */
function filesIn(body: Json): { files?: Dropped[] } {
  if (!Array.isArray(body.files) || body.files.length === 0) return {}
  const files = body.files.filter(isObject).map((file) => {
    const type = optional(file, 'type')
    const content = Buffer.from(optional(file, 'base64') ?? '', 'base64')
    return { name: need(file, 'name'), content, ...(type ? { type } : {}) }
  })
  return { files }
}

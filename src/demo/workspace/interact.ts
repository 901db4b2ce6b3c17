/** What people press and fill in: clicks, submissions, commands, and what the app answers to them. */
import { announceChanged, announcePosted, removeAndTell } from './announce.ts'
import { installedIn } from './app.ts'
import { checkView } from './blocks.ts'
import { botMessage, changed, hasContent, threadArg, whisper } from './chat-methods.ts'
import { readContent } from './content.ts'
import { findAction, stateOf } from './find-action.ts'
import type { ResponseTarget } from './hooks.ts'
import type { Hub } from './hub.ts'
import { Refusal } from './method.ts'
import { expectPerson, expectReader } from './people.ts'
import { isObject } from './shape.ts'
import { replaceView, showView } from './view-methods.ts'
import {
  addMessage,
  changeMessage,
  findMessage,
  type Json,
  type Message,
  mayRead,
  tell,
  type View,
} from './world.ts'

export type ClickTarget = { channel: string; ts: string } | { view: string }

/**
 * Presses a button or chooses in a menu; resolves when the app has acknowledged.
 *
 * @param block where given, only an action of this block is meant
 * @throws when there is no such action, or the app does not acknowledge in time
 */
export async function click(
  hub: Hub,
  user: string,
  on: ClickTarget,
  action: string,
  value?: string,
  block?: string,
) {
  expectPerson(hub.world, user)
  const target = 'view' in on ? viewTarget(hub, user, on.view) : messageTarget(hub, user, on.channel, on.ts)
  const found = findAction(target.blocks, action, value, block)
  if (!found) throw new Error(`There is no button "${action}" here.`)
  const acted = { ...found, action_ts: String(Date.now() / 1000) }
  await hub.outbox.ask('interactive', {
    ...person(hub, 'block_actions', user),
    ...target.body,
    state: { values: {} },
    actions: [acted],
  })
}

function messageTarget(hub: Hub, user: string, channel: string, ts: string) {
  expectReader(hub.world, user, channel)
  const own = hub.world.ephemerals
    .get(user)
    ?.find((message) => message.channel === channel && message.ts === ts)
  const message = own ?? findMessage(hub.world, channel, ts)
  if (!message) throw new Error('There is no such message.')
  const thread = message.thread_ts
  const target: ResponseTarget = {
    channel,
    user,
    ts,
    ephemeral: own !== undefined,
    ...(thread ? { thread } : {}),
  }
  const container: Json = {
    type: 'message',
    message_ts: ts,
    channel_id: channel,
    is_ephemeral: own !== undefined,
  }
  if (thread) container.thread_ts = thread
  const body: Json = {
    container,
    channel: {
      id: channel,
      name: hub.world.channels.get(channel)?.dm ? 'directmessage' : hub.world.channels.get(channel)?.name,
    },
    response_url: responseUrl(hub, target),
    ...(own ? {} : { message: { ...message, team: hub.world.team.id } }),
  }
  return { blocks: message.blocks ?? [], body }
}

function viewTarget(hub: Hub, user: string, id: string) {
  const home = hub.world.homes.get(user)
  const view = home?.id === id ? home : hub.world.views.get(user)?.find((one) => one.id === id)
  if (!view) throw new Error('This view is not open any more.')
  return { blocks: view.blocks, body: { container: { type: 'view', view_id: id }, view } as Json }
}

/** Submits the modal on top. The app may keep it open with errors, replace it, or close it. */
export async function submit(hub: Hub, user: string, id: string, values: Json): Promise<void> {
  const stack = hub.world.views.get(user) ?? []
  const view = stack.find((one) => one.id === id)
  if (!view) throw new Error('This view is not open any more.')
  const filled: View = { ...view, state: { values: stateOf(view, values) } }
  const payload = { ...person(hub, 'view_submission', user), view: filled, response_urls: [] }
  const reply = await hub.outbox.ask('interactive', payload)
  const { response_action: action, errors, view: next } = isObject(reply) ? reply : ({} as Json)
  if (action === 'errors' && isObject(errors)) throw new Error(Object.values(errors).map(String).join(' '))
  const problem = isObject(next) ? checkView(next)[0] : undefined
  if (problem) throw new Error(`The app answered with a view Slack would refuse: ${problem.message}.`)
  if (action === 'update' && isObject(next)) replaceView(hub, user, view, next)
  else if (action === 'push' && isObject(next)) showView(hub, user, next)
  else if (action === 'clear') shut(hub, user, stack)
  else shut(hub, user, [view])
}

/** Closes a modal without submitting; the app hears of it only where the view asks for that. */
export async function closeView(hub: Hub, user: string, id: string): Promise<void> {
  const stack = hub.world.views.get(user) ?? []
  const view = stack.find((one) => one.id === id)
  if (!view) return
  const cleared = view.clear_on_close === true
  shut(hub, user, cleared ? stack : [view])
  if (view.notify_on_close !== true) return
  await hub.outbox.ask('interactive', { ...person(hub, 'view_closed', user), view, is_cleared: cleared })
}

function shut(hub: Hub, user: string, views: View[]): void {
  const ids = new Set(views.map((view) => view.id))
  const stack = hub.world.views.get(user) ?? []
  hub.world.views.set(
    user,
    stack.filter((one) => !ids.has(one.id)),
  )
  for (const view of views) tell(hub.world, { type: 'view_closed', user, view })
}

/** The app's entries in a message's own menu, as its manifest names them. */
const SHORTCUTS = ['ask_about', 'show_trace']

/** Uses a shortcut of a message; resolves when the app has acknowledged. It is there wherever the person can read. */
export async function useShortcut(
  hub: Hub,
  user: string,
  shortcut: string,
  channel: string,
  ts: string,
): Promise<void> {
  expectReader(hub.world, user, channel)
  const message = findMessage(hub.world, channel, ts)
  if (!message || message.subtype === 'tombstone') throw new Error('There is no such message.')
  if (!SHORTCUTS.includes(shortcut)) throw new Error(`There is no shortcut "${shortcut}".`)
  const found = hub.world.channels.get(channel)
  await hub.outbox.ask('interactive', {
    ...person(hub, 'message_action', user),
    callback_id: shortcut,
    action_ts: String(Date.now() / 1000),
    message_ts: ts,
    channel: { id: channel, name: found?.dm ? 'directmessage' : found?.name },
    response_url: responseUrl(hub, { channel, user, ephemeral: false }),
    message: { ...message, team: hub.world.team.id },
  })
}

/** Types a slash command. What the app answers is shown as its message. */
export async function command(hub: Hub, user: string, channel: string, typed: string): Promise<void> {
  expectReader(hub.world, user, channel)
  const [, name, text = ''] = /^(\/\S+)\s*([\s\S]*)$/.exec(typed.trim()) ?? []
  if (name !== '/quorum') throw new Error(`${name ?? typed} is not a command here.`)
  const target: ResponseTarget = { channel, user, ephemeral: false }
  const { team } = hub.world
  const found = hub.world.channels.get(channel)
  const reply = await hub.outbox.ask('slash_commands', {
    token: 'local-workspace',
    team_id: team.id,
    team_domain: 'local',
    channel_id: channel,
    channel_name: found?.dm ? 'directmessage' : (found?.name ?? ''),
    user_id: user,
    user_name: hub.world.users.get(user)?.name ?? '',
    command: name,
    text: text.trim(),
    api_app_id: hub.world.bot.app,
    ...(hub.world.enterprise
      ? { enterprise_id: hub.world.enterprise.id, enterprise_name: hub.world.enterprise.name }
      : {}),
    is_enterprise_install: String(installedIn(hub)?.org ?? false),
    response_url: responseUrl(hub, target),
    trigger_id: hub.hooks.newTrigger(user),
  })
  const said = typeof reply === 'string' ? { text: reply } : reply
  if (isObject(said) && (said.text !== undefined || said.blocks !== undefined)) sayTo(hub, target, said)
}

/** A POST to a response URL: the status and body Slack would answer with. */
export function respond(hub: Hub, id: string, body: Json): { status: number; body: Json } {
  const target = hub.hooks.takeResponse(id)
  if ('error' in target) return { status: 404, body: { ok: false, error: target.error } }
  try {
    const original = target.ts === undefined ? undefined : originalOf(hub, target, target.ts)
    if (body.delete_original === true && original) takeBack(hub, target, original)
    else if (body.replace_original === true && original) replace(hub, target, original, body)
    else sayTo(hub, target, body)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { status: 400, body: { ok: false, error: error.error, ...error.extra } }
  }
  return { status: 200, body: { ok: true } }
}

function originalOf(hub: Hub, target: ResponseTarget, ts: string): Message | undefined {
  if (!target.ephemeral) return findMessage(hub.world, target.channel, ts)
  return hub.world.ephemerals.get(target.user)?.find((message) => message.ts === ts)
}

function takeBack(hub: Hub, target: ResponseTarget, original: Message): void {
  if (!target.ephemeral) {
    removeAndTell(hub, original)
    return
  }
  const kept = (hub.world.ephemerals.get(target.user) ?? []).filter((message) => message !== original)
  hub.world.ephemerals.set(target.user, kept)
  tell(hub.world, { type: 'ephemeral_deleted', user: target.user, message: original })
}

function replace(hub: Hub, target: ResponseTarget, original: Message, body: Json): void {
  const message = changed(hub, original, readContent(body))
  if (!target.ephemeral) {
    changeMessage(hub.world, message)
    announceChanged(hub, message, original)
    return
  }
  const list = hub.world.ephemerals.get(target.user) ?? []
  hub.world.ephemerals.set(
    target.user,
    list.map((one) => (one === original ? message : one)),
  )
  tell(hub.world, { type: 'ephemeral', user: target.user, message })
}

function sayTo(hub: Hub, target: ResponseTarget, body: Json): void {
  const channel = hub.world.channels.get(target.channel)
  if (!channel) throw new Refusal('channel_not_found')
  const content = readContent(body)
  if (!hasContent(content)) throw new Refusal('no_text')
  const message = botMessage(hub, channel, content, threadArg(hub, body, channel))
  if (body.response_type !== 'in_channel') {
    whisper(hub, target.user, message)
    return
  }
  addMessage(hub.world, message)
  if (mayRead(hub.world, hub.world.bot.user, channel.id)) announcePosted(hub, message)
}

function responseUrl(hub: Hub, target: ResponseTarget): string {
  return `${hub.origin}/response/${hub.hooks.newResponse(target)}`
}

function person(hub: Hub, type: string, user: string): Json {
  const { team, bot, enterprise } = hub.world
  const { name = '', stranger } = hub.world.users.get(user) ?? {}
  const own = stranger ?? team.id
  const grid = enterprise ? { enterprise_id: enterprise.id, enterprise_name: enterprise.name } : {}
  return {
    type,
    team: { id: own, domain: stranger ? 'elsewhere' : 'local', ...(stranger ? {} : grid) },
    enterprise: enterprise && !stranger ? enterprise : null,
    is_enterprise_install: installedIn(hub)?.org ?? false,
    user: { id: user, username: name, name, team_id: own },
    api_app_id: bot.app,
    token: 'local-workspace',
    trigger_id: hub.hooks.newTrigger(user),
  }
}

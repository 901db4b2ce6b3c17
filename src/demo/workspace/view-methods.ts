/** views.*: modals and the Home tab. */

import { checkView } from './blocks.ts'
import { giveIds } from './content.ts'
import type { Hub } from './hub.ts'
import { newId } from './ids.ts'
import { type Method, needArg, Refusal, refuseProblems, textArg } from './method.ts'
import { isObject } from './shape.ts'
import { type Json, tell, type View } from './world.ts'

export const VIEW_METHODS: Record<string, Method> = {
  'views.open': { tier: 4, run: open },
  'views.push': { tier: 4, run: push },
  'views.update': { tier: 4, run: update },
  'views.publish': { tier: 4, run: publish },
}

const MAX_STACK = 3

function open(hub: Hub, args: Json): Json {
  const view = viewArg(args, 'modal')
  const user = triggerArg(hub, args)
  hub.world.views.set(user, [])
  return { view: showView(hub, user, view) }
}

function push(hub: Hub, args: Json): Json {
  const view = viewArg(args, 'modal')
  const user = triggerArg(hub, args)
  if ((hub.world.views.get(user) ?? []).length >= MAX_STACK) throw new Refusal('push_limit_reached')
  return { view: showView(hub, user, view) }
}

function update(hub: Hub, args: Json): Json {
  const view = viewArg(args, 'modal')
  const id = textArg(args, 'view_id')
  const external = textArg(args, 'external_id')
  for (const [user, stack] of hub.world.views) {
    const before = stack.find(
      (one) => one.id === id || (external !== undefined && one.external_id === external),
    )
    if (!before) continue
    const hash = textArg(args, 'hash')
    if (hash !== undefined && hash !== before.hash) throw new Refusal('hash_conflict')
    return { view: replaceView(hub, user, before, view) }
  }
  throw new Refusal('not_found')
}

function publish(hub: Hub, args: Json): Json {
  const user = needArg(args, 'user_id')
  const view = viewArg(args, 'home')
  if (!hub.world.users.has(user)) throw new Refusal('invalid_arguments')
  const before = hub.world.homes.get(user)
  const hash = textArg(args, 'hash')
  if (hash !== undefined && before && hash !== before.hash) throw new Refusal('hash_conflict')
  const home = fullView(hub, view, before ? { id: before.id } : {})
  hub.world.homes.set(user, home)
  tell(hub.world, { type: 'home', user, view: home })
  return { view: home }
}

/** Puts a modal on top of what the person has open. */
export function showView(hub: Hub, user: string, view: Json): View {
  const stack = hub.world.views.get(user) ?? []
  const below = stack.at(-1)
  const placed = below ? { root_view_id: below.root_view_id, previous_view_id: below.id } : {}
  const shown = fullView(hub, view, placed)
  hub.world.views.set(user, [...stack, shown])
  tell(hub.world, { type: 'view', user, view: shown })
  return shown
}

export function replaceView(hub: Hub, user: string, before: View, view: Json): View {
  const { id, root_view_id, previous_view_id } = before
  const shown = fullView(hub, view, { id, root_view_id, previous_view_id })
  const stack = hub.world.views.get(user) ?? []
  hub.world.views.set(
    user,
    stack.map((one) => (one.id === id ? shown : one)),
  )
  tell(hub.world, { type: 'view', user, view: shown })
  return shown
}

function viewArg(args: Json, type: 'modal' | 'home'): Json {
  if (!isObject(args.view)) throw new Refusal('invalid_arguments')
  const problems = checkView(args.view)
  if (problems.length > 0) refuseProblems('invalid_arguments', problems)
  if (args.view.type !== type) throw new Refusal('invalid_arguments')
  if (JSON.stringify(args.view).length > 250_000) throw new Refusal('view_too_large')
  return args.view
}

function triggerArg(hub: Hub, args: Json): string {
  const taken = hub.hooks.takeTrigger(needArg(args, 'trigger_id'))
  if ('error' in taken) throw new Refusal(taken.error)
  return taken.user
}

function fullView(hub: Hub, view: Json, placed: Partial<View>): View {
  const { team, bot } = hub.world
  const id = placed.id ?? newId('V')
  return {
    ...view,
    id,
    team_id: team.id,
    app_id: bot.app,
    app_installed_team_id: team.id,
    bot_id: bot.id,
    type: view.type === 'home' ? 'home' : 'modal',
    blocks: giveIds(Array.isArray(view.blocks) ? view.blocks : []),
    callback_id: String(view.callback_id ?? ''),
    private_metadata: String(view.private_metadata ?? ''),
    external_id: String(view.external_id ?? ''),
    title: view.title ?? { type: 'plain_text', text: 'Home' },
    close: view.close ?? null,
    submit: view.submit ?? null,
    clear_on_close: view.clear_on_close ?? false,
    notify_on_close: view.notify_on_close ?? false,
    state: { values: {} },
    hash: `${Date.now()}.${newId('', 8)}`,
    root_view_id: placed.root_view_id ?? id,
    previous_view_id: placed.previous_view_id ?? null,
  }
}

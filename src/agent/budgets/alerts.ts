/** Telling of budgets that are half, nearly or wholly used: once for each window and height, whoever does it. */
import type pg from 'pg'
import { Fault } from '../../core/fault.ts'
import type { Policy } from '../../core/rules.ts'
import { alertMessage } from '../../slack/blocks/budget.ts'
import type { Speak } from '../../slack/speak.ts'
import { markTold, readUntold, type Window } from '../../store/budgets.ts'
import { adminsOf } from '../admins.ts'
import { sayOnce } from '../say.ts'
import { rowOf } from './show.ts'

export type AlertContext = {
  pool: pg.Pool
  workspace: string
  policy: Policy
  speak: Pick<Speak, 'post' | 'find' | 'direct' | 'members' | 'name'>
  log: (level: 'warn', message: string, fields?: Record<string, unknown>) => void
}

type Untold = Window & { id: number; reached: number }

/** Says what was reached to whom it concerns; who cannot be told just now is told at a later look. */
export async function tellAlerts(context: AlertContext): Promise<void> {
  for (const window of await readUntold(context.pool, context.workspace)) {
    if (await tell(context, window)) await markTold(context.pool, window.id, window.reached)
  }
}

/** False where somebody could not be told yet. */
async function tell(context: AlertContext, window: Untold): Promise<boolean> {
  const listeners = await listenersOf(context, window)
  if (listeners.length === 0)
    context.log('warn', 'a budget is used so far, and no admin is named in policy.yaml to be told', {
      budget: `${window.scope} ${window.holder}`.trim(),
      percent: window.reached,
    })
  let told = true
  for (const listener of listeners) {
    try {
      if (!(await tellOne(context, window, listener))) told = false
    } catch (error) {
      if (error instanceof Fault && error.retry) told = false
      else context.log('warn', 'nobody could be told of a budget', { to: listener.id, why: String(error) })
    }
  }
  return told
}

type Listener = { id: string; raises: boolean }

/** A person for their own, the channel for its own, the admins for everything else. */
async function listenersOf(context: AlertContext, { scope, holder, reached }: Untold): Promise<Listener[]> {
  if (scope === 'user') return [{ id: holder, raises: false }]
  if (scope === 'channel') return [{ id: holder, raises: reached >= 100 }]
  const admins = await adminsOf(context)
  return admins.map((id) => ({ id, raises: reached >= 80 }))
}

async function tellOne(context: AlertContext, window: Untold, { id, raises }: Listener): Promise<boolean> {
  const { speak } = context
  const row = await rowOf(window, speak.name, raises)
  const channel = /^[UW]/.test(id) ? await speak.direct(id) : id
  // A budget that was raised is another height: what it reaches then is news.
  const part = `${window.reached}@${row.total}:${id}`
  const saying = { owner: ownerOf(window.id), part, channel, message: alertMessage(row, window.reached) }
  return (await sayOnce(context, saying)) !== 'busy'
}

/** Whose the posts about a window are. */
export function ownerOf(window: number): string {
  return `budget:${window}`
}

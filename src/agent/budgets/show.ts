/** Budgets for one person: those that concern them, and for admins all. */
import { type Budgets, limitsFor, raiseOf } from '../../core/budget.ts'
import type { Policy } from '../../core/rules.ts'
import { type BudgetRow, budgetsMessage } from '../../slack/blocks/budget.ts'
import type { Message } from '../../slack/message.ts'
import type { Speak } from '../../slack/speak.ts'
import { readOpenWindows, readWindows, type Window } from '../../store/budgets.ts'
import type { Db } from '../../store/transaction.ts'
import { isAdmin } from '../admins.ts'
import { teamsOf } from './meter.ts'

export type ShowContext = {
  pool: Db
  workspace: string
  policy: Policy
  budgets: Budgets
  speak: Pick<Speak, 'name' | 'members' | 'decider'>
}

/** Windows that admins see beside their own. */
const MOST = 60

/** `/quorum budget`: for whoever asks or, where an admin names somebody, for them. */
export async function showBudgets(
  context: ShowContext,
  asks: { user: string; channel: string; rest: string },
): Promise<Message> {
  const admin = await isAdmin(context, asks.user)
  const [, named] = /^<@([UW][A-Z0-9]+)(?:\|[^>]*)?>$/.exec(asks.rest.trim()) ?? []
  const of = admin && named ? { user: named } : { user: asks.user, channel: asks.channel }
  const mine = await windowsFor(context, of)
  const others = admin && !named ? await othersThan(context, mine) : []
  return budgetsMessage(await rowsOf(context, mine, admin), await rowsOf(context, others, admin))
}

/** What App Home shows. */
export async function budgetsAtHome(
  context: ShowContext,
  user: string,
  admin: boolean,
): Promise<BudgetRow[]> {
  const mine = await windowsFor(context, { user })
  return rowsOf(context, [...mine, ...(admin ? await othersThan(context, mine) : [])], admin)
}

async function windowsFor(context: ShowContext, of: { user: string; channel?: string }): Promise<Window[]> {
  const { budgets, speak, pool, workspace } = context
  const teams = await teamsOf({ budgets, members: speak.members }, of.user)
  const limits = limitsFor(budgets, { ...of, teams, agents: Object.keys(budgets.agents) })
  return limits.length === 0 ? [] : readWindows(pool, workspace, limits, budgets.zone)
}

async function othersThan({ pool, workspace }: ShowContext, mine: readonly Window[]): Promise<Window[]> {
  const known = new Set(mine.map(({ id }) => id))
  return (await readOpenWindows(pool, workspace, MOST)).filter(({ id }) => !known.has(id))
}

function rowsOf({ speak }: ShowContext, windows: readonly Window[], admin: boolean): Promise<BudgetRow[]> {
  return Promise.all(windows.map((window) => rowOf(window, speak.name, admin)))
}

/** One window as it is shown; with the button that raises it where `admin`. */
export async function rowOf(
  window: Window,
  name: (id: string) => Promise<string>,
  admin: boolean,
): Promise<BudgetRow> {
  const { scope, holder, unit, every, allowed, raised, used, held, ends, id } = window
  const named = /^[SUW][A-Z0-9]+$/.test(holder) ? await name(holder) : holder
  const amount = raiseOf(window)
  const raise =
    admin && id !== undefined
      ? { amount, value: JSON.stringify({ budget: id, from: raised, amount }) }
      : undefined
  return { scope, holder, name: named, unit, every, total: allowed + raised, used, held, ends, raise }
}

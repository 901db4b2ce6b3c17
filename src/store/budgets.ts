/** Windows of budgets as people see them: read, raised, told about. What holds and charges is the ledger. */
import type { Limit, Scope, Unit } from '../core/budget.ts'
import type { Wait } from '../core/wait.ts'
import type { Db } from './transaction.ts'

/** One window that is open now. `allowed` is the budget's own, `raised` what admins added for this window. */
export type Window = {
  /** Undefined where no call fell into it yet. */
  id?: number | undefined
  scope: Scope
  holder: string
  unit: Unit
  every: 'day' | 'month'
  allowed: number
  raised: number
  used: number
  held: number
  /** ISO time. */
  ends: string
}

const WINDOW =
  'b.id, b.scope, b.holder, b.unit, b.every, b.allowed, b.raised, b.used, b.held, b.ends, b.reached, b.key'

type Row = Omit<Window, 'ends'> & { ends: Date; reached: number; key: string }

const windowOf = ({ ends, id, ...row }: Row) => ({ ...row, id: id ?? undefined, ends: ends.toISOString() })

/** The open windows of some limits, in the same order. */
export async function readWindows(
  db: Db,
  workspace: string,
  limits: readonly Limit[],
  zone: string,
): Promise<Window[]> {
  const found = await db.query<Row>(
    `select b.id, l.scope, l.holder, l.unit, l.every, l.allowed, coalesce(b.raised, 0)::int8 as raised,
            coalesce(b.used, 0)::int8 as used, coalesce(b.held, 0)::int8 as held, t.ends
     from jsonb_array_elements($2::jsonb) with ordinality as e (value, n),
       jsonb_to_record(e.value) as l (scope text, holder text, unit text, every text, allowed int8),
       window_now(l.every, $3) t
       left join lateral (
         select * from budgets o where o.workspace = $1 and o.scope = l.scope and o.holder = l.holder
           and o.unit = l.unit and o.every = l.every and o.begins = t.begins) b on true
     order by n`,
    [workspace, JSON.stringify(limits), zone],
  )
  return found.rows.map(windowOf)
}

/** All open windows of a workspace that a call fell into, the fullest first. */
export async function readOpenWindows(db: Db, workspace: string, most: number): Promise<Window[]> {
  const found = await db.query<Row>(
    `select ${WINDOW} from budgets b where b.workspace = $1 and b.begins <= now() and b.ends > now()
     order by (b.used + b.held)::float8 / (b.allowed + b.raised) desc, b.id limit $2`,
    [workspace, most],
  )
  return found.rows.map(windowOf)
}

/** What a raise is bound to: the window, and how far it had been raised when the button was shown. */
export type Raise = { budget: number; from: number; amount: number }

/**
 * Raises an open window once, and writes down by whom; undefined where somebody was quicker or the window is over.
 * What was reached counts from the new height on.
 */
export async function raiseWindow(
  db: Db,
  workspace: string,
  by: string,
  raise: Raise,
): Promise<(Window & { key: string }) | undefined> {
  const raised = await db.query<Row>(
    `with raised as (
       update budgets b set raised = b.raised + $5,
              reached = percent_reached(b.used, b.allowed + b.raised + $5),
              told = percent_reached(b.used, b.allowed + b.raised + $5)
       where b.id = $3 and b.workspace = $1 and b.raised = $4 and b.ends > now() returning ${WINDOW}
     ), noted as (
       insert into raises (budget, by, amount) select id, $2, $5 from raised
     )
     select * from raised`,
    [workspace, by, raise.budget, raise.from, raise.amount],
  )
  return raised.rows.map(windowOf)[0]
}

/** A window, open or not, and who raised it last; undefined where there is none of this number in the workspace. */
export async function readRaised(
  db: Db,
  workspace: string,
  id: number,
): Promise<{ over: boolean; by: string | undefined } | undefined> {
  const found = await db.query(
    `select b.ends <= now() as over, (select r.by from raises r where r.budget = b.id order by r.at desc limit 1) as by
     from budgets b where b.workspace = $1 and b.id = $2`,
    [workspace, id],
  )
  const row = found.rows[0]
  return row && { over: row.over, by: row.by ?? undefined }
}

/** Windows of which somebody has to be told how far they were used. `reached`: percent. */
export async function readUntold(
  db: Db,
  workspace: string,
): Promise<(Window & { id: number; reached: number })[]> {
  const found = await db.query<Row & { id: number }>(
    `select ${WINDOW} from budgets b where b.workspace = $1 and b.reached > b.told order by b.id limit 50`,
    [workspace],
  )
  return found.rows.map((row) => ({ ...windowOf(row), id: row.id }))
}

/** That people were told that a window reached so many percent. */
export async function markTold(db: Db, id: number, percent: number): Promise<void> {
  await db.query('update budgets set told = $2 where id = $1 and told < $2', [id, percent])
}

/** Whether what a run waits for was raised since it began to wait. */
export async function hasMoved(db: Db, workspace: string, wait: Wait): Promise<boolean> {
  if (wait.for !== 'budget' || wait.seen === undefined) return false
  const found = await db.query<{ raised: number }>(
    'select raised from budgets where workspace = $1 and key = $2 and begins <= now() and ends > now()',
    [workspace, wait.key],
  )
  const row = found.rows[0]
  return row !== undefined && String(row.raised) !== wait.seen
}

/** An admin raises a budget: one press counts, it is written down, and what waited for the budget goes on at once. */
import type pg from 'pg'
import { z } from 'zod'
import { tellAmount, tellBudget } from '../../core/budget.ts'
import type { HeardOf } from '../../core/heard.ts'
import { raisedMessage } from '../../slack/blocks/budget.ts'
import type { Speak } from '../../slack/speak.ts'
import { raiseWindow, readRaised, type Window } from '../../store/budgets.ts'
import { readPosts } from '../../store/posts.ts'
import type { Db, Tx } from '../../store/transaction.ts'
import { wakeWaiting } from '../../store/wakeups.ts'
import { ownerOf } from './alerts.ts'
import { rowOf } from './show.ts'

/** What became of a press. */
export type Raised =
  | { outcome: 'raised'; window: Window & { key: string }; by: string }
  | { outcome: 'not-yours' }
  | { outcome: 'late'; by: string | undefined }
  | { outcome: 'over' }
  | { outcome: 'gone' }

const Value = z.object({ budget: z.int(), from: z.int().min(0), amount: z.int().min(1) })

/** Raises the window by what the button said, if it is still as high as it was then. */
export async function takeRaise(tx: Tx, heard: HeardOf<'pressed'>, admin: boolean): Promise<Raised> {
  if (!admin) return { outcome: 'not-yours' }
  const raise = readValue(heard.subject)
  if (!raise) return { outcome: 'gone' }
  const window = await raiseWindow(tx, heard.workspace, heard.user, raise)
  if (!window) {
    const found = await readRaised(tx, heard.workspace, raise.budget)
    if (!found) return { outcome: 'gone' }
    return found.over ? { outcome: 'over' } : { outcome: 'late', by: found.by }
  }
  await wakeBoth(tx, heard.workspace, window.key)
  return { outcome: 'raised', window, by: heard.user }
}

function readValue(subject: string) {
  try {
    return Value.parse(JSON.parse(subject))
  } catch {
    return undefined
  }
}

async function wakeBoth(db: Db, workspace: string, key: string): Promise<void> {
  await wakeWaiting(db, workspace, { for: 'budget', key })
  await wakeWaiting(db, workspace, { for: 'budget', key: `${key}:held` })
}

/**
 * After the raise is written: wakes what was parked meanwhile, and takes the button from the messages that had it.
 * Whoever parks looks for a raise after parking, so nobody is missed.
 */
export async function followRaise(
  context: { pool: pg.Pool; speak: Pick<Speak, 'update' | 'name'> },
  workspace: string,
  raised: Extract<Raised, { outcome: 'raised' }>,
): Promise<void> {
  const { window, by } = raised
  await wakeBoth(context.pool, workspace, window.key)
  if (window.id === undefined) return
  const message = raisedMessage(await rowOf(window, context.speak.name, false), by)
  for (const { channel, ts } of await readPosts(context.pool, ownerOf(window.id)))
    await context.speak.update(channel, ts, message)
}

/** One sentence for whoever pressed. */
export async function tellRaise(raised: Raised, name: (id: string) => Promise<string>): Promise<string> {
  switch (raised.outcome) {
    case 'raised': {
      const { window } = raised
      const row = await rowOf(window, name, false)
      return `${tellBudget(window, row.name)} is now ${tellAmount(window.unit, row.total)}. What waited for it goes on.`
    }
    case 'not-yours':
      return 'Only an admin can raise a budget, so your click changed nothing.'
    case 'late': {
      const who = raised.by ? ` by ${await name(raised.by)}` : ''
      return `This budget was raised already${who}; your click changed nothing. \`/quorum budget\` shows it as it is now.`
    }
    case 'over':
      return 'This budget has begun anew since, so your click changed nothing.'
    case 'gone':
      return 'I do not know this budget any more, so your click changed nothing.'
  }
}

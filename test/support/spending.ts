/** Callers that all want the same window: they hold, use and settle, as many at a time as they are told. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Limit } from '../../src/core/budget.ts'
import type { Ledger } from '../../src/store/ledger.ts'
import type { Db } from '../../src/store/transaction.ts'

export const PROMPT = 40
export const MOST = 60

/** Some further windows that concern the same call, so that one hold locks several rows. */
export function limitsOf(allowed: number): Limit[] {
  return [
    { scope: 'workspace', holder: '', unit: 'tokens', every: 'day', allowed },
    { scope: 'user', holder: 'UANA', unit: 'tokens', every: 'month', allowed },
  ]
}

export type Drive = {
  workspace: string
  limits: Limit[]
  callers: number
  /** Callers stop by then, in ms from now. */
  ms: number
  /** How long a hold stays open, in ms. */
  holdMs?: number
  /** Told of every pair: how long it took to hold and to settle, in ms. */
  onPair?: (ms: number) => void
}

/** Runs the callers until the time is over or the budget is. Answers how many pairs there were, and tokens used. */
export async function spendAtOnce(
  ledger: Pick<Ledger, 'hold'>,
  drive: Drive,
): Promise<{ pairs: number; tokens: number }> {
  const end = performance.now() + drive.ms
  let pairs = 0
  let tokens = 0
  const about = { workspace: drive.workspace, channel: '', thread: '', user: 'UANA', agent: 'q' }
  const attempt = { pool: 'p', model: 'm', prompt: PROMPT, most: MOST, least: 1 }
  await Promise.all(
    Array.from({ length: drive.callers }, async () => {
      while (performance.now() < end) {
        const begun = performance.now()
        const hold = await ledger.hold({
          about: { ...about, lane: 'interactive' },
          attempt: { ...attempt, tier: 'local' },
          limits: drive.limits,
          zone: 'UTC',
        })
        if (hold === 'unreachable') throw new Error('the ledger is unreachable')
        if ('short' in hold) {
          if (hold.short.lasting) return
          await sleep(1)
          continue
        }
        const held = performance.now() - begun
        if (drive.holdMs) await sleep(drive.holdMs)
        const again = performance.now()
        const completion = Math.floor(Math.random() * (hold.most + 1))
        await hold.settle({ prompt: PROMPT, completion, sure: true })
        drive.onPair?.(held + performance.now() - again)
        pairs += 1
        tokens += PROMPT + completion
      }
    }),
  )
  return { pairs, tokens }
}

/** How far windows are from the calls that are charged to them, in all; and what is held, used and allowed. */
export async function auditOf(db: Db, workspace: string) {
  const found = await db.query<{
    drift: number
    held: number
    used: number
    allowed: number
    open: number
    windows: number
  }>(
    `select coalesce(sum(abs(b.used - s.used) + abs(b.held - s.held)), 0)::int8 as drift,
            coalesce(max(b.held), 0)::int8 as held, coalesce(max(b.used), 0)::int8 as used,
            coalesce(max(b.allowed + b.raised), 0)::int8 as allowed, count(*) as windows,
            (select count(*) from spend where workspace = $1 and state = 'held') as open
     from budgets b cross join lateral (
       select coalesce(sum(s.tokens) filter (where s.state <> 'held'), 0) as used,
              coalesce(sum(s.tokens) filter (where s.state = 'held'), 0) as held
       from spend s where b.id = any(s.budgets)) s
     where b.workspace = $1`,
    [workspace],
  )
  const row = found.rows[0]
  if (!row) throw new Error('no answer')
  return row
}

/** Runs that wait for something that is not a person, and what wakes them. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Limit } from '../../src/core/budget.ts'
import type { Wait } from '../../src/core/wait.ts'
import { parkRun, takeLease } from '../../src/store/leases.ts'
import { openLedger } from '../../src/store/ledger.ts'
import type { Store } from '../../src/store/open.ts'
import { clearWakeup, takeStale, wakeDue, wakeWaiting } from '../../src/store/wakeups.ts'
import { ask } from '../support/asking.ts'
import { openTestStore } from '../support/store.ts'

let store: Store

beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

const limit: Limit = { scope: 'workspace', holder: '', unit: 'tokens', every: 'day', allowed: 200 }
const held: Pick<Wait, 'for' | 'key'> = { for: 'budget', key: 'workspace::tokens:day:held' }

const holdIn = (workspace: string) => ({
  about: { workspace, channel: 'C1', thread: '1', user: 'UANA', agent: 'q', lane: 'interactive' as const },
  attempt: { pool: 'p', model: 'm', tier: 'local' as const, prompt: 100, most: 100, least: 10 },
  limits: [limit],
  zone: 'UTC',
})

/** A run that waits; its wake-up is acted on but for the last word, `clearWakeup`. Answers that wake-up's id. */
async function park(run: string, waits: Pick<Wait, 'for' | 'key'>): Promise<string> {
  const { pool } = store
  const until = new Date(Date.now() + 3_600_000).toISOString()
  const handed = await pool.query('update wakeups set dispatched_at = now() where run = $1 returning id', [
    run,
  ])
  const taken = await takeLease(pool, run, randomUUID(), 60_000)
  if (typeof taken === 'string') throw new Error(taken)
  await parkRun(pool, taken.lease, 1, until, { ...waits, until, text: 'Waiting.' })
  return handed.rows[0]?.id
}

async function askAndPark(workspace: string, waits: Pick<Wait, 'for' | 'key'> = held): Promise<string> {
  const run = await ask(store.pool, 'UANA', { workspace })
  await clearWakeup(store.pool, workspace, await park(run, waits))
  return run
}

async function awakeIn(workspace: string): Promise<string[]> {
  const found = await store.pool.query(
    `select w.run from wakeups w join runs r on r.id = w.run
     where w.workspace = $1 and w.person = r.asker and w.asked_at = r.created_at and w.dispatched_at is null`,
    [workspace],
  )
  return found.rows.map((row) => row.run)
}

test('a call that gives back what it held wakes whoever waits for it', async () => {
  const workspace = randomUUID()
  await using ledger = openLedger(store.pool)
  const hold = await ledger.hold(holdIn(workspace))
  if (typeof hold === 'string' || 'short' in hold) throw new Error('not held')
  const waiting = await askAndPark(workspace)
  await askAndPark(workspace, { ...held, key: 'user:UBEN:tokens:day:held' })
  await hold.settle({ prompt: 100, completion: 5, sure: true })
  expect(await awakeIn(workspace)).toEqual([waiting])
})

test('what a dead process held is swept up, and wakes whoever waits for it', async () => {
  const workspace = randomUUID()
  await using alive = openLedger(store.pool)
  await using dead = openLedger(store.pool)
  await dead.hold(holdIn(workspace))
  const waiting = await askAndPark(workspace)
  await store.pool.query(`update ledgers set alive_until = now() - interval '1 second'`)
  expect(await alive.sweep()).toBe(1)
  expect(await awakeIn(workspace)).toEqual([waiting])
})

test('a run that was only just parked is woken, though its last wake-up is not cleared yet', async () => {
  const workspace = randomUUID()
  const run = await ask(store.pool, 'UANA', { workspace })
  const last = await park(run, held)
  expect(await wakeWaiting(store.pool, workspace, held)).toBe(1)
  await clearWakeup(store.pool, workspace, last)
  expect(await awakeIn(workspace)).toEqual([run])
  expect(await wakeWaiting(store.pool, workspace, held)).toBe(0)
})

test('of many who wait as many are woken as is asked for, those who asked first', async () => {
  const workspace = randomUUID()
  const runs: string[] = []
  for (let i = 0; i < 4; i++) runs.push(await askAndPark(workspace))
  expect(await wakeWaiting(store.pool, workspace, held, 2)).toBe(2)
  expect((await awakeIn(workspace)).toSorted()).toEqual(runs.slice(0, 2).toSorted())
  expect(await wakeWaiting(store.pool, workspace, held)).toBe(2)
})

test('what was handed over long ago is handed over again under the same id, unless somebody works on it', async () => {
  const { pool } = store
  const workspace = randomUUID()
  const run = await ask(pool, 'UANA', { workspace })
  const working = await ask(pool, 'UANA', { workspace })
  await ask(pool, 'UANA', { workspace: randomUUID() })
  const ids = await pool.query('select id from wakeups where run = $1', [run])
  await takeLease(pool, working, randomUUID(), 60_000)
  expect(await takeStale(pool, workspace, 15_000)).toEqual([])
  await pool.query(`update wakeups set dispatched_at = now() - interval '16 seconds'`)
  expect(await takeStale(pool, workspace, 15_000)).toEqual([{ id: ids.rows[0].id, run }])
  expect(await takeStale(pool, workspace, 15_000)).toEqual([])
  expect(await awakeIn(workspace)).toEqual([])
})

test('a run that is due without a wake-up gets one, in its own workspace', async () => {
  const { pool } = store
  const workspace = randomUUID()
  const run = await ask(pool, 'UANA', { workspace })
  await pool.query('delete from wakeups where workspace = $1', [workspace])
  expect(await wakeDue(pool, randomUUID())).toBe(0)
  expect(await wakeDue(pool, workspace)).toBe(1)
  expect(await awakeIn(workspace)).toEqual([run])
})

import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { chooseTurns } from '../../src/core/fair.ts'
import { claimPlaces, markDispatched, placesIn, readLine, readRoom } from '../../src/store/line.ts'
import { writeWakeup } from '../../src/store/runs.ts'
import { beat, clearWakeup } from '../../src/store/wakeups.ts'
import { ask } from '../support/asking.ts'
import { openTestStore } from '../support/store.ts'

const costOf = (job: { tokens: number }) => ({ tokens: job.tokens, weight: 1 })

/** What a relay does with `places` free; answers whose turn it was. */
async function relay(pool: pg.Pool, places: number, workspace = 'T1') {
  const chosen = chooseTurns(await readLine(pool, workspace, places + 1), places, costOf)
  await markDispatched(pool, workspace, chosen)
  return chosen.turns.map(({ job }) => job)
}

const people = async (pool: pg.Pool, places: number) =>
  (await relay(pool, places)).map(({ person }) => person)

test('turns go round, also over several windows and from process to process', async () => {
  await using store = await openTestStore()
  const { pool } = store
  for (let i = 0; i < 8; i++) await ask(pool, 'UBUSY')
  expect(await people(pool, 3)).toEqual(['UBUSY', 'UBUSY', 'UBUSY'])
  await ask(pool, 'UANA')
  await ask(pool, 'UANA')
  await ask(pool, 'UBEN')
  expect((await people(pool, 3)).toSorted()).toEqual(['UANA', 'UBEN', 'UBUSY'])
  await ask(pool, 'UANA')
  expect(await people(pool, 2)).toContain('UBUSY')
  expect(await people(pool, 100)).toHaveLength(4)
  // Nobody was left waiting, so nobody is behind.
  for (const person of ['UBUSY', 'UANA', 'UBUSY', 'UANA']) await ask(pool, person)
  expect((await people(pool, 2)).toSorted()).toEqual(['UANA', 'UBUSY'])
})

test('two processes that hand over the same are charged once, and nothing is lost', async () => {
  await using store = await openTestStore()
  const { pool } = store
  for (let i = 0; i < 6; i++) await ask(pool, i % 2 ? 'UANA' : 'UBEN')
  const chosen = chooseTurns(await readLine(pool, 'T1', 4), 3, costOf)
  await markDispatched(pool, 'T1', chosen)
  const shares = await pool.query('select lane, person, clock, finish from shares order by 1, 2')
  expect(shares.rows.find((row) => row.person === 'UBEN')).toMatchObject({ finish: 4000 })
  expect(shares.rows.find((row) => row.person === 'UANA')).toMatchObject({ finish: 2000 })
  await markDispatched(pool, 'T1', chosen)
  const after = await pool.query('select lane, person, clock, finish from shares order by 1, 2')
  expect(after.rows).toEqual(shares.rows)
  expect(await people(pool, 9)).toHaveLength(3)
  expect(await people(pool, 9)).toEqual([])
})

test('what goes on keeps the place in which it was asked', async () => {
  await using store = await openTestStore()
  const { pool } = store
  const first = await ask(pool, 'UANA')
  await relay(pool, 1)
  await pool.query('delete from wakeups')
  await ask(pool, 'UANA')
  await writeWakeup(pool, first)
  expect((await relay(pool, 1)).map(({ run }) => run)).toEqual([first])
})

test('every lane and every workspace has a line of its own', async () => {
  await using store = await openTestStore()
  const { pool } = store
  const late = await ask(pool, 'UANA', { lane: 'background' })
  const soon = await ask(pool, 'UBEN')
  const other = await ask(pool, 'UBEN', { workspace: 'T2' })
  expect((await relay(pool, 9)).map(({ run }) => run)).toEqual([soon, late])
  expect((await relay(pool, 9, 'T2')).map(({ run }) => run)).toEqual([other])
})

test('what a wake-up costs is learned from what the last ones of its person used', async () => {
  await using store = await openTestStore()
  const { pool } = store
  const run = await ask(pool, 'UANA')
  const [turn] = await relay(pool, 1)
  expect(turn?.tokens).toBe(2000)
  await pool.query(
    `insert into spend (id, workspace, state, ledger, run, agent, lane, pool, model, tier, budgets, tokens, cost,
       least_tokens, least_cost, prompt, begun_at)
     values ($1, 'T1', 'settled', $1, $2, 'quorum', 'interactive', 'main', 'm', 'local', '{}', 9000, 0, 0, 0, 8000,
       now() + interval '1 second')`,
    [randomUUID(), run],
  )
  await clearWakeup(pool, 'T1', turn?.id ?? '')
  await ask(pool, 'UANA')
  expect((await relay(pool, 1))[0]?.tokens).toBe(9000)
})

test('a turn that used nothing costs nothing; whether others wait is a matter of the workspace', async () => {
  await using store = await openTestStore()
  const { pool } = store
  const finishes = async () => {
    const found = await pool.query('select person, finish from shares order by person')
    return Object.fromEntries(found.rows.map((row) => [row.person, row.finish]))
  }
  for (let i = 0; i < 3; i++) await ask(pool, 'UANA')
  await ask(pool, 'UBEN')
  const [ana, ben] = await relay(pool, 2)
  expect(await finishes()).toEqual({ '': 250, UANA: 2000, UBEN: 2000 })
  expect(await clearWakeup(pool, 'T1', ana?.id ?? '')).toBe(true)
  expect(await finishes()).toEqual({ '': 125, UANA: 0, UBEN: 2000 })
  await pool.query(
    `insert into spend (id, workspace, state, ledger, run, agent, lane, pool, model, tier, budgets, tokens, cost,
       least_tokens, least_cost, prompt, begun_at)
     values ($1, 'T1', 'settled', $1, $2, 'quorum', 'interactive', 'main', 'm', 'local', '{}', 9000, 0, 0, 0, 8000,
       now() + interval '1 second')`,
    [randomUUID(), ben?.run],
  )
  await clearWakeup(pool, 'T1', ben?.id ?? '')
  expect(await finishes()).toEqual({ '': 125, UANA: 0, UBEN: 2000 })
  const other = await ask(pool, 'UBEN', { workspace: 'T2' })
  const [turn] = await relay(pool, 1, 'T2')
  expect(turn?.run).toBe(other)
  expect(await clearWakeup(pool, 'T2', turn?.id ?? '')).toBe(false)
})

test('the window is one and a half times the slots of the workers that live, less what is under way', async () => {
  await using store = await openTestStore()
  const { pool } = store
  const worker = { id: randomUUID(), workspace: 'T1', slots: 4, host: 'h', pid: 1 }
  expect(await readRoom(pool, 'T1')).toEqual({ slots: 0, underWay: 0, ms: undefined })
  await beat(pool, worker)
  expect((await readRoom(pool, 'T1')).ms).toBeUndefined()
  await beat(pool, { ...worker, ms: 100 })
  await beat(pool, { ...worker, id: randomUUID(), slots: 12, ms: 500 })
  await ask(pool, 'UANA')
  await relay(pool, 1)
  const room = await readRoom(pool, 'T1')
  expect(room).toEqual({ slots: 16, underWay: 1, ms: 400 })
  expect(placesIn(room)).toBe(23)
})

test('a place is told once it is waited for, by one process, and again only when it is much better', async () => {
  await using store = await openTestStore()
  const { pool } = store
  const run = await ask(pool, 'UANA')
  const claim = (place: number) => claimPlaces(pool, 'T1', [{ run, place }], 5)
  expect(await claim(10)).toEqual([])
  await pool.query(`update wakeups set asked_at = now() - interval '6 seconds'`)
  expect((await Promise.all([claim(10), claim(10)])).flat()).toEqual([{ run, place: 10 }])
  expect(await claim(2)).toEqual([])
  await pool.query(`update wakeups set placed_at = now() - interval '20 seconds'`)
  expect(await claim(9)).toEqual([])
  expect(await claim(2)).toEqual([{ run, place: 2 }])
  await pool.query(`update wakeups set placed_at = null`)
  await pool.query('update runs set lease_epoch = 1')
  expect(await claim(1)).toEqual([])
})

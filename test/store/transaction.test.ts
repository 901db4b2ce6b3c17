import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Store } from '../../src/store/open.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { openTestStore } from '../support/store.ts'

let store: Store

beforeAll(async () => {
  store = await openTestStore({ empty: true })
  await store.pool.query('create table words (word text primary key)')
})
afterAll(() => store.close())
beforeEach(() => store.pool.query('truncate words'))

const words = async () =>
  (await store.pool.query('select word from words order by word')).rows.map((r) => r.word)

/** An error as PostgreSQL raises it. */
const raise = (code: string) => `do $$ begin raise exception 'no' using errcode = '${code}'; end $$`

test('commits when the work returns, and passes its result on', async () => {
  const result = await inTransaction(store.pool, async (tx) => {
    await tx.query('insert into words values ($1)', ['one'])
    return 1
  })
  expect(result).toBe(1)
  expect(await words()).toEqual(['one'])
})

test('rolls back when the work throws, and passes the error on', async () => {
  const mine = new Error('mine')
  const work = inTransaction(store.pool, async (tx) => {
    await tx.query("insert into words values ('one')")
    throw mine
  })
  await expect(work).rejects.toBe(mine)
  expect(await words()).toEqual([])
})

test.each(['40001', '40P01'])('tries again after %s, from a clean state', async (code) => {
  let attempt = 0
  await inTransaction(store.pool, async (tx) => {
    attempt++
    await tx.query('insert into words values ($1)', [`attempt ${attempt}`])
    if (attempt < 4) await tx.query(raise(code))
  })
  expect(await words()).toEqual(['attempt 4'])
})

test('gives up after four tries', async () => {
  let attempts = 0
  const work = inTransaction(store.pool, async (tx) => {
    attempts++
    await tx.query(raise('40001'))
  })
  await expect(work).rejects.toMatchObject({ code: '40001' })
  expect(attempts).toBe(4)
})

test('other errors are not tried again', async () => {
  let attempts = 0
  const work = inTransaction(store.pool, async (tx) => {
    attempts++
    await tx.query(raise('23505'))
  })
  await expect(work).rejects.toMatchObject({ code: '23505' })
  expect(attempts).toBe(1)
})

test('work that swallows the failure of a statement does not pass for committed', async () => {
  const work = inTransaction(store.pool, async (tx) => {
    await tx.query("insert into words values ('one')")
    await tx.query('select nonsense').catch(() => {})
  })
  await expect(work).rejects.toThrow(/failed/)
  expect(await words()).toEqual([])
})

test('connections come back, whatever happens', async () => {
  for (let at = 0; at < 30; at++) {
    await inTransaction(store.pool, async (tx) => {
      await tx.query('select 1')
      if (at % 2) throw new Error('no')
    }).catch(() => {})
  }
  expect(store.pool.waitingCount).toBe(0)
  expect(store.pool.idleCount).toBe(store.pool.totalCount)
})

test('a connection that breaks under the work is thrown away, and the next one works', async () => {
  const work = inTransaction(store.pool, async (tx) => {
    await tx.query("insert into words values ('one')")
    const client = tx as unknown as { connection: { stream: { destroy(): void } } }
    client.connection.stream.destroy()
    await tx.query("insert into words values ('two')")
  })
  await expect(work).rejects.toThrow()
  expect(await words()).toEqual([])
})

/** A worker and what goes on of a run when its slot is free again. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWorker } from '../../src/agent/work.ts'
import { openQueue, type Queue } from '../../src/queue/open.ts'
import type { Store } from '../../src/store/open.ts'
import { ask } from '../support/asking.ts'
import { until } from '../support/stage.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
let queue: Queue
beforeAll(async () => {
  store = await openTestStore()
  queue = await openQueue({})
})
afterAll(async () => {
  await queue[Symbol.asyncDispose]()
  await store.close()
})

const wakeups = async (run: string) =>
  (await store.pool.query('select id from wakeups where run = $1', [run])).rowCount ?? 0

test('what goes on after a run takes no slot, and keeps its wake-up until it has ended', async () => {
  const shown = Promise.withResolvers<void>()
  const advanced: string[] = []
  const worker = await openWorker({
    ...{ pool: store.pool, workspace: 'T1', queue, slots: 1 },
    advance: async (run, _, __, linger) => {
      if (!advanced.includes(run)) linger(advanced.length === 0 ? shown.promise : Promise.resolve())
      advanced.push(run)
      return 'finished'
    },
    log: () => {},
  })
  const first = await ask(store.pool, 'UANA')
  worker.poke()
  await until(async () => advanced.length === 1)
  const second = await ask(store.pool, 'UBEN')
  worker.poke()
  await until(async () => advanced.includes(second) && (await wakeups(second)) === 0)
  expect(await wakeups(first)).toBe(1)
  shown.resolve()
  await until(async () => (await wakeups(first)) === 0)
  await worker.close(4_000)
})

test('where a worker ends before, the wake-up is left for another', async () => {
  const worker = await openWorker({
    ...{ pool: store.pool, workspace: 'T1', queue, slots: 1 },
    advance: async (_, __, ___, linger) => {
      linger(new Promise(() => {}))
      return 'finished'
    },
    log: () => {},
  })
  const run = await ask(store.pool, 'UCARA')
  worker.poke()
  await until(async () => {
    const found = await store.pool.query('select dispatched_at from wakeups where run = $1', [run])
    return found.rows[0]?.dispatched_at !== null
  })
  await worker.close(4_000)
  expect(await wakeups(run)).toBe(1)
})

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { keepLease } from '../../src/agent/lease.ts'
import { takeLease } from '../../src/store/leases.ts'
import { appendFromOutside, createRun } from '../../src/store/runs.ts'
import { openTestStore } from '../support/store.ts'

test('a stopped run stays with its worker until it has said so', async () => {
  await using store = await openTestStore()
  const at = new Date().toISOString()
  const run = await createRun(
    store.pool,
    {
      workspace: 'T1',
      channel: 'C1',
      thread: '1.0',
      message: '1.0',
      asker: 'U1',
      agent: 'quorum',
      dm: false,
    },
    { kind: 'asked', at, user: 'U1', text: 'A question', ts: '1.0' },
  )
  if (!run) throw new Error('no run was created')
  const taken = await takeLease(store.pool, run.id, randomUUID(), 60_000)
  if (typeof taken === 'string') throw new Error(taken)
  const times = { leaseMs: 60_000, everyMs: 20 }
  using watch = keepLease(store.pool, taken.lease, times, new AbortController().signal)
  await appendFromOutside(store.pool, run, { kind: 'stopped', at, by: 'U1', why: 'asked in the thread' })
  while (!watch.signal.aborted) await sleep(5)
  expect(watch.signal.reason).toBe('stop')
  const until = async () =>
    (await store.pool.query('select lease_until::text as until from runs')).rows[0]?.until as string
  const before = await until()
  while ((await until()) === before) await sleep(20)
})

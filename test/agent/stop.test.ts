import { afterAll, beforeAll, expect, test } from 'vitest'
import { takeUpMessage } from '../../src/agent/mention.ts'
import { stopMine, stopThread } from '../../src/agent/stop.ts'
import type { HeardOf } from '../../src/core/heard.ts'
import { forgetPerson } from '../../src/store/erase.ts'
import { writeInbox } from '../../src/store/inbox.ts'
import type { Store } from '../../src/store/open.ts'
import { readRun, readSteps } from '../../src/store/runs.ts'
import { pruneStops } from '../../src/store/stops.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

const message = (channel: string, ts: string, thread?: string): HeardOf<'message'> => ({
  kind: 'message',
  workspace: 'T1',
  channel,
  user: 'UANA',
  ts,
  ...(thread ? { thread } : {}),
  text: `text of ${ts}`,
  mention: true,
  forOther: false,
  dm: false,
})
const threadOf = (channel: string) => ({ workspace: 'T1', channel, ts: '1.0' })
const take = (heard: HeardOf<'message'>) =>
  inTransaction(store.pool, (tx) => takeUpMessage(tx, heard, 'quorum'))
const stop = (channel: string, until: string, by = 'UBEN') =>
  inTransaction(store.pool, (tx) => stopThread(tx, threadOf(channel), { until, by, why: 'asked' }))
const begin = async (heard: HeardOf<'message'>) => {
  const taken = await take(heard)
  if (taken.outcome !== 'created') throw new Error(taken.outcome)
  return taken.run
}
const kinds = async (run: string) => (await readSteps(store.pool, run)).map((step) => step.kind)

test('a stop that is heard before its question stops the run as it begins, and only that one', async () => {
  expect(await stop('C1', '2.0')).toBeUndefined()
  const run = await begin(message('C1', '1.0'))
  expect(await readSteps(store.pool, run.id)).toMatchObject([
    { kind: 'asked' },
    { kind: 'stopped', by: 'UBEN', why: 'asked' },
  ])
  expect(await readRun(store.pool, run.id)).toMatchObject({ n: 2, active: true })
  await store.pool.query('update runs set active = false where id = $1', [run.id])
  // Written before the stop, heard after it: it was meant by it too, and the thread was told already.
  expect(await take(message('C1', '1.5', '1.0'))).toEqual({ outcome: 'known' })
  const later = await begin(message('C1', '3.0', '1.0'))
  expect(await kinds(later.id)).toEqual(['asked'])
})

test('a stop that comes late does not stop what was asked after it', async () => {
  const run = await begin(message('C2', '5.0', '1.0'))
  expect(await stop('C2', '4.0')).toBeUndefined()
  expect(await kinds(run.id)).toEqual(['asked'])
  expect((await stop('C2', '6.0'))?.id).toBe(run.id)
  expect(await stop('C2', '3.0')).toBeUndefined()
  expect(await kinds(run.id)).toEqual(['asked', 'stopped'])
})

test('a question and its stop at the same moment: it is stopped, whoever is first', async () => {
  for (let i = 0; i < 8; i++) {
    const channel = `C3-${i}`
    const [run] = await Promise.all([begin(message(channel, '1.0')), stop(channel, '2.0')])
    expect(await kinds(run.id)).toEqual(['asked', 'stopped'])
  }
})

test('a stop of everything of one person covers what they have asked and nobody has taken up', async () => {
  await writeInbox(store.pool, message('C4', '1.0'))
  await writeInbox(store.pool, { ...message('C4', '7.0'), user: 'UBEN' })
  const of = { workspace: 'T1', channel: 'C4', user: 'UANA' }
  expect(await inTransaction(store.pool, (tx) => stopMine(tx, of))).toBe(1)
  expect(await kinds((await begin(message('C4', '1.0'))).id)).toEqual(['asked', 'stopped'])
  expect(await kinds((await begin({ ...message('C4', '7.0'), user: 'UBEN' })).id)).toEqual(['asked'])
})

test('who stopped is forgotten with them, and old stops are swept', async () => {
  await stop('C5', '2.0', 'UCHLOE')
  await forgetPerson(store.pool, 'T1', 'UCHLOE')
  const kept = await store.pool.query(`select by from stops where channel = 'C5'`)
  expect(kept.rows).toEqual([{ by: 'forgotten' }])
  await store.pool.query(`update stops set at = now() - interval '2 days'`)
  await pruneStops(store.pool, 'T1')
  expect((await store.pool.query('select 1 from stops')).rowCount).toBe(0)
})

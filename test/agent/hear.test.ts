import { afterAll, beforeAll, expect, test } from 'vitest'
import { takeIn } from '../../src/agent/hear.ts'
import { takeUpEdit, takeUpMessage } from '../../src/agent/mention.ts'
import type { HeardOf } from '../../src/core/heard.ts'
import { markHandled } from '../../src/store/inbox.ts'
import type { Store } from '../../src/store/open.ts'
import { readSteps } from '../../src/store/runs.ts'
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
  mention: thread === undefined,
  forOther: false,
  dm: false,
})

const edit = (channel: string, ts: string, text: string, editedTs: string): HeardOf<'edited'> => ({
  kind: 'edited',
  workspace: 'T1',
  channel,
  user: 'UANA',
  ts,
  text,
  editedTs,
  mention: true,
  dm: false,
})

test('a follow-up that comes before its mention was handled is kept; one to a handled help is not', async () => {
  const begin = message('C1', '1.0')
  expect(await takeIn(store.pool, begin)).toBe('stored')
  expect(await takeIn(store.pool, message('C1', '1.1', '1.0'))).toBe('stored')
  await markHandled(store.pool, 'message:T1:C1:1.0')
  expect(await takeIn(store.pool, message('C1', '1.2', '1.0'))).toBe('not-for-us')
})

test('what was said in a thread before we were asked there is not for us, however late it comes', async () => {
  const asked = { ...message('C7', '1.5', '1.0'), mention: true }
  const taken = await inTransaction(store.pool, (tx) => takeUpMessage(tx, asked, 'quorum'))
  if (taken.outcome !== 'created') throw new Error(taken.outcome)
  expect(taken.asked.before).toBe(true)
  expect(await takeIn(store.pool, message('C7', '1.4', '1.0'))).toBe('not-for-us')
  expect(await takeIn(store.pool, message('C7', '1.6', '1.0'))).toBe('stored')
})

test('of two wordings the newer one holds, whichever comes first', async () => {
  const { run } = await inTransaction(store.pool, async (tx) => {
    const taken = await takeUpMessage(tx, message('C2', '1.0'), 'quorum')
    if (taken.outcome !== 'created') throw new Error(taken.outcome)
    return taken
  })
  const edited = (text: string, editedTs: string) =>
    inTransaction(store.pool, (tx) => takeUpEdit(tx, edit('C2', '1.0', text, editedTs), 'quorum'))
  await edited('second', '3.0')
  await edited('first', '2.0')
  await edited('third', '4.0')
  const words = (await readSteps(store.pool, run.id)).flatMap((s) => (s.kind === 'steered' ? [s.text] : []))
  expect(words).toEqual(['second', 'third'])
})

test('an edit that comes before its message, or mentions us only now, is the question', async () => {
  const heard = edit('C3', '1.0', 'new words', '2.0')
  expect(await takeIn(store.pool, heard)).toBe('stored')
  const first = await inTransaction(store.pool, (tx) => takeUpEdit(tx, heard, 'quorum'))
  if (first.outcome !== 'created') throw new Error(first.outcome)
  expect(first.asked.text).toBe('new words')
  const then = await inTransaction(store.pool, (tx) => takeUpMessage(tx, message('C3', '1.0'), 'quorum'))
  expect(then.outcome).toBe('known')
})

test('a message deleted before it was heard is not answered', async () => {
  const gone: HeardOf<'deleted'> = {
    ...{ kind: 'deleted', workspace: 'T1', channel: 'C4', user: 'UANA', ts: '1.0' },
    ...{ mention: true, dm: false },
  }
  expect(await takeIn(store.pool, gone)).toBe('stored')
  const taken = await inTransaction(store.pool, (tx) => takeUpMessage(tx, message('C4', '1.0'), 'quorum'))
  expect(taken.outcome).toBe('known')
  const runs = await store.pool.query(`select 1 from runs where channel = 'C4'`)
  expect(runs.rowCount).toBe(0)
})

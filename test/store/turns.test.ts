import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Turn } from '../../src/core/overheard.ts'
import { followChannel } from '../../src/store/followed.ts'
import type { Store } from '../../src/store/open.ts'
import { inTransaction, type Tx } from '../../src/store/transaction.ts'
import {
  dropTurn,
  dropUnseen,
  keepTurn,
  lockChannel,
  noteThreads,
  pruneTurns,
  readTurns,
  storeTime,
} from '../../src/store/turns.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
const place = { workspace: 'T1', channel: 'C1' }

beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())
beforeEach(async () => {
  await store.pool.query('delete from followed')
  await store.pool.query('delete from rewrites')
  const row = {
    ...place,
    source: 'chat',
    name: 'ops',
    private: false,
    archived: false,
    floor: '1600000000.000000',
  }
  await inTransaction(store.pool, (tx) => followChannel(tx, row))
})

const say = (ts: string, text: string, more: Partial<Turn> = {}): Turn => ({
  ts,
  author: 'U1',
  app: false,
  text,
  ...more,
})
const locked = (work: (tx: Tx) => Promise<void>) =>
  inTransaction(store.pool, async (tx) => {
    await lockChannel(tx, place)
    await work(tx)
  })
const keep = (turn: Turn) => locked((tx) => keepTurn(tx, place, turn))
const drop = (ts: string, edited?: string) => locked((tx) => dropTurn(tx, place, ts, edited))

/** Every document that holds words, each as its words in order. */
async function documents(): Promise<string[]> {
  const { rows } = await store.pool.query<{ path: string }>(
    'select distinct path from turns where path is not null and gone_at is null',
  )
  const read = await readTurns(
    store.pool,
    'T1',
    rows.map((row) => row.path),
  )
  return [...read.values()].map((turns) => turns.map((turn) => turn.text).join(' ')).sort()
}

test('messages near each other are one talk; a pause begins another', async () => {
  await keep(say('1700001000.000100', 'a'))
  await keep(say('1700001060.000100', 'b'))
  await keep(say('1700005000.000100', 'd'))
  await keep(say('1700001120.000100', 'c'))
  expect(await documents()).toEqual(['a b c', 'd'])
})

test('a long talk is cut', async () => {
  for (let n = 0; n < 45; n++) await keep(say(`${1_700_001_000 + n}.000100`, 'x'))
  expect((await documents()).map((one) => one.split(' ').length).sort()).toEqual([40, 5])
})

test('of an edit and the message before it the later one counts, whichever comes first', async () => {
  await keep(say('1700001000.000100', 'new', { edited: '1700001001.000000' }))
  await keep(say('1700001000.000100', 'old'))
  expect(await documents()).toEqual(['new'])
  await keep(say('1700001000.000100', 'newer', { edited: '1700001002.000000' }))
  expect(await documents()).toEqual(['newer'])
})

test('what was deleted does not come back; what was left out may', async () => {
  await drop('1700001000.000100')
  await keep(say('1700001000.000100', 'late', { edited: '1700001001.000000' }))
  expect(await documents()).toEqual([])
  await keep(say('1700002000.000100', 'for all'))
  await drop('1700002000.000100', '1700002001.000000')
  await keep(say('1700002000.000100', 'for all'))
  expect(await documents()).toEqual([])
  await keep(say('1700002000.000100', 'for all again', { edited: '1700002002.000000' }))
  expect(await documents()).toEqual(['for all again'])
})

test('what was not seen is dropped, but what was heard since it was looked is not', async () => {
  await keep(say('1700001000.000100', 'seen'))
  await keep(say('1700001001.000100', 'deleted meanwhile'))
  const began = await storeTime(store.pool)
  await keep(say('1700001002.000100', 'said just now'))
  await locked((tx) =>
    dropUnseen(tx, place, { after: '1700000999.000000', until: undefined }, ['1700001000.000100'], began),
  )
  expect(await documents()).toEqual(['seen said just now'])
})

test('in whatever order things arrive, the same is kept', { timeout: 120_000 }, async () => {
  type Event = { turn: Turn } | { gone: string }
  const events: Event[] = [
    { turn: say('1700001000.000100', 'root') },
    { turn: say('1700001000.000100', 'root!', { edited: '1700001500.000000' }) },
    { turn: say('1700001001.000100', 'reply', { thread: '1700001000.000100' }) },
    { turn: say('1700001002.000100', 'alone') },
    { turn: say('1700001003.000100', 'regretted') },
    { gone: '1700001003.000100' },
    { turn: say('1700001004.000100', 'alarm', { app: true, author: 'alarms' }) },
    { turn: say('1700001005.000100', 'on it', { thread: '1700001004.000100' }) },
    { gone: '1700001002.500000' },
  ]
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([...events, ...events.slice(0, 4)], { minLength: 13 }),
      async (order) => {
        await store.pool.query('delete from turns')
        for (const event of order) await ('turn' in event ? keep(event.turn) : drop(event.gone))
        expect(await documents()).toEqual(['alarm on it', 'alone', 'root! reply'])
      },
    ),
    { numRuns: 25 },
  )
})

test('threads are remembered as long as something may still be said of them', async () => {
  const thread = (ts: string, latest: string) => ({ ts, count: 1, latest, again: false })
  await locked((tx) =>
    noteThreads(tx, place, [
      thread('1700001000.000100', '1700001060.000100'),
      thread('1700001001.000100', '1700009000.000100'),
      thread('1700009001.000100', ''),
    ]),
  )
  const left = async () => {
    await locked(async (tx) => void (await pruneTurns(tx, place, '1700005000.000000')))
    return (await store.pool.query('select thread from threads order by 1')).rows.map((row) => row.thread)
  }
  expect(await left()).toHaveLength(3)
  await store.pool.query('update threads set due_at = null')
  expect(await left()).toEqual(['1700001001.000100', '1700009001.000100'])
})

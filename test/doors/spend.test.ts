import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { spendDoor } from '../../src/doors/spend.ts'
import { openLedger } from '../../src/store/ledger.ts'
import type { Store } from '../../src/store/open.ts'
import { createRun, type Run } from '../../src/store/runs.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
const workspace = `T${randomUUID()}`
const at = new Date().toISOString()

beforeAll(async () => {
  store = await openTestStore()
  const ana = await runOf('UANA', 'C1', '1')
  await spend(ana, 100, 10) // An attempt that failed.
  await spend(ana, 100, 20)
  await answer(ana, 2, ['desk__look', 'desk__look', 'desk__book', 'web__get'])
  await spend(ana, 300, 30)
  await answer(ana, 3, [])
  await spend(await runOf('UBEN', 'C2', '2'), 1_000, 0)
})
afterAll(() => store.close())

async function runOf(asker: string, channel: string, message: string): Promise<Run> {
  const place = { workspace, channel, thread: message, message, asker, agent: 'quorum', dm: false }
  const run = await createRun(store.pool, place, { kind: 'asked', at, user: asker, text: 'go', ts: message })
  if (!run) throw new Error('no run')
  return run
}

async function spend(run: Run, prompt: number, completion: number): Promise<void> {
  await using ledger = openLedger(store.pool)
  const { channel, thread, asker: user, agent, id, lane } = run
  const hold = await ledger.hold({
    about: { workspace, channel, thread, user, agent, run: id, lane },
    attempt: {
      ...{ pool: 'p', model: 'm', tier: 'cloud', prompt, most: 50, least: 1 },
      price: { prompt: 1_000_000, completion: 10_000_000 },
    },
    limits: [],
    zone: 'UTC',
  })
  if (typeof hold === 'string' || 'short' in hold) throw new Error('not held')
  await hold.settle({ prompt, completion, sure: true })
}

/** The answer of a run, which then has `n` steps. */
async function answer(run: Run, n: number, tools: string[]): Promise<void> {
  const calls = tools.map((tool, i) => ({ id: `${i}`, tool, args: {} }))
  const body = JSON.stringify({ kind: 'answered', calls })
  await store.pool.query('insert into steps values ($1, $2, $3, $4)', [run.id, n, 'answered', body])
  await store.pool.query('update runs set n = $2 where id = $1', [run.id, n])
}

async function print(...args: string[]) {
  const printed: string[] = []
  const context = { pool: store.pool, zone: 'UTC', print: (line: string) => printed.push(line) }
  const code = await spendDoor([...args, '--workspace', workspace], context)
  return { code, printed }
}

async function rowsBy(by: string) {
  const { printed } = await print('--by', by, '--json')
  const { rows } = JSON.parse(printed[0] ?? '')
  return rows.map((row: { what: string; prompt: number; completion: number; cost: number }) => [
    row.what,
    row.prompt,
    row.completion,
    row.cost,
  ])
}

test('what was spent is told by person, channel, agent, model and day, and adds up', async () => {
  const [one, two] = [
    [500, 60, 1_100],
    [1_000, 0, 1_000],
  ] as const
  expect(await rowsBy('user')).toEqual([
    ['UANA', ...one],
    ['UBEN', ...two],
  ])
  expect(await rowsBy('channel')).toEqual([
    ['C1', ...one],
    ['C2', ...two],
  ])
  const all = [1_500, 60, 2_100]
  expect(await rowsBy('agent')).toEqual([['quorum', ...all]])
  expect(await rowsBy('model')).toEqual([['m', ...all]])
  expect(await rowsBy('day')).toEqual([[at.slice(0, 10), ...all]])
  expect((await rowsBy('run')).map((row: unknown[]) => row.slice(1))).toEqual([one, two])
})

test('an answer is charged in equal parts to the tools it called, failed attempts included', async () => {
  expect(await rowsBy('tool')).toEqual([
    ['', 1_300, 30, 1_600],
    ['desk__look', 100, 15, 250],
    ['desk__book', 50, 8, 125],
    ['web__get', 50, 8, 125],
  ])
  const steps = await rowsBy('step')
  expect(steps.map(([what, ...sums]: [string]) => [what.split(' ')[1], ...sums])).toEqual([
    [undefined, 1_000, 0, 1_000],
    ['3', 300, 30, 600],
    ['2', 200, 30, 500],
  ])
})

test('a table for people, with a total', async () => {
  const { code, printed } = await print('--by', 'tool', '--since', '2w')
  expect(code).toBe(0)
  expect(printed[0]).toMatch(/^tool +calls +read +of it cached +written +cost$/)
  expect(printed[1]).toMatch(/^\(answers without a tool\) +2 +1,300 +0 +30 +\$0\.0016$/)
  expect(printed.at(-1)).toMatch(/^total +1,500 +0 +61 +\$0\.0021$/)
})

test('a deleted run leaves its sum, and nobody to find it by', async () => {
  await store.pool.query('delete from runs where asker = $1 and workspace = $2', ['UBEN', workspace])
  expect(await rowsBy('user')).toEqual([
    ['UANA', 500, 60, 1_100],
    ['', 1_000, 0, 1_000],
  ])
})

test('nothing, another workspace, a wrong word: each is said', async () => {
  expect((await print('--since', '2020-01-01', '--by', 'model')).printed).toHaveLength(3)
  const context = { pool: store.pool, zone: 'UTC', print: () => {} }
  expect(await spendDoor(['--by', 'colour'], context)).toBe(2)
  expect(await spendDoor(['--since', 'yesterday'], context)).toBe(2)
  const other: string[] = []
  await spendDoor(['--workspace', 'T0'], { ...context, print: (line) => other.push(line) })
  expect(other).toEqual(['Nothing was spent.'])
})

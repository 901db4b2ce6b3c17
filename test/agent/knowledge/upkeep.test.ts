/** Sources are read again and again, by one process at a time, and how it went can be looked up. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  groupSkipped,
  type Outcome,
  openUpkeep,
  readAll,
  readSource,
} from '../../../src/agent/knowledge/upkeep.ts'
import { Source } from '../../../src/core/home.ts'
import { sourcesDoor } from '../../../src/doors/sources.ts'
import type { Store } from '../../../src/store/open.ts'
import { leaveSource, listSources, takeSource } from '../../../src/store/sources.ts'
import { openFiles } from '../../support/knowledge.ts'
import { makePdf } from '../../support/office.ts'
import { until } from '../../support/stage.ts'
import { openTestStore } from '../../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())
beforeEach(async () => {
  await store.pool.query('delete from documents')
  await store.pool.query('delete from sources')
})

const context = () => ({ pool: store.pool, home: '/' })
const source = (directory: string, more: object = {}) => Source.parse({ directory, ...more })
const state = async (name = 'handbook') =>
  (await listSources(store.pool, 'T1')).find((one) => one.name === name)
const read = (dir: string) => readSource(context(), 'T1', 'handbook', source(dir))

test('how a reading went is kept: what is there, what was skipped and why, and what failed since', async () => {
  await using files = await openFiles({
    'a.md': '# A\n\nfruit',
    'b.md': 'token: x9Kd82mPq0Lz71Wv',
    'c.png': 'x',
    'd.png': 'x',
    'e.pdf': makePdf([[]]),
  })
  await read(files.dir)
  const first = await state()
  expect(first).toMatchObject({
    documents: 2,
    passages: 2,
    reading: false,
    last: { added: 2, changed: 0, removed: 0, secrets: 1 },
    skipped: [
      { why: '.png is not a format that is read', count: 2, examples: ['c.png', 'd.png'] },
      { why: 'it holds no text; it may be a scan', count: 1, examples: ['e.pdf'] },
    ],
  })
  expect(first).not.toHaveProperty('error')
  expect(Date.parse(first?.readAt ?? '')).toBeGreaterThan(Date.now() - 60_000)

  await rm(files.dir, { recursive: true })
  await read(files.dir)
  expect(await state()).toMatchObject({
    documents: 2,
    readAt: first?.readAt,
    error: expect.stringContaining('cannot be read: it is not there'),
  })
})

test('a file that could not be taken apart is not tried again until it is another', async () => {
  await using files = await openFiles({ 'a.md': 'a', 'scan.pdf': makePdf([[]]) })
  await read(files.dir)
  await store.pool.query(
    `update sources set refused = jsonb_set(refused, '{scan.pdf,why}', '"it is remembered"')`,
  )
  expect(await read(files.dir)).toMatchObject({ skipped: [{ path: 'scan.pdf', why: 'it is remembered' }] })
  await files.write('scan.pdf', makePdf([['now it has text']]))
  expect(await read(files.dir)).toMatchObject({ added: 1, skipped: [] })
})

test('one reads at a time; who dies holds a source no longer than its lease, and who lost it stops', async () => {
  await using files = await openFiles({ 'a.md': 'a' })
  const shelf = { workspace: 'T1', source: 'handbook' }
  expect(await takeSource(store.pool, shelf, 'other', 60_000)).toBe(true)
  expect(await read(files.dir)).toBe('busy')
  expect(await state()).toMatchObject({ reading: true, documents: 0 })
  expect(await takeSource(store.pool, shelf, 'other', 60_000)).toBe(false)
  await store.pool.query(`update sources set held_until = now() - interval '1 second'`)
  expect(await read(files.dir)).toMatchObject({ added: 1 })
  // What the dead one leaves behind when it comes back to life counts for nothing.
  await leaveSource(store.pool, shelf, 'other', { error: 'from the grave' })
  expect(await state()).not.toHaveProperty('error')
})

test('several processes at once read a source once', async () => {
  await using files = await openFiles({ 'a.md': 'a', 'b.md': 'b' })
  const outcomes = await Promise.all([read(files.dir), read(files.dir), read(files.dir)])
  expect(outcomes.filter((one) => one === 'busy').length).toBeGreaterThan(0)
  expect(outcomes.filter((one) => typeof one === 'object')[0]).toMatchObject({ added: 2 })
})

test('upkeep reads everything when it begins, again when it is due or poked, and forgets what is not named', {
  timeout: 180_000,
}, async () => {
  await using one = await openFiles({ 'a.md': 'a' })
  await using two = await openFiles({ 'b.md': 'b' })
  let sources: Record<string, Source> = { one: source(one.dir, { every: '1d' }), two: source(two.dir) }
  const told: [string, Outcome][] = []
  const upkeep = openUpkeep({
    ...context(),
    workspace: 'T1',
    sources: () => sources,
    onRead: (name, outcome) => told.push([name, outcome]),
    log: (_, message) => {
      throw new Error(message)
    },
  })
  await upkeep.first
  expect(told.map(([name]) => name)).toEqual(['one', 'two'])

  await one.write('new.md', 'new')
  upkeep.poke('one')
  await until(async () => told.length === 3, 60_000)
  expect(told[2]).toMatchObject(['one', { added: 1 }])

  sources = { one: source(one.dir, { every: '1s' }) }
  await one.write('newer.md', 'newer')
  await until(async () => (await state('one'))?.documents === 3, 60_000)
  await until(async () => (await state('two')) === undefined, 60_000)
  await upkeep.close()
  const before = told.length
  upkeep.poke()
  expect(told).toHaveLength(before)
})

test('quorum sources tells a person in lines, and a program in JSON', async () => {
  await using files = await openFiles({ 'a.md': '# A\n\nfruit', 'b.png': '' })
  const sources = { handbook: source(files.dir), wiki: source('/nowhere/at/all'), later: source('/later') }
  await readAll(context(), 'T1', { handbook: sources.handbook, wiki: sources.wiki })
  const say = async (...args: string[]) => {
    const lines: string[] = []
    const code = await sourcesDoor(args, {
      pool: store.pool,
      workspace: 'T1',
      sources,
      print: (line) => lines.push(line),
    })
    return { code, lines: lines.map((line) => line.replace(/\d+(\.\d+)? s\b/g, '? s')) }
  }
  expect(await say()).toEqual({
    code: 1,
    lines: [
      'handbook: 1 document, 1 passage; read ? s ago; 1 skipped',
      'wiki: 0 documents, 0 passages; not read yet',
      '  failed ? s ago: /nowhere/at/all cannot be read: it is not there.',
      'later: 0 documents, 0 passages; not read yet',
    ],
  })
  expect(await say('handbook')).toEqual({
    code: 0,
    lines: [
      'handbook: 1 document, 1 passage; read ? s ago; 1 skipped',
      '  the last reading took ? s: 1 added, 0 changed, 0 removed',
      '  skipped 1: .png is not a format that is read ("b.png")',
    ],
  })
  expect(await say('nothing')).toEqual({
    code: 1,
    lines: ['There is no source "nothing"; there are: handbook, wiki, later'],
  })
  const { lines } = await say('handbook', '--json')
  expect(JSON.parse(lines[0] ?? '')).toMatchObject([{ name: 'handbook', documents: 1, named: true }])
})

test('of many reasons the most frequent come first, with a few examples each', () => {
  const files = Array.from({ length: 12 }, (_, n) => ({
    path: path.join('x', `${n}`),
    why: n % 3 ? 'large' : 'small',
  }))
  expect(groupSkipped(files, 2)).toEqual([
    { why: 'large', count: 8, examples: ['x/1', 'x/2'] },
    { why: 'small', count: 4, examples: ['x/0', 'x/3'] },
  ])
})

test('the end of upkeep waits for no tool server, and its source is not said to have failed', async () => {
  const asked = Promise.withResolvers<void>()
  const silent = {
    list: () => {
      asked.resolve()
      return new Promise<never>(() => {})
    },
    read: async () => undefined,
  }
  const told: string[] = []
  const upkeep = openUpkeep({
    ...context(),
    resources: () => silent,
    workspace: 'T1',
    sources: () => ({ notes: Source.parse({ tool_server: 'notes' }) }),
    onRead: (name) => void told.push(name),
    log: (_, message) => void told.push(message),
  })
  await asked.promise
  await upkeep.close()
  expect(told).toEqual([])
  expect(await state('notes')).not.toHaveProperty('error')
})

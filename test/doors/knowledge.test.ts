import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRights } from '../../src/agent/knowledge/rights.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import { formatProgress, ingestDoor } from '../../src/doors/ingest.ts'
import { formatHits, searchDoor } from '../../src/doors/search.ts'
import type { Store } from '../../src/store/open.ts'
import { prepareSearch } from '../../src/store/words.ts'
import { openFiles, testEmbedder } from '../support/knowledge.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

test('passages are a table with both ranks and the score', () => {
  const table = formatHits([
    {
      id: '1',
      source: 'handbook',
      title: 'Rolling back',
      heading: 'Steps',
      date: '2026-05-02',
      text: 'First\n\nsecond',
      wordRank: 2,
      vectorRank: 11,
      score: 0.0619047,
    },
    {
      id: '2',
      source: 'wiki',
      title: 'T',
      heading: '',
      link: 'https://x',
      text: 'x'.repeat(500),
      wordRank: 1,
      score: 0.0364,
    },
  ])
  expect(table.split('\n')).toEqual([
    '  #  words  meaning   score  passage',
    '  1      2       11  0.0619  Rolling back — Steps',
    '                             handbook, 2026-05-02',
    '                             First second',
    '  2      1        –  0.0364  T',
    '                             wiki, https://x',
    `                             ${'x'.repeat(99)}…`,
  ])
  expect(formatHits([])).toBe('Nothing was found.')
})

test('a document cannot steer the terminal', () => {
  const evil = '\u001b[2J\u001b]0;owned\u0007\u202egnp\r\nnext'
  const table = formatHits([{ id: '1', source: 's', title: evil, heading: evil, text: evil, score: 0 }])
  expect(stripVTControlCharacters(table)).toBe(table)
  for (const control of ['\u0007', '\u001b', '\u202e', '\r']) expect(table).not.toContain(control)
  expect(table.split('\n')).toHaveLength(4)
})

test('a directory is read, searched, and read again', async () => {
  await using files = await openFiles({ 'a.md': '# Rolling back\n\nrun the script', 'bad.md': 'a\0' })
  const printed: string[] = []
  const embedder = testEmbedder()
  const context = {
    pool: store.pool,
    rights: openRights(store),
    embedder,
    home: files.dir,
    workspace: 'T1',
    policy: PolicyFile.parse({}),
    sources: {},
    strategy: await prepareSearch(store.pool),
    print: (line: string) => printed.push(line),
  }
  expect(await ingestDoor([files.dir, '--name', 'handbook'], context)).toBe(0)
  expect(printed[0]).toMatch(/^handbook: 1 added, 0 changed, 0 unchanged, 0 removed; 1 passages written/)
  expect(printed[1]).toBe('  skipped 1: it is not text, or in an encoding I do not know ("bad.md")')
  expect(printed).toContainEqual(expect.stringContaining('not in sources.yaml'))
  expect(printed.at(-1)).toMatch(/^1 vectors made/)

  printed.length = 0
  expect(await searchDoor(['script'], context)).toBe(0)
  expect(printed[0]).toContain('Rolling back')
  expect(printed.at(-1)).toMatch(/^1 passages from 1 source, \d+ ms$/)

  printed.length = 0
  expect(
    await ingestDoor([], { ...context, sources: { none: { directory: 'none', audience: 'everyone' } } }),
  ).toBe(1)
  expect(printed[0]).toContain('1 documents forgotten')
  expect(printed[1]).toMatch(/^none: .*none cannot be read: it is not there\.$/)

  printed.length = 0
  expect(await searchDoor([], context)).toBe(2)
  expect(await ingestDoor(['a', 'b'], context)).toBe(2)
  expect(printed).toEqual([
    expect.stringMatching(/^Usage: quorum search/),
    expect.stringMatching(/^Usage: quorum ingest/),
  ])
})

test('stopped by the person at the terminal, it says so, and the next time goes on', async () => {
  await using files = await openFiles({ 'tide.md': 'tide' })
  const printed: string[] = []
  const print = (line: string) => printed.push(line)
  const context = { pool: store.pool, home: '/', workspace: 'TSTOP', sources: {}, print }
  const args = [files.dir, '--name', 'tides']
  expect(await ingestDoor(args, { ...context, signal: AbortSignal.abort() })).toBe(130)
  expect(printed).toEqual(['Stopped. What was read is kept; the next time goes on from there.'])
  expect(await ingestDoor(args, context)).toBe(0)
  expect(printed[1]).toMatch(/^tides: 1 added, 0 changed, 0 unchanged/)
})

test('how far reading is stands in one line', () => {
  const progress = { source: 'handbook', read: 30, added: 3, changed: 1 }
  expect(formatProgress({ ...progress, total: 60 })).toBe(
    'handbook  ████████████░░░░░░░░░░░░ 30 of 60, 3 added, 1 changed',
  )
  expect(formatProgress(progress)).toBe('handbook  30 looked at, 3 added, 1 changed')
})

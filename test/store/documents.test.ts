import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Chunk } from '../../src/core/chunk.ts'
import {
  type DocumentRow,
  forgetOtherSources,
  listDocuments,
  putDocuments,
  removeDocuments,
} from '../../src/store/documents.ts'
import type { Store } from '../../src/store/open.ts'
import {
  claimUnembedded,
  countVectors,
  putVectors,
  refuseVector,
  releaseVectors,
  type VectorTable,
} from '../../src/store/vectors.ts'
import { openVectors } from '../support/knowledge.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
let table: VectorTable
beforeAll(async () => {
  store = await openTestStore()
  table = await openVectors(store.pool, { dimensions: 2 })
})
afterAll(() => store.close())
beforeEach(async () => {
  await store.pool.query('delete from documents')
})

const shelf = { workspace: 'T1', source: 'handbook' }
const row = (more: Partial<DocumentRow> = {}): DocumentRow => ({
  path: 'a.md',
  title: 'A',
  hash: '1',
  audience: ['everyone'],
  ...more,
})
const chunks = (...texts: string[]): Chunk[] =>
  texts.map((text, at) => ({ n: at + 1, heading: '', text, start: at * 100, end: at * 100 + text.length }))
const put = (document: DocumentRow, ...texts: string[]) =>
  putDocuments(store.pool, shelf, [{ document, chunks: chunks(...texts) }])
const passages = async () =>
  (
    await store.pool.query<{ id: string; n: number; text: string }>(
      'select id, n, text from passages order by n',
    )
  ).rows
const claim = (limit = 100, claimMs = 60_000) =>
  claimUnembedded(store.pool, table, { workspace: 'T1', limit, claimMs })

test('what is kept is listed as it was given', async () => {
  await put(row({ link: 'https://x/a', date: '2026-02-28' }), 'one')
  await put(row({ path: 'b.md', audience: ['channel:C1', 'channel:C2'] }), 'two')
  const listed = await listDocuments(store.pool, shelf)
  expect(listed.get('a.md')).toEqual(row({ link: 'https://x/a', date: '2026-02-28' }))
  expect(listed.get('b.md')).toEqual(row({ path: 'b.md', audience: ['channel:C1', 'channel:C2'] }))
  expect(await listDocuments(store.pool, { ...shelf, workspace: 'T2' })).toEqual(new Map())
})

test('passages that read the same keep their ids and vectors when others come, go and move', async () => {
  expect(await put(row(), 'one', 'two', 'three', 'two')).toBe(4)
  const before = await passages()
  await putVectors(
    store.pool,
    table,
    (await claim()).map(({ passage }) => ({ passage, values: [1, 2] })),
  )
  expect(await put(row({ hash: '2' }), 'new', 'two', 'three', 'one')).toBe(1)
  const after = await passages()
  expect(after.map((one) => one.text)).toEqual(['new', 'two', 'three', 'one'])
  const idOf = (rows: typeof before, text: string) => rows.find((one) => one.text === text)?.id
  for (const text of ['one', 'two', 'three']) expect(idOf(after, text)).toBe(idOf(before, text))
  expect((await claim()).map((one) => one.text)).toEqual(['new'])
})

test('another title is read with every passage, so all are new', async () => {
  await put(row(), 'one')
  expect(await put(row({ title: 'B' }), 'one')).toBe(1)
})

test('two writers of one document leave the passages of one of them', async () => {
  await Promise.all(
    Array.from({ length: 6 }, (_, n) => put(row({ hash: String(n) }), 'shared', `own ${n}`, 'end')),
  )
  const texts = (await passages()).map((one) => one.text)
  expect(texts).toHaveLength(3)
  const hash = (await listDocuments(store.pool, shelf)).get('a.md')?.hash
  expect(texts[1]).toBe(`own ${hash}`)
})

test('text that PostgreSQL cannot hold does not stop a document', async () => {
  await put(row({ title: 'A\0\ud800' }), 'one\0two \ud800')
  expect((await passages()).map((one) => one.text)).toEqual(['onetwo \ufffd'])
})

test('removing documents, or forgetting a source, takes passages and vectors along', async () => {
  await put(row(), 'one')
  await put(row({ path: 'b.md' }), 'two')
  await putDocuments(store.pool, { ...shelf, source: 'wiki' }, [{ document: row(), chunks: chunks('three') }])
  await putDocuments(store.pool, { workspace: 'T2', source: 'wiki' }, [
    { document: row(), chunks: chunks('foreign') },
  ])
  const claimed = await claimUnembedded(store.pool, table, { workspace: 'T2', limit: 100, claimMs: 60_000 })
  const vectors = [...claimed, ...(await claim())].map(({ passage }) => ({ passage, values: [1, 2] }))
  await putVectors(store.pool, table, vectors)
  const other = await openVectors(store.pool, { name: 'other' })
  for (const workspace of ['T1', 'T2'])
    await claimUnembedded(store.pool, other, { workspace, limit: 100, claimMs: 60_000 })
  expect(await removeDocuments(store.pool, shelf, ['a.md', 'none.md'])).toBe(1)
  expect(await forgetOtherSources(store.pool, 'T1', ['handbook'])).toBe(1)
  expect((await passages()).map((one) => one.text).sort()).toEqual(['foreign', 'two'])
  for (const place of [table.table, 'vector_claims'])
    expect((await store.pool.query(`select 1 from ${place}`)).rows).toHaveLength(2)
})

test('a passage is claimed by one at a time, and again when the claim is over or given back', async () => {
  await put(row(), 'one', 'two', 'three')
  const [first, second] = await Promise.all([claim(2), claim(2)])
  const all = [...first, ...second].map((one) => one.passage)
  expect(new Set(all).size).toBe(all.length)
  expect(all).toHaveLength(3)
  expect(await claim()).toEqual([])
  await releaseVectors(store.pool, table, all.slice(0, 1))
  expect((await claim(100, -1)).map((one) => one.passage)).toEqual(all.slice(0, 1))
  expect((await claim()).map((one) => one.passage)).toEqual(all.slice(0, 1))
  expect(
    await claimUnembedded(store.pool, await openVectors(store.pool, { name: 'other' }), {
      workspace: 'T1',
      limit: 100,
      claimMs: 1,
    }),
  ).toHaveLength(3)
})

test('a refused passage is not tried again until its text changes; a vector made late still counts', async () => {
  await put(row(), 'one', 'two')
  const [one, two] = await claim()
  await refuseVector(store.pool, table, one?.passage ?? '', 'too odd')
  await releaseVectors(store.pool, table, [one?.passage ?? ''])
  expect(await countVectors(store.pool, table, 'T1')).toEqual({ made: 0, missing: 1, refused: 1 })
  await putVectors(store.pool, table, [{ passage: two?.passage ?? '', values: [1, 1] }])
  expect(await countVectors(store.pool, table, 'T1')).toEqual({ made: 1, missing: 0, refused: 1 })
  expect(await claim()).toEqual([])
  await put(row({ hash: '2' }), 'one changed', 'two')
  expect((await claim()).map((it) => it.text)).toEqual(['one changed'])
})

test('a vector of a passage that is gone is dropped', async () => {
  await put(row(), 'one')
  const [one] = await claim()
  await removeDocuments(store.pool, shelf, ['a.md'])
  await putVectors(store.pool, table, [{ passage: one?.passage ?? '', values: [1, 1] }])
  expect(await countVectors(store.pool, table, 'T1')).toEqual({ made: 0, missing: 0, refused: 0 })
})

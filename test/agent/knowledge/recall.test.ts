import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { embedMissing, PROBE } from '../../../src/agent/knowledge/embed.ts'
import { ingest } from '../../../src/agent/knowledge/ingest.ts'
import { type RecallContext, recall } from '../../../src/agent/knowledge/recall.ts'
import { openRights } from '../../../src/agent/knowledge/rights.ts'
import { Fault } from '../../../src/core/fault.ts'
import { Source } from '../../../src/core/home.ts'
import type { Store } from '../../../src/store/open.ts'
import { claimUnembedded, countVectors, servingTable, useModel } from '../../../src/store/vectors.ts'
import { prepareSearch, type WordStrategy } from '../../../src/store/words.ts'
import { openFiles, testEmbedder, vectorOf } from '../../support/knowledge.ts'
import { openTestStore } from '../../support/store.ts'

let store: Store
let strategy: WordStrategy
beforeAll(async () => {
  store = await openTestStore()
  strategy = await prepareSearch(store.pool)
})
afterAll(() => store.close())
beforeEach(async () => {
  await store.pool.query('delete from documents')
  await store.pool.query('delete from workspace_models')
})

const pages = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}.txt`, `rolling back number ${n}`]))

async function readPages(files: Record<string, string>) {
  await using dir = await openFiles(files)
  await ingest({ pool: store.pool, home: '/' }, 'T1', 'handbook', Source.parse({ directory: dir.dir }))
}

async function counts() {
  const table = await servingTable(store.pool, 'T1')
  return table && countVectors(store.pool, table, 'T1')
}

const ask = (context: Partial<RecallContext>, query = 'rolling') =>
  recall(
    { pool: store.pool, rights: openRights(store), strategy, ...context },
    { workspace: 'T1', readers: 'everyone', query },
  )

test('words and meaning are searched, and six passages come back', async () => {
  await readPages(pages(9))
  const embedder = testEmbedder()
  await embedMissing({ pool: store.pool, workspace: 'T1', embedder })
  const found = await ask({ embedder })
  expect(found.passages).toHaveLength(6)
  expect(found.passages[0]).toMatchObject({ source: 'handbook', wordRank: expect.any(Number) })
  expect(found.passages.map((hit) => hit.vectorRank)).toContain(1)
  expect(found).toMatchObject({ sources: 1 })
  expect(found.degraded).toBeUndefined()
})

test('a reranking server puts the first into its order; where it fails, they stand as they were, and it is said', async () => {
  await readPages(pages(9))
  const plain = await ask({})
  const backwards = async (_: string, texts: string[]) => [...texts.keys()].reverse()
  const turned = await ask({ reranker: { passages: 4, rank: backwards } })
  const ids = plain.passages.map((hit) => hit.id)
  expect(turned.passages.map((hit) => hit.id)).toEqual([...ids.slice(0, 4).reverse(), ...ids.slice(4)])
  const rank = async () => {
    throw new Fault('model-stalled', 'too late')
  }
  const failed = await ask({ reranker: { passages: 4, rank } })
  expect(failed.passages.map((hit) => hit.id)).toEqual(ids)
  expect(failed.degraded).toContain('not reranked: too late')
})

const never = () => new Promise<never>(() => {})
test.each([
  ['there is no embedding model', undefined],
  ['the embedding model is still loading', testEmbedder({ ready: never })],
  ['the weights are missing', testEmbedder({ ready: async () => ({ why: 'the weights are missing' }) })],
  ['the embedding model did not answer in time', testEmbedder({ before: (_, signal) => abortOf(signal) })],
  [
    'no answer',
    testEmbedder({
      before: () => {
        throw new Fault('embed-unavailable', 'no answer')
      },
    }),
  ],
])('without the question’s vector words serve, and it is said: %s', async (why, embedder) => {
  await readPages(pages(2))
  const began = performance.now()
  const found = await ask({ embedder, patienceMs: 100 })
  expect(found.degraded).toBe(`keyword search only: ${why}`)
  expect(found.passages).toHaveLength(2)
  expect(performance.now() - began).toBeLessThan(2_000)
})

function abortOf(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
}

test('while vectors are being made it is said; where there is nothing to recall nothing is', async () => {
  const embedder = testEmbedder()
  expect(await ask({ embedder })).toMatchObject({ passages: [], sources: 0 })
  expect((await ask({ embedder })).degraded).toBeUndefined()
  await readPages(pages(2))
  const found = await ask({ embedder })
  expect(found.passages).toHaveLength(2)
  expect(found.degraded).toBe('keyword search only: the embedding model is still reading the passages')
})

test('every passage is embedded once, however many do it at once', async () => {
  await readPages(pages(40))
  const embedders = Array.from({ length: 3 }, () => testEmbedder())
  const done = await Promise.all(
    embedders.map((embedder) => embedMissing({ pool: store.pool, workspace: 'T1', embedder }, { batch: 4 })),
  )
  const texts = embedders.flatMap((embedder) => embedder.texts)
  expect(texts).toHaveLength(40)
  expect(new Set(texts).size).toBe(40)
  expect(done.reduce((sum, one) => sum + one.made, 0)).toBe(40)
  expect(texts[0]).toMatch(/^P\d+\nrolling back/)
})

test('stopped in the middle it gives back what it took, and the next one goes on from there', async () => {
  await readPages(pages(40))
  const stop = new AbortController()
  const first = testEmbedder()
  const onProgress = ({ made }: { made: number }) => made >= 8 && stop.abort()
  const done = await embedMissing(
    { pool: store.pool, workspace: 'T1', embedder: first },
    { batch: 4, signal: stop.signal, onProgress },
  )
  expect(done.made).toBeGreaterThanOrEqual(8)
  expect(await counts()).toEqual({ made: done.made, missing: 40 - done.made, refused: 0 })
  const second = testEmbedder()
  const seen: { made: number; total: number }[] = []
  await embedMissing(
    { pool: store.pool, workspace: 'T1', embedder: second },
    { batch: 6, onProgress: (progress) => seen.push(progress) },
  )
  expect(second.texts).toHaveLength(40 - done.made)
  expect(seen.at(-1)).toEqual({ made: 40, total: 40 })
})

test('a few new pages cost a few looks: nothing is counted, and no statistics are made anew', async () => {
  await readPages(pages(40))
  await embedMissing({ pool: store.pool, workspace: 'T1', embedder: testEmbedder() })
  await readPages(pages(42))
  const asked: string[] = []
  const pool = new Proxy(store.pool, {
    get(target, name) {
      if (name !== 'query') return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name)
      return (text: string, values: unknown[]) => {
        asked.push(text)
        return target.query(text, values)
      }
    },
  })
  const told: unknown[] = []
  const embedder = testEmbedder()
  await embedMissing({ pool, workspace: 'T1', embedder }, { onProgress: (one) => told.push(one) })
  expect(embedder.texts).toHaveLength(2)
  expect(told).toEqual([])
  const of = (what: RegExp) => asked.filter((text) => what.test(text)).length
  expect([of(/count\(/), of(/analyze/)]).toEqual([0, 0])
  // One claims, two find nothing, one looks once more from the beginning.
  expect(of(/with wanted/)).toBeLessThanOrEqual(5)
})

test('what a process left behind when it died is taken over when its claim is over', async () => {
  await readPages(pages(3))
  const next = testEmbedder()
  const table = await useModel(store.pool, 'T1', next.model, vectorOf(PROBE))
  expect(await claimUnembedded(store.pool, table, { workspace: 'T1', limit: 2, claimMs: 300 })).toHaveLength(
    2,
  )
  expect((await embedMissing({ pool: store.pool, workspace: 'T1', embedder: next })).made).toBe(3)
})

test('a model that is away is a fault, and nothing stays claimed', async () => {
  await readPages(pages(3))
  const away = () => {
    throw new Fault('embed-unavailable', 'away', { retry: true })
  }
  await expect(
    embedMissing({ pool: store.pool, workspace: 'T1', embedder: testEmbedder({ before: away }) }),
  ).rejects.toMatchObject({ code: 'embed-unavailable' })
  expect((await store.pool.query('select 1 from vector_claims')).rows).toEqual([])
})

test('a passage the model refuses costs itself only', async () => {
  await readPages({ ...pages(5), 'odd.txt': 'poison' })
  const picky = testEmbedder({
    before: (texts) => {
      if (texts.some((text) => text.includes('poison'))) throw new Fault('embed-unavailable', 'refused')
    },
  })
  expect(await embedMissing({ pool: store.pool, workspace: 'T1', embedder: picky })).toMatchObject({
    made: 5,
    refused: 1,
  })
  expect(await counts()).toEqual({ made: 5, missing: 0, refused: 1 })
  expect((await ask({ embedder: picky }, 'poison')).passages).not.toEqual([])
})

test('a new model takes over when it has read everything; until then the old one serves, new pages included', async () => {
  await readPages(pages(2))
  const old = testEmbedder()
  await embedMissing({ pool: store.pool, workspace: 'T1', embedder: old })
  await readPages({ ...pages(2), 'fresh.txt': 'rolling afresh' })
  const turned = (text: string) => vectorOf(text).reverse()
  const served: string[] = []
  const fresh = testEmbedder({
    model: 'new',
    vector: turned,
    others: [old],
    before: async (texts) => {
      if (texts[0] === 'rolling') return
      served.push((await servingTable(store.pool, 'T1'))?.name ?? 'none')
      const found = await ask({ embedder: old }, 'rolling afresh')
      if (served.length > 1)
        expect(found.passages[0]).toMatchObject({ text: 'rolling afresh', vectorRank: 1 })
    },
  })
  const done = await embedMissing({ pool: store.pool, workspace: 'T1', embedder: fresh }, { batch: 1 })
  expect(done).toMatchObject({ made: 4, refused: 0 })
  expect(old.texts).toHaveLength(3 + 3)
  expect(served).toEqual(['test-words', 'test-words', 'test-words'])
  expect((await servingTable(store.pool, 'T1'))?.name).toBe('new')
  const after = await ask({ embedder: fresh })
  expect(after.degraded).toBeUndefined()
  expect(after.passages.map((hit) => hit.vectorRank)).toContain(1)
})

test('the words of one workspace go to no other one’s model', async () => {
  await using dir = await openFiles({ 'p.txt': 'rolling back' })
  for (const workspace of ['T1', 'T2'])
    await ingest({ pool: store.pool, home: '/' }, workspace, 'handbook', Source.parse({ directory: dir.dir }))
  const embedder = testEmbedder()
  expect((await embedMissing({ pool: store.pool, workspace: 'T1', embedder })).made).toBe(1)
  const table = await servingTable(store.pool, 'T1')
  expect(table && (await countVectors(store.pool, table, 'T2'))).toEqual({ made: 0, missing: 1, refused: 0 })
})

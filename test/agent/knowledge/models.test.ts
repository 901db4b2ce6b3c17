import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type EmbedOptions, embedMissing } from '../../../src/agent/knowledge/embed.ts'
import { ingest } from '../../../src/agent/knowledge/ingest.ts'
import { recall } from '../../../src/agent/knowledge/recall.ts'
import { openRights } from '../../../src/agent/knowledge/rights.ts'
import { Fault } from '../../../src/core/fault.ts'
import { type Embeddings, Source } from '../../../src/core/home.ts'
import { keepVectors } from '../../../src/doors/learn.ts'
import type { Embedder } from '../../../src/models/embed.ts'
import type { Store } from '../../../src/store/open.ts'
import { dropRetired, listVectorTables, servingTable } from '../../../src/store/vectors.ts'
import { prepareSearch } from '../../../src/store/words.ts'
import { openFiles, testEmbedder, vectorOf } from '../../support/knowledge.ts'
import { openTestStore } from '../../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())
beforeEach(async () => {
  await store.pool.query('delete from documents')
  await store.pool.query('delete from workspace_models')
  await dropRetired(store.pool, 0)
})

async function readPages(count: number, from = 0) {
  const names = Array.from({ length: count }, (_, n) => `p${n + from}.txt`)
  await using dir = await openFiles(Object.fromEntries(names.map((name) => [name, `rolling back ${name}`])))
  const source = Source.parse({ directory: dir.dir })
  await ingest({ pool: store.pool, home: '/' }, 'T1', `pages ${from}`, source)
}

const embed = (embedder: Embedder, options?: EmbedOptions) =>
  embedMissing({ pool: store.pool, workspace: 'T1', embedder }, options)
const states = async () =>
  Object.fromEntries((await listVectorTables(store.pool, 'T1')).map((one) => [one.name, one.state]))
const turned = (text: string) => vectorOf(text).reverse()

/** Two models of which each can still be asked once the other is configured. */
function models() {
  const old = testEmbedder({ model: 'old' })
  const fresh = testEmbedder({ model: 'fresh', vector: turned, others: [old] })
  return { old, fresh, oldAgain: testEmbedder({ model: 'old', others: [fresh] }) }
}

describe('another model in models.yaml', () => {
  test('is built beside the one that serves, also over a crash in the middle, and then takes over', async () => {
    const { old, fresh } = models()
    await readPages(20)
    await embed(old)
    const stop = new AbortController()
    await embed(fresh, { batch: 2, signal: stop.signal, onProgress: ({ made }) => made > 5 && stop.abort() })
    expect(await states()).toEqual({ old: 'serving', fresh: 'building' })
    const before = fresh.texts.length
    expect((await embed(fresh)).made).toBeGreaterThan(0)
    expect(await states()).toEqual({ old: 'retired', fresh: 'serving' })
    expect(fresh.texts.length - before).toBeLessThan(20)
    expect(old.texts).toHaveLength(20)
  })

  test('costs only what is new when one goes back to the model before', async () => {
    const { old, fresh, oldAgain } = models()
    await readPages(5)
    await embed(old)
    await embed(fresh)
    await readPages(2, 5)
    await embed(oldAgain)
    expect(oldAgain.texts).toHaveLength(2)
    expect(await states()).toEqual({ old: 'serving', fresh: 'retired' })
  })

  test('serves from its first vector where the one before cannot be asked any more', async () => {
    await readPages(3)
    await embed(testEmbedder({ model: 'old' }))
    const seen: string[] = []
    const fresh = testEmbedder({
      model: 'fresh',
      before: async () => {
        seen.push((await servingTable(store.pool, 'T1'))?.name ?? '')
      },
    })
    await embed(fresh)
    expect(seen).toEqual(['fresh'])
  })

  test('is not held up by the one before going away in the middle', async () => {
    await readPages(3)
    const old = testEmbedder({ model: 'old' })
    await embed(old)
    await readPages(2, 3)
    const gone = testEmbedder({
      model: 'old',
      before: () => {
        throw new Fault('embed-unavailable', 'gone', { retry: true })
      },
    })
    const fresh = testEmbedder({ model: 'fresh', vector: turned, others: [gone] })
    expect(await embed(fresh)).toMatchObject({ made: 5 })
    expect(await states()).toEqual({ old: 'retired', fresh: 'serving' })
  })

  test('and its given-up predecessor in building is retired; both are dropped when their time is over', async () => {
    const { old, fresh } = models()
    await readPages(3)
    await embed(old)
    const stop = new AbortController()
    const never = testEmbedder({ model: 'never', others: [old], before: () => stop.abort() })
    await embed(never, { signal: stop.signal })
    expect(await states()).toEqual({ old: 'serving', never: 'building' })
    const tables = await listVectorTables(store.pool, 'T1')
    await embed(fresh)
    expect(await states()).toEqual({ fresh: 'serving', old: 'retired', never: 'retired' })
    expect(await dropRetired(store.pool, 60_000)).toEqual([])
    expect((await dropRetired(store.pool, 0)).sort()).toEqual(['never', 'old'])
    expect(await states()).toEqual({ fresh: 'serving' })
    for (const { table } of tables)
      expect((await store.pool.query('select to_regclass($1) as found', [table])).rows[0].found).toBeNull()
  })

  test('is given up where one goes back before it is done', async () => {
    await readPages(3)
    const old = testEmbedder({ model: 'old' })
    await embed(old)
    const stop = new AbortController()
    const fresh = testEmbedder({ model: 'fresh', others: [old], before: () => stop.abort() })
    await embed(fresh, { signal: stop.signal })
    await embed(old)
    expect(await states()).toEqual({ old: 'serving', fresh: 'retired' })
  })

  test('is built by several who share the work', async () => {
    const { old } = models()
    await readPages(40)
    await embed(old)
    const builders = [1, 2].map(() => testEmbedder({ model: 'fresh', vector: turned, others: [old] }))
    const done = await Promise.all(builders.map((builder) => embed(builder, { batch: 4 })))
    expect(done.reduce((sum, one) => sum + one.made, 0)).toBe(40)
    expect(builders.flatMap((builder) => builder.texts)).toHaveLength(40)
    expect(await states()).toEqual({ old: 'retired', fresh: 'serving' })
  })

  test('under the old name is noticed, and its vectors are not mixed with the others', async () => {
    await readPages(3)
    const origin: Embeddings = { url: 'http://127.0.0.1:1/v1', model: 'same', languages: 'all' }
    await embed(testEmbedder({ model: 'same', origin }))
    const swapped = testEmbedder({ model: 'same', origin, vector: turned })
    expect((await embed(swapped)).made).toBe(3)
    expect((await listVectorTables(store.pool, 'T1')).map((one) => one.state)).toEqual(['serving', 'retired'])
    const strategy = await prepareSearch(store.pool)
    const ask = { workspace: 'T1', readers: 'everyone', query: 'rolling' }
    const found = await recall(
      { pool: store.pool, rights: openRights(store), embedder: swapped, strategy },
      ask,
    )
    expect(found.passages.map((hit) => hit.vectorRank)).toContain(1)
  })
})

test('a model slower than a claim lasts does its work once, beside others who would take it over', async () => {
  await readPages(6)
  const slow = () => testEmbedder({ before: () => new Promise((resolve) => setTimeout(resolve, 2_500)) })
  const embedders = [slow(), slow()]
  await Promise.all(embedders.map((embedder) => embed(embedder, { batch: 1, claimMs: 1_000 })))
  expect(embedders.flatMap((embedder) => embedder.texts)).toHaveLength(6)
})

test('the model is not even loaded where nothing is missing', async () => {
  await readPages(2)
  await embed(testEmbedder())
  const asked: string[] = []
  const later = testEmbedder({
    ready: async () => {
      asked.push('loaded')
      return 'ready'
    },
  })
  expect(await embed(later)).toMatchObject({ made: 0, refused: 0 })
  expect(asked).toEqual([])
})

test('as long as a process runs, what is read later gets vectors too, and a model that was away is tried again', async () => {
  await readPages(2)
  const stop = new AbortController()
  let away = true
  const embedder = testEmbedder({ ready: async () => (away ? { why: 'away' } : 'ready') })
  const said: string[] = []
  const log = (_: string, message: string) => {
    said.push(message)
    away = false
  }
  const library = { store, embedder, log } as unknown as Parameters<typeof keepVectors>[0]
  const keeping = keepVectors(library, 'T1', stop.signal, { lookMs: 20, restMs: 20 })
  const until = async (texts: number) => {
    while (embedder.texts.length < texts) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await until(2)
  await readPages(3, 2)
  await until(5)
  stop.abort()
  await keeping
  expect(said[0]).toMatch(/cannot be made now/)
  expect(new Set(embedder.texts).size).toBe(5)
})

test('the end waits for no model that is being loaded', async () => {
  await readPages(2)
  const stop = new AbortController()
  const asked = Promise.withResolvers<void>()
  const embedder = testEmbedder({
    ready: () => {
      asked.resolve()
      return new Promise(() => {})
    },
  })
  const log = () => {}
  const library = { store, embedder, log } as unknown as Parameters<typeof keepVectors>[0]
  const keeping = keepVectors(library, 'T1', stop.signal)
  await asked.promise
  stop.abort()
  await keeping
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { embedMissing } from '../../src/agent/knowledge/embed.ts'
import { ingest } from '../../src/agent/knowledge/ingest.ts'
import { type Home, Source } from '../../src/core/home.ts'
import { examineEmbeddings, examineProgress } from '../../src/doors/examine-vectors.ts'
import type { Store } from '../../src/store/open.ts'
import { openFiles, testEmbedder, vectorOf } from '../support/knowledge.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

const progress = async () => (await Array.fromAsync(examineProgress(store)))[0]

test('doctor says how far the vectors are: none, some beside those that serve, all', async () => {
  await using dir = await openFiles({ 'a.txt': 'rolling back', 'b.txt': 'rolling forward' })
  expect(await Array.fromAsync(examineProgress(store))).toEqual([])
  await ingest({ pool: store.pool, home: '/' }, 'T1', 'pages', Source.parse({ directory: dir.dir }))
  expect(await progress()).toMatchObject({ mark: 'warn', said: 'T1: none yet; words are searched' })

  const old = testEmbedder({ model: 'old' })
  await embedMissing({ pool: store.pool, workspace: 'T1', embedder: old })
  expect(await progress()).toEqual({
    mark: 'ok',
    about: 'vectors',
    said: 'T1: old serves: 2 of 2 passages',
  })

  const stop = new AbortController()
  const fresh = testEmbedder({
    model: 'fresh',
    vector: (text) => vectorOf(text).reverse(),
    others: [old],
    before: (_, signal) => {
      stop.abort()
      signal?.throwIfAborted()
    },
  })
  await embedMissing({ pool: store.pool, workspace: 'T1', embedder: fresh }, { signal: stop.signal })
  const building = await progress()
  expect(building).toMatchObject({ mark: 'warn', help: expect.stringContaining('quorum start') })
  expect(building?.said).toBe('T1: old serves: 2 of 2 passages; fresh is being built: 0 of 2 passages')
})

test('doctor warns of a cloud model that cannot be paid for, before anything is sent to it', async () => {
  const embeddings = { url: 'https://api.example.com/v1', model: 'embed-9', languages: 'all' }
  const home = { models: { embeddings } } as unknown as Home
  expect(await examineEmbeddings(home)).toMatchObject({
    mark: 'warn',
    said: 'embed-9 is in the cloud and has no price: no vectors are made',
  })
})

import path from 'node:path'
import { expect, test } from 'vitest'
import type { Embeddings } from '../../src/core/home.ts'
import { openEmbedder } from '../../src/models/embed.ts'
import { cacheVectors } from '../../src/models/embed-cache.ts'
import { openModelServer } from '../support/model-server.ts'
import { makeTemporary } from '../support/temporary.ts'

test('a vector is kept for the text with all that it depends on: words before it, length, address', async () => {
  await using place = await makeTemporary()
  await using server = await openModelServer(() => ({ text: '' }))
  const file = path.join(place.dir, 'vectors.sqlite')
  const plain: Embeddings = { url: server.url, model: 'm', languages: 'all' }
  const ask = async (config: Embeddings, priority: 'query' | 'bulk') => {
    await using cached = cacheVectors(openEmbedder(config, {}), file)
    await cached.embed(['words'], priority === 'query' ? { priority, permit: undefined } : {})
    return server.embedded.splice(0)
  }
  const prefix = { query: 'q: ', passage: 'p: ' }
  expect(await ask({ ...plain, prefix }, 'bulk')).toEqual([['p: words']])
  expect(await ask({ ...plain, prefix }, 'bulk')).toEqual([])
  expect(await ask({ ...plain, prefix }, 'query')).toEqual([['q: words']])
  expect(await ask(plain, 'query')).toEqual([['words']])
  expect(await ask(plain, 'bulk')).toEqual([])
  expect(await ask({ ...plain, dimensions: 8 }, 'bulk')).toHaveLength(1)
  expect(await ask({ ...plain, url: server.url.replace('127.0.0.1', 'localhost') }, 'bulk')).toHaveLength(1)
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, describe, expect, test } from 'vitest'
import { openEmbedder } from '../../src/models/embed.ts'
import { openLocalEmbedder } from '../../src/models/embed-local.ts'
import { openRemoteEmbedder } from '../../src/models/embed-remote.ts'
import { openModelServer, type Reply } from '../support/model-server.ts'

describe('the embedded model', () => {
  const embedder = openEmbedder(undefined, {})
  afterAll(() => embedder.close())

  test('brings near what means the same, and says what it is', async () => {
    expect(embedder.dimensions()).toBeUndefined()
    expect(embedder.model).toEqual({
      name: 'all-MiniLM-L6-v2',
      revision: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      languages: ['en'],
      origin: null,
    })
    expect(await embedder.ready()).toBe('ready')
    expect(embedder.dimensions()).toBe(384)
    const [question, near, far] = await embedder.embed([
      'how do we roll back a deploy?',
      'Reverting a release to the previous version',
      'Parental leave is sixteen weeks',
    ])
    expect(question).toHaveLength(384)
    expect(dot(question, near)).toBeGreaterThan(dot(question, far) + 0.2)
    expect(await embedder.embed([])).toEqual([])
  })

  test('lets a query overtake bulk work, without holding the main thread', async () => {
    await embedder.ready()
    const order: string[] = []
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    const long = 'The pager is handed over every Friday at noon in the harbour office. '.repeat(30)
    const bulk = embedder
      .embed(Array.from({ length: 4 }, (_, n) => `${n} ${long}`))
      .then(() => order.push('bulk'))
    const query = embedder.embed(['who is on call?'], { priority: 'query' }).then(() => order.push('query'))
    await Promise.all([bulk, query])
    delay.disable()
    expect(order).toEqual(['query', 'bulk'])
    expect(delay.percentile(50) / 1e6).toBeLessThan(50)
  })

  test('drops what its caller no longer wants', async () => {
    const controller = new AbortController()
    const unwanted = embedder.embed(
      Array.from({ length: 500 }, () => 'words '.repeat(300)),
      { signal: controller.signal },
    )
    controller.abort('later')
    await expect(unwanted).rejects.toBe('later')
    expect(await embedder.embed(['still here'])).toHaveLength(1)
  })
})

describe('the thread of the embedded model', () => {
  const fragile = new URL('../support/workers/fragile-embedder.js', import.meta.url)

  test('is replaced when it dies, and its text tried again', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'embed-'))
    await using embedder = openLocalEmbedder(fragile)
    const falls = `fall once|${join(dir, 'mark')}`
    expect(await embedder.embed(['ab', falls, 'abc'])).toEqual([
      [2, 1],
      [falls.length, 1],
      [3, 1],
    ])
    await rm(dir, { recursive: true })
  })

  test('refuses only the text that kills it', async () => {
    await using embedder = openLocalEmbedder(fragile)
    const [poison, other] = await Promise.allSettled([embedder.embed(['poison']), embedder.embed(['ab'])])
    expect(poison).toMatchObject({ status: 'rejected', reason: { code: 'embed-unavailable' } })
    expect(other).toMatchObject({ status: 'fulfilled', value: [[2, 1]] })
    await expect(embedder.embed(['poison'])).rejects.toThrow(/twice over the same text/)
    expect(await embedder.embed(['abc'])).toEqual([[3, 1]])
  })

  test('that does not even start is said', async () => {
    await using embedder = openLocalEmbedder(new URL('file:///nowhere/embedder.js'))
    const waiting = embedder.embed(['a'])
    await expect(waiting).rejects.toMatchObject({ code: 'embed-unavailable' })
    expect(await embedder.ready()).toEqual({ why: expect.stringContaining('nowhere') })
    await expect(embedder.embed(['a'])).rejects.toThrow(/nowhere/)
  })

  test('ends what waits when it is closed', async () => {
    const embedder = openLocalEmbedder(fragile)
    const refused = expect(embedder.embed(['a'])).rejects.toThrow(/closed/)
    await embedder.close()
    await refused
    await expect(embedder.embed(['a'])).rejects.toThrow(/closed/)
  })
})

describe('an embedding server', () => {
  async function withServer(embed?: (texts: string[], n: number) => Reply | undefined, dimensions?: number) {
    const server = await openModelServer(undefined, embed ? { embed } : {})
    const config = {
      url: server.url,
      model: 'bge',
      languages: 'all' as const,
      ...(dimensions ? { dimensions } : {}),
    }
    return { server, embedder: openRemoteEmbedder(config, {}, 1) }
  }

  test('gets texts in batches and gives vectors in order', async () => {
    const { server, embedder } = await withServer()
    await using _ = server
    const texts = Array.from({ length: 150 }, (_, n) => `text ${'a'.repeat(n % 7)} ${n}`)
    const vectors = await embedder.embed(texts)
    expect(server.embedded.map((batch) => batch.length)).toEqual([64, 64, 22])
    expect(vectors).toHaveLength(150)
    expect(vectors[149]).toEqual((await embedder.embed([texts[149] ?? '']))[0])
    expect([embedder.model.name, embedder.dimensions()]).toEqual(['bge', 8])
    expect(await embedder.ready()).toBe('ready')
  })

  test('is asked again while it is overloaded, within bounds', async () => {
    const busy: Reply = { status: 429, body: {}, headers: { 'retry-after-ms': '1' } }
    const { server, embedder } = await withServer((_, n) => (n < 4 ? busy : undefined))
    await using _ = server
    expect(await embedder.embed(['a'])).toHaveLength(1)
    expect(server.embedded).toHaveLength(4)
    const never = await withServer(() => busy)
    await using __ = never.server
    await expect(never.embedder.embed(['a'])).rejects.toMatchObject({
      code: 'embed-unavailable',
      retry: true,
    })
    expect(never.server.embedded).toHaveLength(5)
  })

  test('is not asked again for what it refuses', async () => {
    const { server, embedder } = await withServer(() => ({ status: 404, body: { error: 'no such model' } }))
    await using _ = server
    expect(await embedder.ready()).toEqual({ why: expect.stringContaining('no such model') })
    expect(server.embedded).toHaveLength(1)
  })

  test('that does not know the field for the length is measured instead', async () => {
    const refuse = (_: string[], n: number): Reply | undefined =>
      n === 1 ? { status: 400, body: { error: { message: 'dimensions is not supported' } } } : undefined
    const right = await withServer(refuse, 8)
    await using _ = right.server
    expect(await right.embedder.embed(['a'])).toHaveLength(1)
    expect(right.embedder.dimensions()).toBe(8)
    const wrong = await withServer(refuse, 16)
    await using __ = wrong.server
    await expect(wrong.embedder.embed(['a'])).rejects.toThrow(/8 numbers a text instead of 16/)
  })

  test.each<[string, unknown]>([
    ['too few', { data: [] }],
    ['holes', { data: [{ index: 0, embedding: [1, null] }] }],
    ['no list', { data: 'x' }],
  ])('that answers nonsense is not believed: %s', async (_, body) => {
    const { server, embedder } = await withServer(() => ({ status: 200, body }))
    await using __ = server
    await expect(embedder.embed(['a'])).rejects.toMatchObject({ code: 'embed-unavailable' })
  })

  test('lets its caller go at once', async () => {
    const controller = new AbortController()
    const { server, embedder } = await withServer(() => {
      controller.abort('late')
      return { fault: 'stall-before' }
    })
    await using _ = server
    await expect(embedder.embed(['a'], { signal: controller.signal })).rejects.toBe('late')
  })
})

function dot(a: number[] = [], b: number[] = []): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0)
}

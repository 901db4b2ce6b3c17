import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { Fault } from '../../src/core/fault.ts'
import type { Embeddings } from '../../src/core/home.ts'
import { type CloudPermit, permitCloud } from '../../src/core/permit.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import { openEmbedder, type Spend } from '../../src/models/embed.ts'
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
    const query = embedder
      .embed(['who is on call?'], { priority: 'query', permit: undefined })
      .then(() => order.push('query'))
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
    await using embedder = openLocalEmbedder({ entry: fragile, most: 1 })
    const falls = `fall once|${join(dir, 'mark')}`
    expect(await embedder.embed(['ab', falls, 'abc'])).toEqual([
      [2, expect.any(Number)],
      [falls.length, expect.any(Number)],
      [3, expect.any(Number)],
    ])
    await rm(dir, { recursive: true })
  })

  test('refuses only the text that kills it', async () => {
    await using embedder = openLocalEmbedder({ entry: fragile, most: 1 })
    const [poison, other] = await Promise.allSettled([embedder.embed(['poison']), embedder.embed(['ab'])])
    expect(poison).toMatchObject({ status: 'rejected', reason: { code: 'embed-unavailable' } })
    expect(other).toMatchObject({ status: 'fulfilled', value: [[2, expect.any(Number)]] })
    await expect(embedder.embed(['poison'])).rejects.toThrow(/twice over the same text/)
    expect(await embedder.embed(['abc'])).toEqual([[3, expect.any(Number)]])
  })

  test('that does not even start is said', async () => {
    await using embedder = openLocalEmbedder({ entry: new URL('file:///nowhere/embedder.js') })
    const waiting = embedder.embed(['a'])
    await expect(waiting).rejects.toMatchObject({ code: 'embed-unavailable' })
    expect(await embedder.ready()).toEqual({ why: expect.stringContaining('nowhere') })
    await expect(embedder.embed(['a'])).rejects.toThrow(/nowhere/)
  })

  test('is not the only one where much waits; one that dies costs the others nothing; later only one is kept', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'embed-'))
    await using embedder = openLocalEmbedder({ entry: fragile, most: 3, idleMs: 50 })
    const texts = Array.from({ length: 60 }, (_, n) =>
      n === 30 ? `fall once|${join(dir, 'mark')}` : `wait ${n}`,
    )
    const vectors = await embedder.embed(texts)
    expect(vectors.map(([length]) => length)).toEqual(texts.map((text) => text.length))
    const by = async () =>
      new Set((await embedder.embed(['who?', 'who?', 'who?'])).map(([, thread]) => thread))
    expect(new Set(vectors.map(([, thread]) => thread)).size).toBeGreaterThan(1)
    while ((await by()).size > 1) await pause(100)
    await rm(dir, { recursive: true })
  })

  test('ends what waits when it is closed', async () => {
    const embedder = openLocalEmbedder({ entry: fragile, most: 1 })
    const refused = expect(embedder.embed(['a'])).rejects.toThrow(/closed/)
    await embedder.close()
    await refused
    await expect(embedder.embed(['a'])).rejects.toThrow(/closed/)
  })
})

describe('an embedding server', () => {
  async function withServer(
    embed?: (texts: string[], n: number, body: Record<string, unknown>) => Reply | undefined,
    more: Partial<Embeddings> & { spend?: Spend } = {},
  ) {
    const server = await openModelServer(undefined, embed ? { embed } : {})
    const { spend, ...about } = more
    const config = { url: server.url, model: 'bge', languages: 'all' as const, ...about }
    return { server, embedder: openRemoteEmbedder(config, {}, { backoffMs: 1, spend }) }
  }
  const answer = (texts: string[], make: (text: string) => unknown): Reply => ({
    status: 200,
    body: {
      data: texts.map((text, index) => ({ index, embedding: make(text) })),
      usage: { prompt_tokens: 7 },
    },
  })
  const refuse = (message: string, status = 400): Reply => ({ status, body: { error: { message } } })

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
    expect(never.server.embedded).toHaveLength(6)
  })

  test('is not asked again for what it refuses', async () => {
    const { server, embedder } = await withServer(() => ({ status: 404, body: { error: 'no such model' } }))
    await using _ = server
    expect(await embedder.ready()).toEqual({ why: expect.stringContaining('no such model') })
    expect(server.embedded).toHaveLength(1)
  })

  test('that does not know the field for the length is measured instead', async () => {
    const first = (_: string[], n: number) => (n === 1 ? refuse('dimensions is not supported') : undefined)
    const right = await withServer(first, { dimensions: 8 })
    await using _ = right.server
    expect(await right.embedder.embed(['a'])).toHaveLength(1)
    expect(right.embedder.dimensions()).toBe(8)
    const wrong = await withServer(first, { dimensions: 16 })
    await using __ = wrong.server
    await expect(wrong.embedder.embed(['a'])).rejects.toThrow(/8 numbers a text instead of 16/)
  })

  test.each<[string, unknown]>([
    ['too few', { data: [] }],
    ['holes', { data: [{ index: 0, embedding: [1, null] }] }],
    ['no list', { data: 'x' }],
    ['zeros', { data: [{ index: 0, embedding: [0, 0] }] }],
    ['nothing', { data: [{ index: 0, embedding: [] }] }],
    ['too many', { data: [1, 2].map((n) => ({ index: n - 1, embedding: [n] })) }],
    [
      'base64 that is not numbers',
      { data: [{ index: 0, embedding: Buffer.from([0, 0, 192, 127]).toString('base64') }] },
    ],
  ])('that answers nonsense is not believed: %s', async (_, body) => {
    const { server, embedder } = await withServer(() => ({ status: 200, body }))
    await using __ = server
    await expect(embedder.embed(['a'])).rejects.toMatchObject({ code: 'embed-unavailable' })
  })

  test('may answer in base64', async () => {
    const base64 = Buffer.from(Float32Array.of(0.5, -1, 2).buffer).toString('base64')
    const { server, embedder } = await withServer((texts) => answer(texts, () => base64))
    await using _ = server
    expect(await embedder.embed(['a', 'b'])).toEqual([
      [0.5, -1, 2],
      [0.5, -1, 2],
    ])
  })

  test('gets no more at once than it is likely to take: texts, tokens, numbers in the answer', async () => {
    const { server, embedder } = await withServer((texts) =>
      answer(texts, () => Array.from({ length: 4000 }, () => 1)),
    )
    await using _ = server
    await embedder.embed(['the first answer says how long vectors are'])
    await embedder.embed(Array.from({ length: 30 }, () => 'short'))
    await embedder.embed(Array.from({ length: 5 }, () => 'long '.repeat(4_000)))
    expect(server.embedded.slice(1, 3).map((batch) => batch.length)).toEqual([25, 5])
    expect(server.embedded.slice(3).map((batch) => batch.length)).toEqual([2, 2, 1])
  })

  test('that takes smaller batches gets smaller ones from then on', async () => {
    const few = (texts: string[]) =>
      texts.length > 32 ? refuse('batch size 64 > maximum allowed batch size 32', 422) : undefined
    const { server, embedder } = await withServer(few, { concurrency: 1 })
    await using _ = server
    expect(await embedder.embed(Array.from({ length: 64 }, (_, n) => `text ${n}`))).toHaveLength(64)
    await embedder.embed(Array.from({ length: 64 }, (_, n) => `text ${n}`))
    expect(server.embedded.map((batch) => batch.length)).toEqual([64, 32, 32, 32, 32])
  })

  test('truncates what is too long where it can; else the text is cut, and the others are not', async () => {
    const long = 'word '.repeat(100)
    const words = 'This model has a maximum context length of 300 tokens'
    const vllm = await withServer((texts, _, body) =>
      texts.some((text) => text.length > 300) && !body.truncate_prompt_tokens ? refuse(words) : undefined,
    )
    await using _ = vllm.server
    expect(await vllm.embedder.embed(['short', long])).toHaveLength(2)
    expect(vllm.server.embedded).toEqual([
      ['short', long],
      ['short', long],
    ])
    const strict = await withServer((texts, _, body) => {
      if (body.truncate_prompt_tokens) return refuse('Unrecognized request argument: truncate_prompt_tokens')
      return texts.some((text) => text.length > 300) ? refuse(words) : undefined
    })
    await using __ = strict.server
    expect(await strict.embedder.embed(['short', long])).toHaveLength(2)
    expect(strict.server.embedded.at(-1)?.[0]).toHaveLength(281)
    expect(strict.server.embedded).toContainEqual(['short'])
    const never = await withServer(() => refuse(words))
    await using ___ = never.server
    await expect(never.embedder.embed([long])).rejects.toMatchObject({ code: 'embed-unavailable' })
  })

  test('that is overloaded is left alone by all bulk work for as long as it asks', async () => {
    const seen: number[] = []
    const { server, embedder } = await withServer((_, n) => {
      seen.push(Date.now())
      return n === 1 ? { status: 503, body: {}, headers: { 'retry-after': '1' } } : undefined
    })
    await using _ = server
    const first = embedder.embed(['a'])
    while (seen.length === 0) await pause(5)
    await pause(50)
    await Promise.all([first, embedder.embed(['b'])])
    expect(seen.slice(1).map((at) => at - (seen[0] ?? 0) > 950)).toEqual([true, true])
  })

  test('gets a few requests at a time', async () => {
    let now = 0
    let most = 0
    const spend: Spend = async () => {
      now += 1
      most = Math.max(most, now)
      const settle = async () => {
        now -= 1
      }
      return { settle }
    }
    const { server, embedder } = await withServer(undefined, { concurrency: 3, spend })
    await using _ = server
    await embedder.embed(
      Array.from({ length: 64 * 8 }, (_, n) => `${n}`),
      { workspace: 'T1' },
    )
    expect([most, now]).toEqual([3, 0])
  })

  test('gets nothing before its tokens are held; what it used is settled, and nothing where it did not read', async () => {
    const ledger: string[] = []
    const spend: Spend = async (tokens, workspace) => {
      if (tokens > 5_000)
        throw new Fault('embed-unavailable', 'the budget of today is spent', { retry: true })
      ledger.push(`${workspace} holds ${tokens}`)
      return { settle: async (used) => void ledger.push(`used ${used}`) }
    }
    const overloaded = { status: 429, body: {}, headers: { 'retry-after-ms': '1' } }
    const { server, embedder } = await withServer(
      (texts, n) => (n === 1 ? overloaded : answer(texts, () => [1])),
      { spend },
    )
    await using _ = server
    await embedder.embed(['four'], { workspace: 'T1' })
    expect(ledger).toEqual(['T1 holds 4', 'used 0', 'T1 holds 4', 'used 7'])
    const dear = embedder.embed(['word '.repeat(4_000)], { workspace: 'T1' })
    await expect(dear).rejects.toMatchObject({ message: 'the budget of today is spent', retry: true })
    expect(server.embedded).toHaveLength(2)
    await embedder.embed(['nobody asks'])
    expect(ledger).toHaveLength(4)
  })

  test('reads the words that its model wants before questions and passages', async () => {
    const { server, embedder } = await withServer(undefined, {
      prefix: { query: 'query: ', passage: 'passage: ' },
    })
    await using _ = server
    await embedder.embed(['a'])
    await embedder.embed(['b'], { priority: 'query', permit: undefined })
    expect(server.embedded).toEqual([['passage: a'], ['query: b']])
  })

  test('in the cloud is sent no question without a permit for the place where it was asked', async () => {
    const { server, embedder } = await withServer(undefined, { tier: 'cloud' })
    await using _ = server
    const ask = (permit: CloudPermit | undefined) => embedder.embed(['b'], { priority: 'query', permit })
    await expect(ask(undefined)).rejects.toMatchObject({ code: 'embed-unavailable' })
    expect(server.connections()).toBe(0)
    await ask(permitCloud(PolicyFile.parse({}), { channel: 'C1', agent: 'quorum' }))
    expect(server.embedded).toEqual([['b']])
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

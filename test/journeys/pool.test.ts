/** What a thread sees of the pool: who answered, waits, passages instead of an answer, channels that stay in the house. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ingest } from '../../src/agent/knowledge/ingest.ts'
import { readSteps } from '../../src/store/runs.ts'
import { openFiles } from '../support/knowledge.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { openVllm, type Vllm } from '../support/vllm-server.ts'

describe('one local server and one in the cloud', () => {
  let stage: Stage
  let local: Vllm
  let cloud: Vllm
  beforeAll(async () => {
    local = await openVllm({ reply: () => ({ text: 'From the house.' }) })
    cloud = await openVllm({ reply: () => ({ text: 'From the cloud.' }) })
    stage = await openStage({
      pools: () => ({
        main: {
          model: 'test',
          replicas: [local.url],
          instead: ['backup'],
          revision: 'r7',
          sampling: { temperature: 0 },
        },
        backup: { model: 'test', replicas: [cloud.url], tier: 'cloud', price: { prompt: 1, completion: 2 } },
      }),
      budgets: { workspace: { month: { dollars: 100 } } },
      patience: { quotes: '3s', end: '30m' },
      channels: ({ ops }) => ({ [ops]: { models: 'local' } }),
    })
    await using files = await openFiles({ 'pages/berth.md': '# Berths\n\nBerth nine is the deep one.\n' })
    const source = { directory: 'pages', audience: 'everyone', link: 'https://wiki.test/{path}' } as const
    const { pool } = stage.engines.store
    await ingest({ pool, home: files.dir }, stage.workspace.team, 'pages', source)
  })
  afterAll(async () => {
    await stage[Symbol.asyncDispose]()
    await local[Symbol.asyncDispose]()
    await cloud[Symbol.asyncDispose]()
  })

  const askIn = async (channel: string, text: string) => {
    const ts = await stage.workspace.say(stage.workspace.users.ana, channel, text)
    return { ts, said: () => stage.said(channel, ts).at(-1) ?? '' }
  }
  const lastSteps = async (channel: string, ts: string) => {
    const { pool } = stage.engines.store
    const found = await pool.query('select id from runs where channel = $1 and message = $2', [channel, ts])
    return readSteps(pool, found.rows[0]?.id)
  }

  test('the local one answers, and the trace says what made two answers alike', async () => {
    const { general } = stage.workspace.channels
    const { ts, said } = await stage.ask('@quorum which berth is deep?')
    expect(said.at(-1)).toContain('From the house.')
    const [answered] = (await lastSteps(general, ts)).filter((step) => step.kind === 'answered')
    expect(answered).toMatchObject({
      model: 'test',
      by: { pool: 'main', tier: 'local', revision: 'r7', settings: { temperature: 0, maxTokens: 4096 } },
    })
    expect(answered?.promptHash).toMatch(/^[0-9a-f]{64}$/)
    expect(cloud.connections()).toBe(0)
  })

  test('while it is away the cloud answers and the badge says so, but nothing of a local channel goes there', async () => {
    const { general, ops } = stage.workspace.channels
    await local.fail('refuse')
    const kept = await askIn(ops, '@quorum which berth is deep?')
    await until(async () => (await lastSteps(ops, kept.ts)).some(({ kind }) => kind === 'recalled'), 20_000)
    await until(async () => kept.said().includes('in the words of the pages'), 40_000)
    // Somebody watches the cloud's sockets: nobody has even connected.
    expect(cloud.connections()).toBe(0)
    expect(kept.said()).toContain('Berth nine is the deep one.')
    const blocks = JSON.stringify(stage.workspace.messages(ops, kept.ts))
    expect(blocks).toContain('https://wiki.test/berth.md')
    expect(blocks).toContain('No model: passages only')
    await stage.ended(ops, kept.ts)
    expect((await lastSteps(ops, kept.ts)).at(-1)).toMatchObject({ kind: 'finished', code: 'quotes-only' })

    const open = await askIn(general, '@quorum which berth is deep?')
    await until(async () => open.said().includes('From the cloud.'), 40_000)
    expect(JSON.stringify(stage.workspace.messages(general, open.ts))).toContain(
      'test (cloud, in place of the usual model)',
    )
    expect(cloud.connections()).toBeGreaterThan(0)
    expect(JSON.stringify(cloud.requests)).not.toContain(ops)
    await local.fail(undefined)
  }, 120_000)

  test('who finds nothing in the pages waits, is told so, and is answered when the server is back', async () => {
    const { ops } = stage.workspace.channels
    await local.fail('refuse')
    const before = cloud.connections()
    const asked = await askIn(ops, '@quorum xylophone?')
    await until(
      async () =>
        JSON.stringify(stage.workspace.messages(ops, asked.ts)).includes('Waiting for a model server'),
      40_000,
    )
    expect(cloud.connections()).toBe(before)
    await local.fail(undefined)
    await until(async () => asked.said().includes('From the house.'), 40_000)
  }, 120_000)
})

test('a question of a local channel is embedded by no server in the cloud: its words are searched, and the trace says so', async () => {
  await using local = await openVllm({ reply: () => ({ text: 'From the house.' }) })
  await using stage = await openStage({
    pools: () => ({ main: { model: 'test', replicas: [local.url] } }),
    embeddings: { tier: 'cloud', price: 0.02 },
    budgets: { workspace: { month: { dollars: 100 } } },
    channels: ({ ops }) => ({ [ops]: { models: 'local' } }),
  })
  await using files = await openFiles({ 'pages/berth.md': '# Berths\n\nBerth nine is the deep one.\n' })
  const { pool } = stage.engines.store
  const source = { directory: 'pages', audience: 'everyone' } as const
  await ingest({ pool, home: files.dir }, stage.workspace.team, 'pages', source)
  const { ops, general } = stage.workspace.channels
  const recalledIn = async (channel: string) => {
    const ts = await stage.workspace.say(stage.workspace.users.ana, channel, '@quorum which berth is deep?')
    await stage.ended(channel, ts)
    const found = await pool.query('select id from runs where channel = $1 and message = $2', [channel, ts])
    return (await readSteps(pool, found.rows[0]?.id)).find(({ kind }) => kind === 'recalled')
  }
  expect(await recalledIn(ops)).toMatchObject({
    degraded: expect.stringContaining('keyword search only: what is asked here stays in the house'),
    passages: [expect.objectContaining({ text: expect.stringContaining('Berth nine') })],
  })
  // The server of the embeddings was not asked anything at all.
  expect(stage.model.connections()).toBe(0)
  await recalledIn(general)
  expect(stage.model.embedded.flat().join()).toContain('which berth is deep?')
}, 120_000)

test('many questions at once: what has no room waits in the queue, not on the server, and all are answered', async () => {
  await using gpu = await openVllm({
    maxRunning: 2,
    decode: 100,
    reply: () => ({ text: 'Here you are, at last.' }),
  })
  await using stage = await openStage({
    pools: () => ({ main: { model: 'test', replicas: [gpu.url], atOnce: 3 } }),
    slots: 16,
  })
  const { workspace } = stage
  const { general } = workspace.channels
  const threads = await Promise.all(
    Array.from({ length: 14 }, (_, n) =>
      workspace.say(workspace.users.ana, general, `@quorum question ${n}?`),
    ),
  )
  let most = 0
  let over = false
  const watching = (async () => {
    while (!over) {
      most = Math.max(most, gpu.running() + gpu.waiting())
      await sleep(2)
    }
  })()
  for (const ts of threads) await stage.ended(general, ts)
  over = true
  await watching
  expect(most).toBeLessThanOrEqual(3)
  for (const ts of threads) expect(stage.said(general, ts).at(-1)).toContain('Here you are, at last.')
}, 120_000)

/** Long prompts and short ones: which pool takes them, what fits, what a server bears, and what it remembers. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { ChatMessage } from '../../src/core/chat.ts'
import { isTooLong, type Pool, roomBeside } from '../../src/core/pools.ts'
import { orderFor } from '../../src/core/route.ts'
import { type ModelOptions, openModels } from '../../src/models/open.ts'
import { openModelServer } from '../support/model-server.ts'
import { about, askFor } from '../support/models.ts'
import { openVllm } from '../support/vllm-server.ts'

function modelsOf(pools: Record<string, Pool>, options: Partial<ModelOptions> = {}) {
  const models = openModels({ pools, env: {}, watch: false, ...options })
  return { ...models, [Symbol.dispose]: () => models.close() }
}

const long = { messages: [{ role: 'user', content: 'A long report. '.repeat(6_000) }], tools: [] } satisfies {
  messages: ChatMessage[]
  tools: []
}

test('a pool of its own for long prompts gets those, and no other', async () => {
  await using main = await openVllm()
  await using slow = await openVllm()
  using models = modelsOf({
    main: { model: 'test', replicas: [main.url], lanes: ['interactive', 'background'], instead: ['slow'] },
    slow: { model: 'test', replicas: [slow.url], lanes: ['long'] },
  })
  expect(await askFor(models, { request: long })).toMatchObject({ lane: 'long', served: { pool: 'slow' } })
  expect(await askFor(models)).toMatchObject({ lane: 'interactive', served: { pool: 'main' } })
  expect([main.asked(), slow.asked()]).toEqual([1, 1])
  const background = { about: { ...about, lane: 'background' as const } }
  expect(await askFor(models, background)).toMatchObject({ lane: 'background', served: { pool: 'main' } })
  // Who waits for it is woken by it.
  await slow.fail('overloaded')
  expect(await askFor(models, { request: long })).toMatchObject({ wait: { key: 'pool:slow' }, lane: 'long' })
})

test('where no pool is for long prompts, any takes them', async () => {
  await using main = await openVllm()
  using models = modelsOf({ main: { model: 'test', replicas: [main.url], lanes: ['interactive'] } })
  expect(await askFor(models, { request: long })).toMatchObject({ served: { pool: 'main' } })
})

test('a prompt that leaves no room for an answer of use is not sent', async () => {
  await using gpu = await openVllm({ contextTokens: 8_192 })
  using models = modelsOf({ main: { model: 'test', replicas: [gpu.url], contextTokens: 8_192 } })
  const ask = (tokens: number) =>
    askFor(models, { request: { messages: [{ role: 'user', content: 'abc '.repeat(tokens) }], tools: [] } })
  await expect(ask(7_850)).rejects.toMatchObject({ code: 'model-too-long' })
  expect(gpu.asked()).toBe(0)
  expect(await ask(7_700)).toMatchObject({ finish: 'stop' })
  expect(gpu.requests[0]?.max_tokens).toBeGreaterThanOrEqual(256)
})

test('whatever fits by the one sum is answered with room by the other', () => {
  for (const context of [500, 8_192, 131_072])
    for (let prompt = 1; prompt < context * 1.1; prompt += 37)
      if (!isTooLong(prompt, context))
        expect(roomBeside(prompt, context)).toBeGreaterThanOrEqual(Math.min(256, context / 8))
})

test('what a server bears is not what it ran while it read prompts', async () => {
  let page = { running: 1, waiting: 3 }
  const server = createServer((request, response) => {
    const gauges = `vllm:num_requests_running ${page.running}\nvllm:num_requests_waiting ${page.waiting}\n`
    response.writeHead(200).end(request.url === '/metrics' ? gauges : '{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  using models = modelsOf(
    { main: { model: 'test', replicas: [`http://127.0.0.1:${port}/v1`] } },
    { watch: true },
  )
  const replica = models.pools[0]?.replicas[0]
  await untilSo(() => replica?.mostRunning === 1)
  page = { running: 12, waiting: 0 }
  await untilSo(() => replica?.mostRunning === 12)
  server.close()
  server.closeAllConnections()
})

test('after a hedge it is the replica that answered of which others are taken to find their beginning there', async () => {
  let asked = 0
  const script = () => {
    asked += 1
    return asked === 1 ? { fault: 'stall-before' as const } : { text: 'So.' }
  }
  await using one = await openModelServer(script)
  await using two = await openModelServer(script)
  const all = [one, two]
  using models = modelsOf({
    main: { model: 'test', replicas: [one.url, two.url], hedge: '50ms', timers: { firstToken: '20s' } },
  })
  await askFor(models)
  expect(all.map(({ requests }) => requests.length)).toEqual([1, 1])
  await untilSo(() => all.some(({ abandoned }) => abandoned() === 1))
  const silent = all.find(({ abandoned }) => abandoned() === 1)
  const spoke = all.find((server) => server !== silent)
  const urls = all.map(({ url }) => ({ id: url }))
  const threads = Array.from({ length: 50 }, (_, n) => `${n + 2}.0`)
  const thread = threads.find((ts) => orderFor(`T1 C1 ${ts}`, urls)[0]?.id === spoke?.url) ?? ''
  await askFor(models, { about: { ...about, thread } })
  expect([silent?.requests.length, spoke?.requests.length]).toEqual([1, 2])
})

async function untilSo(probe: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !probe(); i += 1) await sleep(10)
  expect(probe()).toBe(true)
}

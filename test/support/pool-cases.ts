/** What a pool does whatever its servers are: held against servers of ours, and against real ones. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { ChatAnswer, ChatMessage } from '../../src/core/chat.ts'
import type { Pool } from '../../src/core/pools.ts'
import { type ModelAnswer, type ModelOptions, type OpenModels, openModels } from '../../src/models/open.ts'
import type { PoolServer } from './llama-server.ts'
import { about, askFor } from './models.ts'
import type { VllmFault } from './vllm-server.ts'

let opened: AsyncDisposable[] = []

/** Closes what a test opened, when it has ended. */
export function closeAfterEach(): void {
  afterEach(async () => {
    for (const one of opened.reverse()) await one[Symbol.asyncDispose]()
    opened = []
  })
}

/** Opens, to be closed after the test. */
export async function openAll<T extends AsyncDisposable>(
  count: number,
  open: (n: number) => Promise<T>,
): Promise<T[]> {
  const all = await Promise.all(Array.from({ length: count }, (_, n) => open(n)))
  opened.push(...all)
  return all
}

const patient = { firstToken: '400ms', idle: '400ms', total: '20s' }

export function poolOf(all: readonly { url: string }[], more: Partial<Pool> = {}): Pool {
  return { model: 'test', replicas: all.map(({ url }) => url), timers: patient, ...more }
}

export function modelsOf(pools: Record<string, Pool>, options: Partial<ModelOptions> = {}): OpenModels {
  const models = openModels({ pools, env: {}, watch: false, ...options })
  opened.push({ [Symbol.asyncDispose]: async () => models.close() })
  return models
}

export function answered(answer: ModelAnswer): ChatAnswer {
  if ('wait' in answer) throw new Error(`it waits: ${answer.wait.text}`)
  return answer
}

export const thread = (n: number) => ({ about: { ...about, thread: `${n}.0` } })

export const turns = (...texts: string[]): ChatMessage[] => [
  { role: 'system', content: 'You are a teammate. '.repeat(40) },
  ...texts.map((content, i) => ({ role: i % 2 === 0 ? ('user' as const) : ('assistant' as const), content })),
]

export async function comes(probe: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1_000; i += 1) {
    if (await probe()) return
    await sleep(10)
  }
  throw new Error(`it never came: ${probe}`)
}

/**
 * The cases, in the file of tests that calls this. `timers`: what these servers need to be taken for well. `window`:
 * the tokens of a conversation they tell of.
 */
export function testPool(
  open: (n: number) => Promise<PoolServer>,
  { timers = patient, window }: { timers?: Pool['timers']; window: number },
): void {
  const servers = (count: number) => openAll(count, open)
  const pool = (all: PoolServer[]) => ({ main: poolOf(all, { timers, maxOutputTokens: 24 }) })

  test('a conversation stays where its beginning is cached; others go elsewhere', async () => {
    const all = await servers(3)
    const models = modelsOf(pool(all))
    for (let turn = 0; turn < 3; turn += 1)
      for (let n = 0; n < 12; n += 1) {
        const past = Array.from({ length: turn * 2 }, (_, i) => `${i} of ${n} `.repeat(60))
        const messages = turns(...past, 'What now?')
        answered(await askFor(models, { request: { messages, tools: [] }, ...thread(n) }))
      }
    const longer = (one: PoolServer) => one.requests.filter(({ messages }) => messages.length > 2)
    const hosts = (n: number) =>
      all.filter((one) => longer(one).some(({ messages }) => JSON.stringify(messages).includes(`0 of ${n} `)))
    for (let n = 0; n < 12; n += 1) expect(hosts(n).length).toBe(1)
    expect(all.filter((one) => longer(one).length > 0).length).toBeGreaterThan(1)
  }, 60_000)

  test('a turn finds the one before it in the cache', async () => {
    const models = modelsOf(pool(await servers(2)))
    const ask = async (...texts: string[]) =>
      answered(await askFor(models, { request: { messages: turns(...texts), tools: [] } }))
    const one = `Name a colour, ${Date.now()}.`
    const first = await ask(one, 'Blue.', 'Another?')
    const second = await ask(one, 'Blue.', 'Another?', first.text, 'And one more.')
    expect(second.usage?.prompt).toBeGreaterThan(first.usage?.prompt ?? Number.POSITIVE_INFINITY)
    expect(second.usage?.cached).toBeGreaterThan(180)
  }, 60_000)

  describe('a replica fails', () => {
    const faults: VllmFault[] = ['refuse', 'stall-before', 'stall-after', 'cut', 'truncate', 'broken']
    test.each(faults)(
      '%s: another one answers, and after some failures it is left alone',
      async (fault) => {
        const all = await servers(3)
        const models = modelsOf(pool(all))
        await all[0]?.fail(fault)
        for (let n = 0; n < 14; n += 1) {
          const answer = answered(await askFor(models, thread(n)))
          expect(answer.text).not.toBe('')
          expect(answer.usage?.completion).toBeGreaterThan(0)
        }
        // Two of three answers to beginnings go there at most, before its breaker opens.
        expect(models.pools[0]?.replicas[0]?.breaker.state === 'open' || all[0]?.asked() === 0).toBe(true)
        expect(all[0]?.asked()).toBeLessThanOrEqual(4)
      },
      60_000,
    )

    test('overload is no failure: it is left alone as long as it asks, then used again', async () => {
      const [one] = await servers(1)
      await one?.fail('overloaded', 1)
      const models = modelsOf(pool([one as PoolServer]))
      expect(await askFor(models)).toMatchObject({ wait: { for: 'capacity', key: 'pool:main' } })
      expect(models.pools[0]?.replicas[0]?.breaker.state).toBe('closed')
      expect(await askFor(models)).toHaveProperty('wait')
      expect(one?.asked()).toBe(1)
      await comes(async () => !('wait' in (await askFor(models))))
    })

    test('a caller who gives up is let go at once, and the server is not blamed', async () => {
      const [one] = await servers(1)
      await one?.fail('stall-before')
      const models = modelsOf({ main: poolOf([one as PoolServer], { timers: { firstToken: '20s' } }) })
      const control = new AbortController()
      const asked = askFor(models, { signal: control.signal })
      await comes(() => one?.asked() === 1)
      control.abort(new Error('never mind'))
      await expect(asked).rejects.toThrow('never mind')
      expect(models.pools[0]?.replicas[0]?.breaker).toMatchObject({ state: 'closed', fails: 0 })
      await comes(() => one?.running() === 0)
    })
  })

  describe('what servers say of themselves', () => {
    test('counts, speed, the window, the size of prompts', async () => {
      const [one] = await servers(1)
      const models = modelsOf(
        { main: poolOf([one as PoolServer], { timers: { firstToken: '20s' }, maxOutputTokens: 24 }) },
        { watch: true },
      )
      const replica = models.pools[0]?.replicas[0]
      await comes(() => replica?.metrics !== undefined && replica.health.state === 'up')
      expect(replica?.metrics).toMatchObject({ running: expect.any(Number), tokens: expect.any(Number) })
      await comes(() => replica?.contextTokens === window)
      const request = { messages: turns('A long report. '.repeat(1_000)), tools: [] }
      const counted = (await models.pools[0]?.counter.count(request, replica)) ?? 0
      const { usage } = answered(await askFor(models, { request }))
      expect(Math.abs(counted - (usage?.prompt ?? 0)) / counted).toBeLessThan(0.05)
      expect(await models.pools[0]?.counter.count(request)).toBe(usage?.prompt)
      expect(replica?.speed).toBeGreaterThan(0)
    }, 60_000)

    test('a server that goes is noticed, and given little at first when it is back', async () => {
      const [one] = await servers(1)
      const models = modelsOf({ main: poolOf([one as PoolServer], { timers }) }, { watch: true })
      const replica = models.pools[0]?.replicas[0]
      await comes(() => replica?.health.state === 'up')
      await one?.fail('refuse')
      await comes(() => replica?.health.state === 'down')
      expect(await askFor(models)).toHaveProperty('wait')
      await one?.fail(undefined)
      await comes(() => replica?.health.state === 'up')
      expect(replica?.backSince).toBeDefined()
      answered(await askFor(models))
    }, 60_000)
  })
}

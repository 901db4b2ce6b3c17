import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../src/core/fault.ts'
import type { Meter, Used } from '../../src/core/meter.ts'
import { permitCloud } from '../../src/core/permit.ts'
import type { Pool } from '../../src/core/pools.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import { CLOSED } from '../../src/core/wait.ts'
import { about, askFor } from '../support/models.ts'
import {
  answered,
  closeAfterEach,
  comes,
  modelsOf,
  openAll,
  poolOf,
  testPool,
  thread,
  turns,
} from '../support/pool-cases.ts'
import { openVllm, type Vllm, type VllmFault, type VllmOptions } from '../support/vllm-server.ts'

closeAfterEach()

const servers = (count: number, options: VllmOptions = {}) => openAll(count, () => openVllm(options))

testPool(() => openVllm(), { window: 32_768 })

describe('which replica', () => {
  test('what one workspace sent is in no other workspace’s cache, and its id is not told', async () => {
    const [one] = await servers(1)
    const models = modelsOf({ main: poolOf([one as Vllm]) })
    const request = { messages: turns('The same question.'), tools: [] }
    const ask = async (workspace: string) =>
      answered(await askFor(models, { request, about: { ...about, workspace } })).usage?.cached
    expect(await ask('T1')).toBe(0)
    expect(await ask('T1')).toBeGreaterThan(100)
    expect(await ask('T2')).toBe(0)
    for (const { cache_salt: salt } of one?.requests ?? []) {
      expect(salt).toMatch(/^[A-Za-z0-9_-]{1,128}$/)
      expect(salt).not.toMatch(/T1|T2/)
    }
  })

  test('a drained replica gets no new call and finishes what it has', async () => {
    const [a, b] = await servers(2, { decode: 30, reply: () => ({ text: 'word '.repeat(60) }) })
    const drained = new Set<string>()
    const models = modelsOf({ main: poolOf([a as Vllm, b as Vllm]) }, { drained: () => drained })
    const first = askFor(models)
    await comes(() => (a?.running() ?? 0) + (b?.running() ?? 0) === 1)
    const busy = a?.running() ? a : b
    drained.add(busy?.url ?? '')
    for (let n = 0; n < 3; n += 1) answered(await askFor(models, thread(n)))
    expect(busy?.asked()).toBe(1)
    expect(answered(await first).finish).toBe('stop')
  })

  test('a replica that was started with another model is passed over', async () => {
    const [wrong, right] = await servers(2)
    await wrong?.fail('wrong-model')
    const models = modelsOf({ main: poolOf([wrong as Vllm, right as Vllm]) }, { watch: true })
    await comes(() => models.pools[0]?.replicas.every(({ models: listed }) => listed) ?? false)
    for (let n = 0; n < 8; n += 1) answered(await askFor(models, thread(n)))
    expect(wrong?.asked()).toBe(0)
  })

  test('before that is known, the one that has the model answers', async () => {
    const [wrong, right] = await servers(2)
    await wrong?.fail('wrong-model')
    const models = modelsOf({ main: poolOf([wrong as Vllm, right as Vllm]) })
    for (let n = 0; n < 6; n += 1) answered(await askFor(models, thread(n)))
  })
})

describe('a replica fails', () => {
  test('an error in the stream: another one answers, and after some failures it is left alone', async () => {
    const all = await servers(3)
    const models = modelsOf({ main: poolOf(all) })
    await all[0]?.fail('error-chunk')
    for (let n = 0; n < 14; n += 1)
      expect(answered(await askFor(models, thread(n))).text).toMatch(/^So it is/)
    expect(models.pools[0]?.replicas[0]?.breaker.state === 'open' || all[0]?.asked() === 0).toBe(true)
    expect(all[0]?.asked()).toBeLessThanOrEqual(4)
  }, 30_000)

  test('slow death: it is cut off by its silence, and another one answers', async () => {
    const all = await servers(2, { reply: () => ({ text: 'word '.repeat(100) }) })
    const models = modelsOf({ main: poolOf(all) })
    answered(await askFor(models))
    await all.find((one) => one.asked() === 1)?.fail('slow-death')
    expect(answered(await askFor(models)).text).toBe('word '.repeat(100))
    expect(all.map((one) => one.asked()).sort()).toEqual([1, 2])
  }, 30_000)

  test('all are tried at most thrice, and not beyond the budget of retries', async () => {
    const all = await servers(5)
    await Promise.all(all.map((one) => one.fail('truncate')))
    const models = modelsOf({ main: poolOf(all) })
    await expect(askFor(models)).rejects.toMatchObject({ code: 'model-cut' })
    expect(all.reduce((sum, one) => sum + one.asked(), 0)).toBe(3)
    for (let n = 0; n < 20; n += 1) await askFor(models, thread(n)).catch(() => undefined)
    const asked = all.reduce((sum, one) => sum + one.asked(), 0)
    expect(asked).toBeLessThanOrEqual(21 + 10 + 3)
  })
})

describe('somebody reads along', () => {
  const text = 'one two three four five six seven eight nine ten. '.repeat(8)
  async function read(more: Partial<Pool>, fault: VllmFault, times = 1) {
    const all = await servers(2, { reply: () => ({ text }) })
    for (const one of all) await one.fail(fault, times)
    const models = modelsOf({ main: poolOf(all, more) })
    const shown = ['']
    const onText = (delta: string) => shown.push((shown.pop() ?? '') + delta)
    const onRestart = () => shown.push('')
    const asked = await askFor(models, { onText, onRestart }).catch((error: unknown) => error)
    return { asked, shown, all }
  }

  test('where the model goes on with what it began, nothing is shown twice', async () => {
    const { asked, shown, all } = await read({ continues: true }, 'cut')
    // The second server would fail too, but only its first answer: make sure that both were asked.
    expect(all.every((one) => one.asked() === 1)).toBe(true)
    expect(asked).toBeInstanceOf(Fault)
    expect(text.startsWith(shown[0] ?? '-')).toBe(true)
  })

  test('and ends whole where the other server is well', async () => {
    const all = await servers(2, { reply: () => ({ text }) })
    const models = modelsOf({ main: poolOf(all, { continues: true }) })
    let shown = ''
    let restarts = 0
    const ask = (n: number) =>
      askFor(models, {
        ...thread(n),
        onText: (delta) => {
          shown += delta
        },
        onRestart: () => {
          restarts += 1
        },
      })
    answered(await ask(1))
    const home = all.find((one) => one.asked() === 1)
    shown = ''
    await home?.fail('cut', 1)
    const answer = answered(await ask(1))
    expect(answer.text).toBe(text)
    expect(shown).toBe(text)
    expect(restarts).toBe(0)
    const resumed = all.find((one) => one !== home)?.requests.at(-1)
    expect(resumed).toMatchObject({ continue_final_message: true, add_generation_prompt: false })
  })

  test('where it does not, what was shown is replaced, once', async () => {
    const all = await servers(2, { reply: () => ({ text }) })
    const models = modelsOf({ main: poolOf(all) })
    const home = async () => {
      answered(await askFor(models))
      return all.find((one) => one.asked() > 0)
    }
    await (await home())?.fail('error-chunk', 1)
    let shown = ''
    let restarts = 0
    const answer = answered(
      await askFor(models, {
        onText: (delta) => {
          shown += delta
        },
        onRestart: () => {
          restarts += 1
          shown = ''
        },
      }),
    )
    expect(answer.text).toBe(text)
    expect(shown).toBe(text)
    expect(restarts).toBe(1)
  })

  test('a second failure in the middle ends it: nobody reads a third beginning', async () => {
    const { asked, shown, all } = await read({}, 'error-chunk')
    expect(asked).toBeInstanceOf(Fault)
    expect(shown.length).toBe(2)
    expect(all.reduce((sum, one) => sum + one.asked(), 0)).toBe(2)
  })
})

describe('hedging', () => {
  test('off, a silent replica is waited for', async () => {
    const all = await servers(2)
    const models = modelsOf({ main: poolOf(all, { timers: { firstToken: '20s' } }) })
    answered(await askFor(models))
    const [home, other] = all.toSorted((a, b) => b.asked() - a.asked())
    await home?.fail('stall-before')
    const control = new AbortController()
    const asked = askFor(models, { signal: control.signal })
    await comes(() => home?.asked() === 2)
    await sleep(300)
    expect(other?.asked()).toBe(0)
    control.abort(new Error('never mind'))
    await expect(asked).rejects.toThrow('never mind')
  })

  test('on, another one is asked and only its words count', async () => {
    const all = await servers(2)
    const settled: Used[] = []
    const meter: Meter = async (_, { most }) => ({ most, settle: async (used) => void settled.push(used) })
    const models = modelsOf({ main: poolOf(all, { hedge: '100ms', timers: { firstToken: '20s' } }) })
    answered(await askFor(models, { meter }))
    const home = all.find((one) => one.asked() === 1)
    await home?.fail('stall-before')
    const shown: string[] = []
    const answer = answered(await askFor(models, { meter, onText: (delta) => void shown.push(delta) }))
    expect(shown.join('')).toBe(answer.text)
    await comes(() => home?.running() === 0)
    // Both were held and both were settled; the silent one is not blamed.
    expect(settled.length).toBe(3)
    expect(models.pools[0]?.replicas.every(({ breaker }) => breaker.state === 'closed')).toBe(true)
  })
})

describe('when there is no room', () => {
  test('a server whose queue is full is not given more; who waits is told when there is room', async () => {
    const [one] = await servers(1, { maxRunning: 2, decode: 40, reply: () => ({ text: 'word '.repeat(60) }) })
    const models = modelsOf(
      { main: poolOf([one as Vllm], { timers: { firstToken: '20s' } }) },
      { watch: true },
    )
    const told: string[] = []
    models.onRoom(async (key) => void told.push(key))
    const all = Array.from({ length: 7 }, (_, n) => askFor(models, thread(n)))
    await comes(() => (one?.waiting() ?? 0) >= 4)
    await comes(() => models.pools[0]?.replicas[0]?.mostRunning === 2)
    const late = await askFor(models, thread(9))
    expect(late).toMatchObject({ wait: { for: 'capacity', key: 'pool:main' } })
    if ('wait' in late) expect(late.wait.text).toMatch(/^Waiting for a free model server/)
    await Promise.all(all)
    await comes(() => told.includes('pool:main'))
    await comes(async () => !('wait' in (await askFor(models, thread(9)))))
  }, 30_000)

  test('long prompts go one at a time to a replica that serves others too', async () => {
    const [one] = await servers(1, { decode: 100, reply: () => ({ text: 'word '.repeat(60) }) })
    const models = modelsOf({ main: poolOf([one as Vllm]) })
    const messages = turns('A long report. '.repeat(6_000))
    const long = (n: number) => askFor(models, { request: { messages, tools: [] }, ...thread(n) })
    const first = long(1)
    await comes(() => one?.running() === 1)
    expect(await long(2)).toHaveProperty('wait')
    answered(await askFor(models, thread(3)))
    answered(await first)
    answered(await long(2))
  }, 20_000)

  test('a prompt beyond every window is refused before it is sent', async () => {
    const [one] = await servers(1)
    const models = modelsOf({ main: poolOf([one as Vllm], { contextTokens: 2_000 }) })
    const request = { messages: turns('A long report. '.repeat(6_000)), tools: [] }
    await expect(askFor(models, { request })).rejects.toMatchObject({ code: 'model-too-long' })
    expect(one?.asked()).toBe(0)
  })

  test('work that nobody waits for leaves room', async () => {
    const [one] = await servers(1, { decode: 40, reply: () => ({ text: 'word '.repeat(40) }) })
    const models = modelsOf({ main: poolOf([one as Vllm], { atOnce: 4 }) })
    const background = { ...about, lane: 'background' as const }
    const work = [1, 2, 3].map((n) => askFor(models, { about: { ...background, thread: `${n}.0` } }))
    expect(await work[2]).toHaveProperty('wait')
    answered(await askFor(models))
    await Promise.all(work)
  })
})

describe('who answers instead', () => {
  const anywhere = permitCloud(PolicyFile.parse({}), { channel: about.channel, agent: about.agent })
  async function house() {
    const all = await servers(4)
    const [main, other, small, cloud] = all as [Vllm, Vllm, Vllm, Vllm]
    const models = modelsOf({
      main: poolOf([main], { instead: ['cloud', 'other'], smaller: 'small' }),
      other: poolOf([other]),
      small: poolOf([small]),
      cloud: poolOf([cloud], { tier: 'cloud', price: { prompt: 1, completion: 2 } }),
    })
    return { main, other, small, cloud, models }
  }

  test('another local pool, then a smaller model where the agent allows it, then the cloud', async () => {
    const { main, other, small, cloud, models } = await house()
    const served = async (options = {}) =>
      answered(await askFor(models, { cloud: anywhere, ...options })).served?.instead
    expect(await served()).toBeUndefined()
    await main.fail('refuse')
    expect(await served()).toBe('local')
    await other.fail('refuse')
    expect(await served()).toBe('cloud')
    expect(await served({ smaller: true })).toBe('smaller')
    await small.fail('refuse')
    expect(await served({ smaller: true })).toBe('cloud')
    expect(cloud.requests.every(({ cache_salt: salt }) => salt === undefined)).toBe(true)
  })

  test('without a permit nothing goes to the cloud: it is waited, and after a while the passages are better', async () => {
    const { main, other, small, cloud, models } = await house()
    for (const one of [main, other, small]) await one.fail('refuse')
    const asked = await askFor(models, { smaller: true })
    expect(asked).toMatchObject({ wait: { for: 'capacity', key: 'pool:main' } })
    expect(asked).not.toHaveProperty('quotes')
    const later = await askFor(models, { smaller: true, since: Date.now() - 61_000 })
    expect(later).toMatchObject({ quotes: { pool: 'main' } })
    await expect(askFor(models, { since: Date.now() - 1_900_000 })).rejects.toMatchObject({
      code: 'model-unreachable',
    })
    expect(cloud.asked()).toBe(0)
  })

  test('a permit for another channel opens nothing', async () => {
    const { main, other, cloud, models } = await house()
    for (const one of [main, other]) await one.fail('refuse')
    const elsewhere = permitCloud(PolicyFile.parse({}), { channel: 'C2', agent: about.agent })
    expect(await askFor(models, { cloud: elsewhere })).toHaveProperty('wait')
    expect(cloud.asked()).toBe(0)
  })

  test('a budget that is used up in the cloud leaves the local models, and the wait for them is the shorter one', async () => {
    const [main, cloud] = (await servers(2)) as [Vllm, Vllm]
    const wait = { for: 'budget', key: 'b', until: '2030-01-01T00:00:00Z', text: 'Waiting.' } as const
    const meter: Meter = async (_, { most, tier }) =>
      tier === 'cloud' ? { wait } : { most, settle: async () => undefined }
    const pools = { main: poolOf([main], { instead: ['cloud'] }), cloud: poolOf([cloud], { tier: 'cloud' }) }
    const models = modelsOf(pools)
    await main.fail('refuse')
    expect(await askFor(models, { cloud: anywhere, meter })).toMatchObject({ wait: { for: 'capacity' } })
    expect(cloud.asked()).toBe(0)
  })

  test('a budget that is used up for local models is waited for, though another pool is away', async () => {
    const [main, other, cloud] = (await servers(3)) as [Vllm, Vllm, Vllm]
    const wait = { for: 'budget', key: 'b', until: '2030-01-01T00:00:00Z', text: 'Waiting.' } as const
    const models = modelsOf({
      main: poolOf([main], { instead: ['other', 'cloud'] }),
      other: poolOf([other]),
      cloud: poolOf([cloud], { tier: 'cloud' }),
    })
    await other.fail('refuse')
    expect(await askFor(models, { meter: async () => ({ wait }) })).toMatchObject({ wait })
    // Nor does it end because a cloud model has no money at all.
    const meter: Meter = async (_, { tier }) => ({ wait: tier === 'cloud' ? { ...wait, key: CLOSED } : wait })
    expect(await askFor(models, { cloud: anywhere, meter })).toMatchObject({ wait })
    expect(main.asked() + cloud.asked()).toBe(0)
  })

  test('of two cloud models one whose budget comes back is waited for, whatever the other one lacks', async () => {
    const [one, two] = (await servers(2)) as [Vllm, Vllm]
    const models = modelsOf({
      main: poolOf([one], { tier: 'cloud', instead: ['backup'] }),
      backup: poolOf([two], { tier: 'cloud' }),
    })
    const wait = { for: 'budget', key: 'b', until: '2030-01-01T00:00:00Z', text: 'Waiting.' } as const
    const meter: Meter = async (_, { pool }) => ({ wait: pool === 'main' ? { ...wait, key: CLOSED } : wait })
    expect(await askFor(models, { cloud: anywhere, meter })).toMatchObject({ wait })
  })

  test('where only the cloud could answer and no money may ever be spent there, it ends in a sentence', async () => {
    const [cloud] = await servers(1)
    const wait = { for: 'budget', key: CLOSED, until: '2030-01-01T00:00:00Z', text: 'No budget.' } as const
    const models = modelsOf({ main: poolOf([cloud as Vllm], { tier: 'cloud' }) })
    const asked = askFor(models, { cloud: anywhere, meter: async () => ({ wait }) })
    await expect(asked).rejects.toMatchObject({ code: 'model-unpaid', message: 'No budget.' })
    const used = { ...wait, key: 'workspace::dollars:day' }
    expect(await askFor(models, { cloud: anywhere, meter: async () => ({ wait: used }) })).toEqual({
      wait: used,
      lane: 'interactive',
    })
    expect(cloud?.asked()).toBe(0)
  })

  test('an agent whose own pool is in the cloud is told so where only local models may answer', async () => {
    const [cloud] = await servers(1)
    const models = modelsOf({ main: poolOf([cloud as Vllm], { tier: 'cloud' }) })
    await expect(askFor(models)).rejects.toMatchObject({ code: 'model-refused' })
    expect(cloud?.asked()).toBe(0)
  })
})

describe('what servers say of themselves', () => {
  test.each(['vllm', 'old-vllm', 'llama.cpp'] as const)(
    '%s: counts, speed, the window, prompts',
    async (kind) => {
      const [one] = await servers(1, {
        kind,
        decode: 200,
        contextTokens: 9_000,
        reply: () => ({ text: 'word '.repeat(400) }),
      })
      const models = modelsOf({ main: poolOf([one as Vllm]) }, { watch: true })
      const replica = models.pools[0]?.replicas[0]
      await comes(() => replica?.metrics !== undefined && replica.health.state === 'up')
      await comes(() => replica?.contextTokens === 9_000)
      const asked = askFor(models)
      await comes(() => replica?.metrics?.running === 1)
      answered(await asked)
      expect(replica?.speed).toBeGreaterThan(0)
      const request = { messages: turns('A long report. '.repeat(1_000)), tools: [] }
      const counted = (await models.pools[0]?.counter.count(request, replica)) ?? 0
      const { usage } = answered(await askFor(models, { request }))
      expect(Math.abs(counted - (usage?.prompt ?? 0)) / counted).toBeLessThan(0.05)
      expect(await models.pools[0]?.counter.count(request)).toBe(usage?.prompt)
    },
    20_000,
  )

  test('a server that answers nothing at all is no reason to wait for its pages', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    await using _ = { [Symbol.asyncDispose]: async () => void silent.close() }
    const [well] = await servers(1)
    const { port } = silent.address() as { port: number }
    const pool = poolOf([well as Vllm])
    const models = modelsOf(
      { main: { ...pool, replicas: [`http://127.0.0.1:${port}/v1`, ...pool.replicas] } },
      { watch: true },
    )
    for (let n = 0; n < 4; n += 1) answered(await askFor(models, thread(n)))
  }, 20_000)
})

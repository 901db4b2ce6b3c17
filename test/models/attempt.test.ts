import { expect, test } from 'vitest'
import { Fault } from '../../src/core/fault.ts'
import type { Attempt, Meter, Used } from '../../src/core/meter.ts'
import type { Pool } from '../../src/core/pools.ts'
import { openModels } from '../../src/models/open.ts'
import { openModelServer, type Reply } from '../support/model-server.ts'
import { askFor } from '../support/models.ts'

async function ask(reply: Reply | ((n: number) => Reply), own: { most?: number; pool?: Partial<Pool> } = {}) {
  await using server = await openModelServer((_, n) => (typeof reply === 'function' ? reply(n) : reply))
  const held: Attempt[] = []
  const settled: Used[] = []
  const meter: Meter = async (_, attempt) => {
    held.push(attempt)
    return { most: own.most ?? attempt.most, settle: async (used) => void settled.push(used) }
  }
  const pools = { main: { model: 'test', replicas: [server.url], ...own.pool } }
  const models = openModels({ pools, env: {}, watch: false })
  const asked = await askFor(models, { meter }).catch((error: unknown) => error)
  return { asked, held, settled, requests: server.requests }
}

test('what the server reports is charged, once, and the output is capped at what was held', async () => {
  const { held, settled, requests } = await ask({ text: 'So.' }, { most: 300 })
  expect(held).toMatchObject([{ pool: 'main', model: 'test', tier: 'local', most: 4096, least: 256 }])
  expect(held[0]?.prompt).toBeGreaterThan(3)
  expect(settled).toEqual([{ prompt: 100, completion: 10, sure: true }])
  expect(requests[0]?.body.max_tokens).toBe(300)
})

test('a server that reports nothing is charged by our own count, which says so', async () => {
  const { held, settled } = await ask({ text: 'Roll it back.', usage: null })
  expect(settled).toEqual([{ prompt: held[0]?.prompt, completion: 4, sure: false }])
})

test('every attempt is held and settled: an answer that is cut off is charged for what came, then asked again', async () => {
  const { asked, held, settled } = await ask((n) =>
    n === 1 ? { fault: 'cut', text: 'The first half' } : { text: 'Whole.' },
  )
  expect(asked).toMatchObject({ text: 'Whole.', served: { attempts: 2 } })
  expect(held.length).toBe(2)
  expect(settled).toEqual([
    { prompt: held[0]?.prompt, completion: 3, sure: false },
    { prompt: 100, completion: 10, sure: true },
  ])
})

test('a server that refuses before it reads charges nothing', async () => {
  const { asked, settled } = await ask({ status: 429 })
  expect(asked).toMatchObject({ wait: { for: 'capacity', key: 'pool:main' } })
  expect(settled).toEqual([{ prompt: 0, completion: 0, sure: true }])
})

test('an answer may be as long as its lane allows, and as the window leaves room', async () => {
  const maxOutputTokens = { interactive: 700, background: 50 }
  expect((await ask({ text: 'So.' }, { pool: { maxOutputTokens } })).held[0]?.most).toBe(700)
  const { held } = await ask({ text: 'So.' }, { pool: { contextTokens: 500 } })
  expect(held[0]?.most).toBeLessThan(490)
  expect(held[0]?.most).toBeGreaterThan(440)
})

test('a price is told in micro-dollars for a million tokens', async () => {
  const { held } = await ask({ text: 'So.' }, { pool: { price: { prompt: 2.5, completion: 10 } } })
  expect(held[0]?.price).toEqual({ prompt: 2_500_000, completion: 10_000_000 })
})

test('where there is nothing left, nothing is sent', async () => {
  const until = '2026-01-01T00:00:00Z'
  const wait = { for: 'budget', key: 'w', until, text: 'Waiting for the budget.' } as const
  await using server = await openModelServer()
  const pools = { main: { model: 'test', replicas: [server.url] } }
  const models = openModels({ pools, env: {}, watch: false })
  expect(await askFor(models, { meter: async () => ({ wait }) })).toEqual({ wait, lane: 'interactive' })
  expect(server.requests).toEqual([])
})

test('a request that the server refuses is not asked twice', async () => {
  const { asked, requests } = await ask({ status: 400, body: { error: { message: 'no' } } })
  expect(asked).toBeInstanceOf(Fault)
  expect(requests.length).toBe(1)
})

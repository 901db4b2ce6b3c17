import { expect, test } from 'vitest'
import { Fault } from '../../src/core/fault.ts'
import type { Attempt, Meter, Used } from '../../src/core/meter.ts'
import { openChat } from '../../src/models/chat.ts'
import { askMetered } from '../../src/models/metered.ts'
import { openModelServer, type Reply } from '../support/model-server.ts'

const about = {
  workspace: 'T1',
  channel: 'C1',
  thread: '1.0',
  user: 'U1',
  agent: 'quorum',
  lane: 'interactive',
} as const
const attempt: Attempt = { pool: 'main', model: 'test', tier: 'local', prompt: 40, most: 900, least: 100 }

async function ask(reply: Reply, most = 900) {
  await using server = await openModelServer(() => reply)
  const settled: Used[] = []
  const meter: Meter = async () => ({ most, settle: async (used) => void settled.push(used) })
  const chat = openChat({ model: 'test', replicas: [server.url] }, {})
  const signal = new AbortController().signal
  const request = { messages: [{ role: 'user' as const, content: 'How?' }], tools: [] }
  const asked = await askMetered(chat, meter, attempt, request, { signal, about }).catch((error) => error)
  return { asked, settled, sent: server.requests[0]?.body }
}

test('what the server reports is charged, once, and the output is capped at what was held', async () => {
  const { settled, sent } = await ask({ text: 'So.' }, 300)
  expect(settled).toEqual([{ prompt: 100, completion: 10, sure: true }])
  expect(sent?.max_tokens).toBe(300)
})

test('a server that reports nothing is charged by our own count, which says so', async () => {
  const { settled } = await ask({ text: 'Roll it back.', usage: null })
  expect(settled).toEqual([{ prompt: 40, completion: 4, sure: false }])
})

test('an answer that is cut off is charged for what came', async () => {
  const { asked, settled } = await ask({ fault: 'cut', text: 'The first half' })
  expect(asked).toBeInstanceOf(Fault)
  expect(settled).toEqual([{ prompt: 40, completion: 3, sure: false }])
})

test('a server that refuses before it reads charges nothing', async () => {
  const { settled } = await ask({ status: 429 })
  expect(settled).toEqual([{ prompt: 0, completion: 0, sure: true }])
})

test('where there is nothing left, nothing is sent', async () => {
  const wait = {
    for: 'budget',
    key: 'w',
    until: '2026-01-01T00:00:00Z',
    text: 'Waiting for the budget.',
  } as const
  await using server = await openModelServer()
  const chat = openChat({ model: 'test', replicas: [server.url] }, {})
  const signal = new AbortController().signal
  const request = { messages: [{ role: 'user' as const, content: 'How?' }], tools: [] }
  const asked = await askMetered(chat, async () => ({ wait }), attempt, request, { signal, about })
  expect(asked).toEqual({ wait })
  expect(server.requests).toEqual([])
})

import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { type AdvanceContext, advance } from '../../src/agent/advance.ts'
import type { ChatAnswer } from '../../src/core/chat.ts'
import { Fault } from '../../src/core/fault.ts'
import { AgentFront } from '../../src/core/home.ts'
import { LOOKUP } from '../../src/core/lookup.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import type { Wait } from '../../src/core/wait.ts'
import type { Message } from '../../src/slack/message.ts'
import { createRun, readSteps } from '../../src/store/runs.ts'
import { wakeWaiting } from '../../src/store/wakeups.ts'
import { NOBODY_KNOWN, NOTHING_TO_READ } from '../support/advancing.ts'
import { openTestStore } from '../support/store.ts'
import { noStreams } from '../support/streams.ts'

const at = () => new Date().toISOString()
const answer: ChatAnswer = {
  text: 'The answer.',
  calls: [],
  finish: 'stop',
  model: 'm',
  firstTokenMs: 1,
  ms: 1,
}
const never = new AbortController().signal

test.each([
  [new Fault('slack-limited', 'Slack asks us to wait.', { retry: true }), 'The answer.'],
  [new Error('a bug'), 'Something went wrong'],
])('what the thread is told after eight attempts that met "%s"', async (trouble, told) => {
  await using store = await openTestStore()
  const said: string[] = []
  let troubles = 8
  const context = contextOn(store.pool, {
    post(message) {
      if (!message.metadata?.part.startsWith('end:')) return
      troubles -= 1
      if (troubles >= 0) throw trouble
      said.push(message.text)
    },
  })
  const run = await makeRun(store.pool)
  for (let attempt = 0; attempt < 12; attempt++) {
    // What was announced and broke off is left by its author after a while; here that while is over.
    await store.pool.query(`update posts set begun_at = now() - interval '1 minute' where ts is null`)
    await advance(context, run, never)
  }
  expect(said).toEqual([expect.stringContaining(told)])
})

test('a run that waits for something that is not a person says what for, lets go, and is woken by it alone', async () => {
  await using store = await openTestStore()
  const shown: string[] = []
  const until = new Date(Date.now() + 3_600_000).toISOString()
  const wait: Wait = { for: 'capacity', key: 'main', until, text: 'The models are busy.' }
  let next: ChatAnswer | { wait: Wait } = { wait }
  const context = contextOn(store.pool, { ask: () => next, post: (message) => void shown.push(message.text) })
  const run = await makeRun(store.pool)

  expect(await advance(context, run, never)).toBe('parked')
  expect(shown.join('\n')).toContain('The models are busy.')
  await store.pool.query('delete from wakeups')
  expect(await wakeWaiting(store.pool, 'T2', wait)).toBe(0)
  expect(await wakeWaiting(store.pool, 'T1', { ...wait, for: 'budget' })).toBe(0)
  expect(await wakeWaiting(store.pool, 'T1', { ...wait, key: 'other' })).toBe(0)
  expect(await wakeWaiting(store.pool, 'T1', wait)).toBe(1)

  next = answer
  expect(await advance(context, run, never)).toBe('finished')
  expect(shown).toContain('The answer.')
  expect(await wakeWaiting(store.pool, 'T1', wait)).toBe(0)
})

test('what is waited for a budget is not held against the models; what is waited for them is, until they answer', async () => {
  await using store = await openTestStore()
  const { pool } = store
  const until = new Date(Date.now() + 3_600_000).toISOString()
  const budget: Wait = { for: 'budget', key: 'b', until, text: 'No budget.' }
  const call = { id: '0', tool: LOOKUP.name, args: { query: 'pager' } }
  const begun = Date.now()
  const first = at()
  const answers: (ChatAnswer | { wait: Wait })[] = [
    { wait: budget },
    { wait: { ...budget, for: 'capacity', since: first } },
    { wait: { ...budget, for: 'capacity', since: first } },
    { ...answer, text: '', finish: 'tool_calls', calls: [call] },
    answer,
  ]
  const asked: number[] = []
  const context: AdvanceContext = {
    ...contextOn(pool, {}),
    ask: async (_, { since }) => {
      asked.push(since)
      return answers[asked.length - 1] ?? answer
    },
  }
  const run = await makeRun(pool)
  await pool.query(
    `update steps set body = jsonb_set(body, '{at}', '"2026-01-01T00:00:00.000Z"') where run = $1`,
    [run],
  )
  const { recall } = context
  context.recall = async (...of) => {
    const step = await recall(...of)
    return asked.length === 0 ? { ...step, at: '2026-01-01T00:00:00.000Z' } : step
  }
  for (let i = 0; i < 4; i++) await advance(context, run, never)
  expect(asked.length).toBe(5)
  expect(asked[0]).toBeGreaterThanOrEqual(begun)
  expect(asked[1]).toBeGreaterThanOrEqual(begun)
  expect(asked.slice(2, 4)).toEqual([Date.parse(first), Date.parse(first)])
  expect(asked[4]).not.toBe(Date.parse(first))
})

test('a run whose prompt is long waits among others of that kind from then on', async () => {
  await using store = await openTestStore()
  const { pool } = store
  const until = new Date(Date.now() + 3_600_000).toISOString()
  const wait: Wait = { for: 'capacity', key: 'pool:main', until, text: 'Busy.' }
  const lanes: string[] = []
  const context: AdvanceContext = {
    ...contextOn(pool, {}),
    ask: async (_, { about }) => {
      lanes.push(about.lane)
      return lanes.length === 1 ? { wait, lane: 'long' } : { ...answer, lane: 'long' }
    },
  }
  const run = await makeRun(pool)
  expect(await advance(context, run, never)).toBe('parked')
  await pool.query('delete from wakeups')
  expect(await wakeWaiting(pool, 'T1', wait)).toBe(1)
  expect((await pool.query('select lane from wakeups')).rows).toEqual([{ lane: 'long' }])
  expect(await advance(context, run, never)).toBe('finished')
  expect(lanes).toEqual(['interactive', 'long'])
})

test('what was read before a wait is held against who may read it now, and is not told where that is not everybody', async () => {
  await using store = await openTestStore()
  const until = new Date(Date.now() + 3_600_000).toISOString()
  const wait: Wait = { for: 'capacity', key: 'pool:main', until, text: 'Busy.' }
  const prompts: string[] = []
  let lost: string[] = []
  const context: AdvanceContext = {
    ...contextOn(store.pool, {}),
    ask: async ({ messages }) => {
      prompts.push(JSON.stringify(messages))
      return prompts.length === 1 ? { wait } : answer
    },
    recall: async (_, query) => {
      const passages = ['kept', 'lost'].map((name, i) => ({
        ...{ n: i + 1, passage: name, title: `Title of ${name}`, heading: '', text: `words of ${name}` },
      }))
      return { kind: 'recalled', at: '2026-01-01T00:00:00.000Z', query, passages, sources: 1, ms: 1 }
    },
    unreadable: async () => lost,
  }
  const run = await makeRun(store.pool)
  expect(await advance(context, run, never)).toBe('parked')
  expect(prompts[0]).toMatch(/words of kept.*words of lost/)
  lost = ['lost']
  await wakeWaiting(store.pool, 'T1', wait)
  expect(await advance(context, run, never)).toBe('finished')
  expect(prompts[1]).toContain('words of kept')
  expect(prompts[1]).not.toMatch(/(Title|words) of lost/)
  expect(JSON.stringify(await readSteps(store.pool, run))).not.toContain('of lost')
})

test('the model searches with words of its own: each search is a step, for the same run, without what it has read', async () => {
  await using store = await openTestStore()
  const call = (id: string, query: string) => ({ id, tool: LOOKUP.name, args: { query } })
  const answers: ChatAnswer[] = [
    { ...answer, text: '', finish: 'tool_calls', calls: [call('0', 'pager'), call('0', 'rota')] },
    { ...answer, text: '', finish: 'tool_calls', calls: [call('0', '')] },
    answer,
  ]
  const offered: string[][] = []
  const searched: [string, number][] = []
  const context: AdvanceContext = {
    ...contextOn(store.pool, {}),
    ask: async (request) => {
      offered.push(request.tools.map((tool) => tool.name))
      return answers[offered.length - 1] ?? answer
    },
    recall: async (_, query, __, known) => {
      searched.push([query, known.length])
      const n = known.length + 1
      const passages = [{ n, passage: `p${n}`, title: 'T', heading: '', text: query }]
      return { kind: 'recalled', at: at(), query, passages, sources: 1, ms: 1 }
    },
  }
  const run = await makeRun(store.pool)
  expect(await advance(context, run, never)).toBe('finished')
  expect(searched).toEqual([
    ['A question?', 0],
    ['pager', 1],
    ['rota', 2],
  ])
  expect(offered).toEqual([[LOOKUP.name], [LOOKUP.name], [LOOKUP.name]])
  const steps = await readSteps(store.pool, run)
  expect(
    steps.flatMap((s) => (s.kind === 'recalled' ? [[s.query, s.passages.map((p) => p.n)]] : [])),
  ).toEqual([
    ['A question?', [1]],
    ['pager', [2]],
    ['rota', [3]],
    ['', []],
  ])
  const calls = steps.flatMap((s) => (s.kind === 'recalled' && s.call ? [s.call] : []))
  expect(new Set(calls).size).toBe(3)
})

test('an agent without knowledge is offered no search, and a call of it fits no tool', async () => {
  await using store = await openTestStore()
  const call = { id: '0', tool: LOOKUP.name, args: { query: 'pager' } }
  const answers: ChatAnswer[] = [{ ...answer, text: '', finish: 'tool_calls', calls: [call] }, answer]
  const offered: number[] = []
  const context: AdvanceContext = {
    ...contextOn(store.pool, {}),
    agent: () => ({ ...AgentFront.parse({ name: 'quorum', knowledge: [] }), instructions: 'Work.' }),
    ask: async (request) => {
      offered.push(request.tools.length)
      return answers[offered.length - 1] ?? answer
    },
  }
  const run = await makeRun(store.pool)
  expect(await advance(context, run, never)).toBe('finished')
  expect(offered).toEqual([0, 0])
  const steps = await readSteps(store.pool, run)
  expect(steps.flatMap((s) => (s.kind === 'proposed' ? [s.verdict] : []))).toEqual(['invalid'])
})

type Told = { ask?: () => ChatAnswer | { wait: Wait }; post?: (message: Message) => void }

function contextOn(pool: pg.Pool, { ask = () => answer, post }: Told): AdvanceContext {
  return {
    pool,
    owner: randomUUID(),
    leaseMs: 60_000,
    beatMs: 20_000,
    log: () => {},
    policy: PolicyFile.parse({}),
    agent: () => ({ ...AgentFront.parse({ name: 'quorum' }), instructions: 'Work.' }),
    catalogue: async () => [],
    outside: async () => false,
    ask: async () => ask(),
    recall: async (_, query) => ({ kind: 'recalled', at: at(), query, passages: [], sources: 0, ms: 0 }),
    unreadable: async () => [],
    call: async () => ({ outcome: 'failed', text: '', ms: 0 }),
    reading: NOTHING_TO_READ,
    speak: {
      post: async (_channel, _thread, message) => {
        post?.(message)
        return { ts: randomUUID() }
      },
      update: async (_channel, _ts, message) => {
        post?.(message)
        return 'sent'
      },
      find: async () => undefined,
      name: async (id) => id,
      roster: NOBODY_KNOWN,
      upload: async () => ({ file: 'F1' }),
      findFile: async () => undefined,
      remove: async () => true,
      streams: noStreams,
      status: async () => {},
      respond: async () => {},
      whisper: async () => {},
      direct: async (user) => `D${user}`,
    },
  }
}

async function makeRun(pool: pg.Pool): Promise<string> {
  const place = { workspace: 'T1', channel: 'C1', thread: '1.0', message: '1.0' }
  const run = await createRun(
    pool,
    { ...place, asker: 'UANA', agent: 'quorum', dm: false },
    { kind: 'asked', at: at(), user: 'UANA', text: 'A question?', ts: '1.0' },
  )
  if (!run) throw new Error('the message had a run already')
  return run.id
}

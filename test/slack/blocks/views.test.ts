import fc from 'fast-check'
import { expect, test } from 'vitest'
import { plan } from '../../../src/core/plan.ts'
import type { Step } from '../../../src/core/run.ts'
import { alertMessage } from '../../../src/slack/blocks/budget.ts'
import { homeView } from '../../../src/slack/blocks/home.ts'
import { planMessage } from '../../../src/slack/blocks/plan.ts'
import { sayMessage } from '../../../src/slack/blocks/say.ts'
import { traceView } from '../../../src/slack/blocks/trace.ts'
import { everyObject, expectHarmless, expectHarmlessView, hostileText } from '../../support/slack-blocks.ts'

const at = '2026-11-02T10:00:00.000Z'
const later = '2026-11-02T10:00:02.500Z'
const passages = [
  { n: 1, passage: 'p', title: 'Roll back a deploy', heading: '', link: 'https://wiki.example/r', text: 'x' },
]
const call = { id: 'c1', tool: 'filesystem__write_file', args: { path: 'SECRET' } }
const run: Step[] = [
  { kind: 'asked', at, user: 'U0ANA', text: 'how?', ts: '1.1' },
  { kind: 'recalled', at, query: 'how', passages, sources: 1, ms: 12, degraded: 'keyword search only' },
  {
    kind: 'answered',
    at,
    seen: 2,
    text: '',
    calls: [call],
    finish: 'tool_calls',
    model: 'small-model',
    usage: { prompt: 120, completion: 30, cached: 100 },
    promptHash: 'abcdef0123456789',
    by: {
      pool: 'main',
      tier: 'local',
      revision: 'r7',
      settings: { maxTokens: 700, temperature: 0 },
    },
    firstTokenMs: 40,
    ms: 1500,
    attempts: 2,
  },
  {
    kind: 'proposed',
    at,
    call,
    verdict: 'ask',
    why: 'policy asks',
    approval: 'ap',
    approvers: [['U0BEN']],
    expires: later,
  },
  { kind: 'shown', at, approval: 'ap', ts: '1.2' },
  { kind: 'decided', at, approval: 'ap', outcome: 'approved', by: 'U0BEN' },
  { kind: 'started', at, call: 'c1', tool: call.tool },
  { kind: 'returned', at, call: 'c1', outcome: 'succeeded', text: 'SECRET', ms: 61_000 },
  { kind: 'finished', at: later, outcome: 'answered', text: 'done' },
]

test('the trace tells every step: time, duration, tokens, what was read, who decided', () => {
  const view = traceView('run-1', run)
  expectHarmlessView(view)
  const words = everyObject(view.blocks)
    .map((object) => object.text)
    .filter((text) => typeof text === 'string')
    .join('')
  expect(view.blocks).toHaveLength(run.length + 1)
  for (const part of [
    ...[
      'Run run-1: 9 steps, 1 call of the model, 150 tokens, 2.5 s',
      'Searched 1 source',
      'Roll back a deploy',
    ],
    ...[
      'keyword search only',
      'small-model · pool main, revision r7, at most 700 tokens, temperature 0, prompt abcdef012345 · ',
      '120 tokens read (100 from cache), 30 written',
      'first token 40 ms, all 1.5 s',
    ],
    ...[
      '2 attempts',
      'Needs approval: write_file on filesystem',
      'policy asks',
      'It succeeded',
      '1 min 1 s',
      'Finished: answered',
    ],
  ]) {
    expect(words).toContain(part)
  }
  expect(words).not.toContain('SECRET')
  expect(
    everyObject(view.blocks)
      .filter((object) => object.type === 'user')
      .map((object) => object.user_id),
  ).toContain('U0BEN')
})

test('the trace tells what was charged, failed attempts included, and money where there is any', () => {
  const first = (view: unknown) => JSON.stringify(Object(view).blocks[0])
  expect(first(traceView('run-1', run, { spent: { tokens: 1_234, cost: 0 } }))).toContain(
    ' 1234 tokens, 2.5 s',
  )
  expect(first(traceView('run-1', run, { spent: { tokens: 9, cost: 12_300 } }))).toContain(
    ' 9 tokens, $0.01, 2.5 s',
  )
})

test('a trace of a thousand steps keeps to the limits, and shows the end', () => {
  const steps = Array.from(
    { length: 1000 },
    (): Step => ({
      ...(run[1] as Step & { kind: 'recalled' }),
      passages: Array.from({ length: 30 }, (_, i) => ({
        n: i + 1,
        passage: 'p',
        title: 'T'.repeat(300),
        heading: '',
        text: '',
      })),
    }),
  )
  const view = traceView('run-1', [...steps, ...run])
  expectHarmlessView(view)
  expect(view.blocks.length).toBeLessThanOrEqual(100)
  expect(JSON.stringify(view.blocks)).toContain('Finished: answered')
  expect(JSON.stringify(view.blocks)).toContain('steps are not shown')
})

test('a plan shows rows while it runs, and one line with a button when done', () => {
  const working = planMessage(plan(run.slice(0, 5)), 'run-1')
  expect(working.text).toBe('Waiting for approval: Write file on filesystem')
  expect(working.blocks).toMatchObject([
    { type: 'plan', tasks: [{ status: 'complete' }, { status: 'in_progress' }] },
  ])
  const done = planMessage(plan(run), 'run-1')
  expect(done.blocks).toMatchObject([{ type: 'section', accessory: { action_id: 'trace', value: 'run-1' } }])
  expect(done.text).toBe('Done: searched 1 source, write file')
  for (const message of [working, done]) expectHarmless(message)
})

test('whatever stands in a run: the plan, the trace and a sentence are harmless', () => {
  fc.assert(
    fc.property(hostileText, hostileText, (a, b) => {
      const steps = run.map((step): Step => {
        if (step.kind === 'asked') return { ...step, text: a }
        if (step.kind === 'recalled')
          return {
            ...step,
            query: b,
            passages: [{ n: 1, passage: 'p', title: a, heading: b, link: b, text: b }],
            degraded: a,
          }
        if (step.kind === 'answered') return { ...step, text: b, model: a }
        if (step.kind === 'proposed') return { ...step, call: { ...call, tool: a }, why: b }
        if (step.kind === 'decided') return { ...step, why: a }
        return step
      })
      for (let end = 1; end <= steps.length; end++)
        expectHarmless(planMessage(plan(steps.slice(0, end)), 'run-1'))
      expectHarmlessView(traceView(a, steps))
      expectHarmless(sayMessage(a || '-', { run: 'r', part: 'p' }))
      const spent = { calls: 3, tokens: 4_000, cost: 12 }
      const row = { server: a, title: b, per: 'user', state: 'expired', url: b } as const
      const budget = {
        scope: 'user',
        unit: 'tokens',
        every: 'day',
        total: 9,
        used: 1,
        held: 1,
        ends: at,
      } as const
      for (const scope of ['user', 'channel', 'team'] as const)
        expectHarmless(alertMessage({ ...budget, scope, name: a, holder: b }, 80))
      expectHarmlessView(
        homeView({
          name: a,
          runs: Array.from({ length: 20 }, () => ({ run: b || 'r', title: a, state: b })),
          approvals: Array.from({ length: 20 }, () => ({ tool: a, asker: b, expires: at, link: b })),
          questions: Array.from({ length: 20 }, () => ({ tool: a, until: at, link: b })),
          connections: Array.from({ length: 20 }, () => ({ ...row, server: a || 's' })),
          budgets: Array.from({ length: 20 }, () => ({
            ...budget,
            name: a,
            holder: b,
            raise: { value: 'v', amount: 1 },
          })),
          servers: Array.from({ length: 20 }, () => ({ server: a, ready: false, said: b })),
          sources: Array.from({ length: 60 }, () => ({ name: a, documents: 2, readAt: at, error: b })),
          preferences: { trace: 'none', language: 'de' },
          load: { today: spent, month: spent, waiting: 7, since: at, underWay: 3, slots: 8 },
        }),
      )
    }),
    { numRuns: 100 },
  )
})

/**
 * Random interleavings of clicks, workers that die in the middle of a call, time passing and changes of policy
 * or tool, against what must hold whatever happens: one effect at most, and never a false word about it.
 */
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { type AdvanceContext, advance } from '../../src/agent/advance.ts'
import { takeDecision } from '../../src/agent/decision.ts'
import type { CatalogueTool } from '../../src/core/catalogue.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import type { Numbered } from '../../src/core/run.ts'
import type { Store } from '../../src/store/open.ts'
import { createRun, readSteps } from '../../src/store/runs.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { advancingWith } from '../support/advancing.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())
afterEach(() => vi.useRealTimers())

const tool: CatalogueTool = {
  name: 'desk__order',
  server: 'desk',
  tool: 'order',
  title: 'Order',
  description: 'Orders.',
  inputSchema: { type: 'object' },
  hints: {},
  effect: 'write',
  sensitive: [],
  definitionHash: 'd1',
  serverHash: 's1',
}
const approvers = { desk__order: { decision: 'ask', approvers: ['UANA', 'UBEN'], expires: '8h' } }

type World = {
  run: string
  channel: string
  policy: AdvanceContext['policy']
  tool: CatalogueTool
  effects: number
  /** What the next call does: come back, or hang after or before its effect. */
  call: 'return' | 'hang-after' | 'hang-before'
  hanging: (() => void)[]
  under: Promise<unknown>[]
}

function contextOf(world: World): AdvanceContext {
  return advancingWith(store.pool, {
    policy: world.policy,
    catalogue: async () => [world.tool],
    ask: async ({ messages }) => {
      const again = messages.some((m) => m.role === 'tool')
      const calls = again ? [] : [{ id: 'c1', tool: tool.name, args: { what: 'ropes' } }]
      const finish = again ? 'stop' : 'tool_calls'
      return { text: again ? 'So it is.' : '', calls, finish, model: 'm', firstTokenMs: 1, ms: 1 }
    },
    call: async () => {
      const before = world.call === 'hang-before'
      if (!before) world.effects += 1
      if (world.call !== 'return') await new Promise<void>((resolve) => world.hanging.push(resolve))
      // Who was taken for dead may go on after all, and do it then.
      if (before) world.effects += 1
      return { outcome: 'succeeded', text: 'ordered', ms: 1 }
    },
  })
}

const ops = fc.constantFrom(
  'advance',
  'advance',
  'die-after-effect',
  'die-before-effect',
  'approve-ana',
  'approve-ben',
  'deny-ana',
  'approve-mallory',
  'both-at-once',
  'nine-hours-pass',
  'policy-changes',
  'tool-changes',
)
type Op = typeof ops extends fc.Arbitrary<infer T> ? T : never

async function click(world: World, user: string, choice: 'approve' | 'deny'): Promise<void> {
  const found = await store.pool.query('select id from approvals where run = $1', [world.run])
  if (!found.rows[0]) return
  const approval = found.rows[0].id
  const heard = {
    kind: 'clicked',
    workspace: 'T1',
    channel: world.channel,
    user,
    choice,
    approval,
    clickTs: randomUUID(),
  } as const
  await inTransaction(store.pool, (tx) => takeDecision(tx, heard))
}

/** A worker that stops for good in the middle of the call; its lease runs out. */
async function die(world: World, how: World['call']): Promise<void> {
  world.call = how
  const hung = world.hanging.length
  const going = advance(contextOf(world), world.run, new AbortController().signal)
  world.under.push(going)
  await Promise.race([going, vi.waitUntil(() => world.hanging.length > hung, { timeout: 5000, interval: 1 })])
  await store.pool.query(
    `update runs set lease_until = now() - interval '1 second' where id = $1 and lease_until is not null`,
    [world.run],
  )
  world.call = 'return'
}

async function perform(world: World, op: Op): Promise<void> {
  switch (op) {
    case 'advance':
      return void (await advance(contextOf(world), world.run, new AbortController().signal))
    case 'die-after-effect':
      return die(world, 'hang-after')
    case 'die-before-effect':
      return die(world, 'hang-before')
    case 'approve-ana':
      return click(world, 'UANA', 'approve')
    case 'approve-ben':
      return click(world, 'UBEN', 'approve')
    case 'deny-ana':
      return click(world, 'UANA', 'deny')
    case 'approve-mallory':
      return click(world, 'UMALLORY', 'approve')
    case 'both-at-once':
      return void (await Promise.all([
        click(world, 'UANA', 'approve'),
        click(world, 'UBEN', 'deny'),
        perform(world, 'advance'),
      ]))
    case 'nine-hours-pass':
      return void vi.setSystemTime(Date.now() + 9 * 3_600_000)
    case 'policy-changes':
      world.policy = PolicyFile.parse({ tools: { ...approvers, other__x: { decision: 'deny' } } })
      return
    case 'tool-changes':
      world.tool = { ...tool, definitionHash: 'd2' }
  }
}

function check(world: World, steps: Numbered[]): void {
  const decisions = steps.flatMap((s) => (s.kind === 'decided' ? [s] : []))
  const began = steps.findIndex((s) => s.kind === 'started')
  const returned = steps.find((s) => s.kind === 'returned')
  expect(world.effects).toBeLessThanOrEqual(1)
  expect(steps.map((s) => s.n)).toEqual(steps.map((_, i) => i + 1))
  expect(steps.filter((s) => s.kind === 'started').length).toBeLessThanOrEqual(1)
  expect(decisions.filter((d) => d.outcome !== 'void').length).toBeLessThanOrEqual(1)
  if (began >= 0) {
    const yes = steps.slice(0, began).find((s) => s.kind === 'decided' && s.outcome === 'approved')
    expect(yes?.kind === 'decided' && ['UANA', 'UBEN'].includes(yes.by ?? '')).toBe(true)
    expect(decisions.some((d) => d.outcome === 'void')).toBe(false)
  } else expect(world.effects).toBe(0)
  if (returned?.kind === 'returned' && returned.outcome === 'succeeded') expect(world.effects).toBe(1)
  if (world.effects === 1) expect(returned?.kind === 'returned' && returned.outcome !== 'failed').toBe(true)
}

test('at most one effect, and never a false word about it', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  await fc.assert(
    fc.asyncProperty(fc.array(ops, { minLength: 2, maxLength: 12 }), async (sequence) => {
      const channel = `C${randomUUID()}`
      const asked = {
        kind: 'asked',
        at: new Date().toISOString(),
        user: 'UANA',
        text: 'order ropes',
        ts: '1.1',
      } as const
      const place = {
        workspace: 'T1',
        channel,
        thread: '1.1',
        message: '1.1',
        asker: 'UANA',
        agent: 'quorum',
        dm: false,
      }
      const run = await inTransaction(store.pool, (tx) => createRun(tx, place, asked))
      if (typeof run !== 'object') throw new Error('the run was not created')
      const world: World = {
        run: run.id,
        channel,
        policy: PolicyFile.parse({ tools: approvers }),
        tool,
        effects: 0,
        call: 'return',
        hanging: [],
        under: [],
      }
      await perform(world, 'advance')
      for (const op of sequence) await perform(world, op)
      for (const wakeUp of world.hanging) wakeUp()
      await Promise.all(world.under)
      await perform(world, 'nine-hours-pass')
      await perform(world, 'advance')
      await perform(world, 'advance')
      const steps = await readSteps(store.pool, run.id)
      check(world, steps)
      expect(steps.at(-1)?.kind).toBe('finished')
    }),
    { numRuns: 60 },
  )
}, 120_000)

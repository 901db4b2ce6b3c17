/**
 * Random interleavings of clicks by several people, edits, batches, workers that die in the middle of a call, time
 * passing and changes of policy or tool, held against a small reference model (test/support/deciding.ts) and against
 * what must hold whatever happens.
 */
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { bindCall } from '../../../src/agent/approvals/weigh.ts'
import { withdrawTools } from '../../../src/agent/approvals/withdraw.ts'
import { buildPrompt } from '../../../src/core/prompt.ts'
import type { Numbered, StepOf } from '../../../src/core/run.ts'
import type { Store } from '../../../src/store/open.ts'
import { appendFromOutside, lockRun } from '../../../src/store/runs.ts'
import { inTransaction } from '../../../src/store/transaction.ts'
import {
  click,
  die,
  editCall,
  expectAgreement,
  foresee,
  goOn,
  isRightful,
  openWorld,
  policyOf,
  proposalsOf,
  standOf,
  stepsOf,
  TOOL,
  type World,
} from '../../support/deciding.ts'
import { openTestStore } from '../../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())
afterEach(() => vi.useRealTimers())

const HOUR = 3_600_000
const terms = fc.record({
  need: fc.constantFrom(1, 1, 2),
  selfApprove: fc.boolean(),
  remember: fc.boolean(),
})
const who = fc.constantFrom('UANA', 'UBEN', 'UBEN', 'UCARA', 'UDEE', 'UGUS', 'UMALLORY')
const pick = fc.nat({ max: 7 })
const press = fc.record({
  do: fc.constant('press' as const),
  who,
  choice: fc.constantFrom(
    'approve',
    'approve',
    'approve',
    'deny',
    'again',
    'again',
    'done',
    'not-done' as const,
  ),
  pick,
})
const op = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: 'advance' as const }) },
  { weight: 6, arbitrary: press },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('batch' as const),
      who,
      choice: fc.constantFrom('approve', 'approve', 'deny' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('edit' as const),
      who,
      what: fc.constantFrom('ropes', 'nails', 'tar', 'cloth'),
      pick,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('die' as const),
      how: fc.constantFrom('hang-after', 'hang-before' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('lose' as const),
      how: fc.constantFrom('hang-after', 'hang-before' as const),
      pick: fc.nat({ max: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('at-once' as const),
      presses: fc.array(press, { minLength: 2, maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('time' as const), hours: fc.constantFrom(0.5, 2, 9) }),
  },
  { weight: 1, arbitrary: fc.constantFrom({ do: 'policy' as const }, { do: 'tool' as const }) },
  { weight: 1, arbitrary: fc.constantFrom({ do: 'withdraw' as const }, { do: 'stop' as const }) },
)
type Op = typeof op extends fc.Arbitrary<infer T> ? T : never

const says = (name: 'UBEN' | 'UCARA', choice: Extract<Op, { do: 'press' }>['choice'], of = 0): Op => {
  return { do: 'press', who: name, choice, pick: of }
}
const lost: Op = { do: 'lose', how: 'hang-after', pick: 0 }
const on: Op = { do: 'advance' }
/** One way through each thing that can be done. */
const EXAMPLES: [typeof terms extends fc.Arbitrary<infer T> ? T : never, Op[]][] = [
  [
    { need: 1, selfApprove: true, remember: true },
    [lost, says('UBEN', 'again'), on, says('UBEN', 'approve'), on, says('UBEN', 'approve', 2), on],
  ],
  [
    { need: 2, selfApprove: false, remember: false },
    [
      says('UBEN', 'approve'),
      { do: 'edit', who: 'UCARA', what: 'tar', pick: 0 },
      ...[says('UBEN', 'approve'), says('UCARA', 'approve'), on],
    ],
  ],
  [
    { need: 1, selfApprove: true, remember: false },
    [lost, says('UBEN', 'done'), says('UCARA', 'not-done'), says('UCARA', 'again'), on],
  ],
  [{ need: 2, selfApprove: true, remember: false }, [says('UBEN', 'approve'), says('UBEN', 'approve'), on]],
  [{ need: 1, selfApprove: true, remember: false }, [{ do: 'time', hours: 9 }, says('UBEN', 'approve'), on]],
  [{ need: 1, selfApprove: true, remember: false }, [lost, says('UBEN', 'again'), { do: 'stop' }, on]],
  [
    { need: 1, selfApprove: true, remember: false },
    [lost, says('UBEN', 'done'), { do: 'stop' }, on, says('UCARA', 'done')],
  ],
  ...(['policy', 'tool'] as const).map((change): (typeof EXAMPLES)[number] => [
    { need: 1, selfApprove: true, remember: true },
    [{ do: 'batch', who: 'UBEN', choice: 'approve' }, on, { do: change }, on, on],
  ]),
]

/** The newest proposals are the likeliest to be pressed. */
function target(steps: Numbered[], of: number): StepOf<'proposed'> | undefined {
  const all = proposalsOf(steps).toReversed()
  return all[of % Math.max(1, all.length)]
}

async function perform(world: World, one: Op): Promise<void> {
  const steps = await stepsOf(world)
  switch (one.do) {
    case 'advance':
      return goOn(world)
    case 'die':
      return die(world, one.how)
    case 'lose': {
      // Everybody says yes, whoever works on it dies, and the next one finds that out.
      const approval = target(steps, one.pick)?.approval
      for (const name of ['UBEN', 'UCARA']) if (approval) await click(world, name, 'approve', approval)
      await die(world, one.how)
      return goOn(world)
    }
    case 'press': {
      const proposed = target(steps, one.pick)
      if (!proposed?.approval) return
      const expected = foresee(world, steps, proposed, one)
      expect((await click(world, one.who, one.choice, proposed.approval)).outcome).toBe(expected)
      return noteEpochs(world)
    }
    case 'edit': {
      const proposed = target(steps, one.pick)
      if (!proposed?.approval) return
      const same = (proposed.call.args as { what: string }).what === one.what
      const expected = foresee(world, steps, proposed, { who: one.who, choice: 'edit', same })
      expect((await editCall(world, one.who, proposed.approval, one.what)).outcome).toBe(expected)
      return noteEpochs(world)
    }
    case 'batch':
      return pressAll(world, steps, one)
    case 'at-once':
      await Promise.all([
        ...one.presses.map(({ who, choice, pick }) => {
          const approval = target(steps, pick)?.approval
          return approval && click(world, who, choice, approval)
        }),
        goOn(world),
      ])
      return noteEpochs(world)
    case 'time':
      return void vi.setSystemTime(Date.now() + one.hours * HOUR)
    case 'policy':
      world.epoch += 1
      world.policy = policyOf(world.terms, world.epoch)
      return
    case 'tool':
      world.epoch += 1
      world.tool = { ...TOOL, definitionHash: `d${world.epoch}` }
      return
    case 'withdraw':
      world.epoch += 1
      await inTransaction(store.pool, (tx) => withdrawTools(tx, 'T1', [TOOL.name], 'Its server changed.'))
      return
    case 'stop':
      return inTransaction(store.pool, async (tx) => {
        const run = await lockRun(tx, world.run)
        const at = new Date().toISOString()
        if (run?.active) await appendFromOutside(tx, run, { kind: 'stopped', at, by: 'UANA', why: 'asked' })
      })
  }
}

/** Decides on the whole batch: on every approval of it that waits, or on none. */
async function pressAll(world: World, steps: Numbered[], one: Extract<Op, { do: 'batch' }>): Promise<void> {
  const batch = proposalsOf(steps).find((p) => p.batch)?.batch
  if (!batch) return
  const all = proposalsOf(steps).filter((p) => p.batch === batch)
  const foreseen = new Map(all.map((p) => [p.approval, foresee(world, steps, p, one)]))
  const { outcome } = await click(world, one.who, one.choice, batch, true)
  const taken = [...foreseen].flatMap(([id, expected]) => (expected === 'taken' ? [id] : []))
  expect(outcome === 'taken').toBe(taken.length > 0)
  const after = (await stepsOf(world)).slice(steps.length)
  expect(new Set(after.map((s) => s.kind === 'decided' && s.approval))).toEqual(new Set(taken))
  expect(after.every((s) => s.kind === 'decided' && s.by === one.who)).toBe(true)
}

async function noteEpochs(world: World): Promise<void> {
  for (const { approval } of proposalsOf(await stepsOf(world)))
    if (approval && !world.epochs.has(approval)) world.epochs.set(approval, world.epoch)
}

/** What must hold at the end, whatever happened. */
function check(world: World, steps: Numbered[]): void {
  expect(steps.map((s) => s.n)).toEqual(steps.map((_, i) => i + 1))
  expect(steps.filter((s) => s.kind === 'finished')).toHaveLength(1)
  expect(steps.at(-1)).toMatchObject({ kind: 'finished', outcome: expect.stringMatching('answered|stopped') })
  const calls = world.executions.map((execution) => execution.call)
  expect(new Set(calls).size).toBe(calls.length)
  for (const proposed of proposalsOf(steps)) {
    checkCall(world, steps, proposed)
    // What nobody saw on a card of several cannot be decided with it.
    if (proposed.replaces) expect(proposed.batch).toBeUndefined()
  }
  checkWords(world, steps)
}

function checkCall(world: World, steps: Numbered[], proposed: StepOf<'proposed'>): void {
  const execution = world.executions.find((one) => one.call === proposed.call.id)
  const began = steps.findIndex((s) => s.kind === 'started' && s.call === proposed.call.id)
  const returned = steps.filter((s) => s.kind === 'returned' && s.call === proposed.call.id)
  expect(returned.length).toBe(began >= 0 ? 1 : 0)
  if (began < 0 || !execution) {
    expect([began, execution]).toEqual([-1, undefined])
    // What was approved, and stayed what it was, is run.
    const same = world.epochs.get(proposed.approval ?? '') === world.epoch
    const approved = steps.some(
      (s) => s.kind === 'decided' && s.approval === proposed.approval && s.outcome === 'approved',
    )
    expect(approved && same && !steps.some((s) => s.kind === 'stopped')).toBe(false)
    return
  }
  // Exactly what was approved is what was run, once.
  expect(execution.effects).toBe(1)
  expect(execution.args).toEqual(proposed.call.args)
  expect(bindCall(execution.policy as World['policy'], world.run, execution.tool, proposed.call)).toBe(
    proposed.hash,
  )
  if (proposed.verdict === 'allow') expectRemembered(world, steps, proposed)
  else {
    const before = standOf(steps.slice(0, began), proposed)
    expect(before.yes.size).toBeGreaterThanOrEqual(world.terms.need)
    for (const name of before.yes) expect(isRightful(world.terms, name ?? '')).toBe(true)
    const no = steps.some(
      (s) =>
        s.kind === 'decided' &&
        s.approval === proposed.approval &&
        ['rejected', 'void', 'edited'].includes(s.outcome),
    )
    expect(no).toBe(false)
  }
  const [back] = returned
  if (back?.kind === 'returned') expect(['succeeded', 'unknown']).toContain(back.outcome)
}

/** A call was allowed because the same one had been approved, and nothing had changed since. */
function expectRemembered(world: World, steps: Numbered[], proposed: StepOf<'proposed'>): void {
  expect(world.terms.remember).toBe(true)
  const source = proposalsOf(steps).find((p) => {
    const given = steps.find(
      (s) => s.kind === 'decided' && s.approval === p.approval && s.outcome === 'approved',
    )
    return (
      given !== undefined &&
      JSON.stringify(p.call.args) === JSON.stringify(proposed.call.args) &&
      world.epochs.get(p.approval ?? '') === world.epochs.get(proposed.approval ?? '') &&
      Date.parse(given.at) + HOUR > Date.parse(proposed.at)
    )
  })
  expect(source).toBeDefined()
  for (const name of proposed.remembered?.split(', ') ?? []) expect(isRightful(world.terms, name)).toBe(true)
}

/** Nobody is told that something was not run which was, or might have been. */
function checkWords(world: World, steps: Numbered[]): void {
  const ran = (call: string) => world.executions.some((one) => one.call === call && one.effects > 0)
  const told = buildPrompt({ instructions: '', past: [], steps }).filter((m) => m.role === 'tool')
  const originals = steps.flatMap((s) => (s.kind === 'proposed' && !s.replaces ? [s.call.id] : []))
  expect(told.map((m) => m.call)).toEqual(originals)
  const byPerson = steps.some(
    (s) => s.kind === 'decided' && (s.outcome === 'done' || s.outcome === 'not-done'),
  )
  for (const { call, content } of told) {
    const chain = chainOf(steps, call)
    const denies = /^Not run/m.test(content) && !/may have run/.test(content)
    if (denies) expect(chain.some(ran)).toBe(false)
    if (/<result>\nordered/.test(content)) expect(ran(chain.at(-1) ?? '')).toBe(true)
    if (!byPerson) expect(content).not.toMatch(/a person checked/)
  }
  const end = steps.at(-1)
  const plain = end?.kind === 'finished' && end.outcome === 'stopped' && !/may have run/.test(end.text)
  if (plain && /Nothing was changed/.test(end.text)) expect(world.executions).toEqual([])
  if (plain && !/Done before/.test(end.text))
    expect(world.executions.every((one) => one.effects === 0) || byPerson).toBe(true)
}

function chainOf(steps: Numbered[], original: string): string[] {
  const chain = [original]
  for (const s of steps) if (s.kind === 'proposed' && s.replaces === chain.at(-1)) chain.push(s.call.id)
  return chain
}

test('at most one effect an approval, never without enough rightful people, and never a false word', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const seen = { started: 0, again: 0, edited: 0, remembered: 0, counted: 0, resolved: 0 }
  await fc.assert(
    fc.asyncProperty(terms, fc.array(op, { minLength: 3, maxLength: 18 }), async (of, sequence) => {
      const world = await openWorld(store, of)
      await goOn(world)
      for (const one of sequence) {
        await perform(world, one)
        await expectAgreement(world)
      }
      for (const wakeUp of world.hanging) wakeUp()
      await Promise.all(world.under)
      for (let turn = 0; turn < 8; turn++) {
        await goOn(world)
        vi.setSystemTime(Date.now() + 9 * HOUR)
      }
      const steps = await stepsOf(world)
      check(world, steps)
      await expectAgreement(world)
      for (const s of steps) {
        if (s.kind === 'started') seen.started += 1
        if (s.kind === 'proposed' && s.remembered) seen.remembered += 1
        if (s.kind !== 'decided') continue
        if (s.outcome === 'again' || s.outcome === 'edited' || s.outcome === 'counted') seen[s.outcome] += 1
        if (s.outcome === 'done' || s.outcome === 'not-done') seen.resolved += 1
      }
    }),
    { numRuns: 150, examples: EXAMPLES },
  )
  // The sequences reach what they are there for.
  for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(0)
}, 180_000)

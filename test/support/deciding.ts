/**
 * A run with calls that wait for approval, people who press buttons, and a small reference model of what each press
 * must come to. The model reads only the steps, by rules of its own.
 */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { type AdvanceContext, advance } from '../../src/agent/advance.ts'
import type { Decision, Known } from '../../src/agent/approvals/deciding.ts'
import { takeDecision } from '../../src/agent/approvals/decision.ts'
import { takeEdit } from '../../src/agent/approvals/edit.ts'
import type { Decider } from '../../src/core/approvers.ts'
import type { CatalogueTool } from '../../src/core/catalogue.ts'
import type { HeardOf } from '../../src/core/heard.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import type { Numbered, StepOf } from '../../src/core/run.ts'
import type { Store } from '../../src/store/open.ts'
import { createRun, readSteps } from '../../src/store/runs.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { advancingWith } from './advancing.ts'

export const TOOL: CatalogueTool = {
  name: 'desk__order',
  server: 'desk',
  tool: 'order',
  title: 'Order',
  description: 'Orders.',
  inputSchema: { type: 'object', properties: { what: { type: 'string' } }, required: ['what'] },
  hints: {},
  effect: 'write',
  sensitive: [],
  definitionHash: 'd0',
  serverHash: 's1',
}

/** Ana asks. Ben and Cara are in the group; nobody can tell whether Dee is. Gus is named, but a guest. */
export const PEOPLE: Record<string, Decider> = {
  UANA: { id: 'UANA', groups: [] },
  UBEN: { id: 'UBEN', groups: ['SOPS'] },
  UCARA: { id: 'UCARA', groups: ['SOPS'] },
  UDEE: { id: 'UDEE', groups: [], untold: ['SOPS'] },
  UGUS: { id: 'UGUS', groups: [], barred: 'guest' },
  UMALLORY: { id: 'UMALLORY', groups: [] },
}

export type Terms = { need: number; selfApprove: boolean; remember: boolean }

/** One execution: which call it was, with what, and whether its effect has happened. */
export type Execution = { call: string; args: unknown; policy: unknown; tool: CatalogueTool; effects: number }

export type World = {
  store: Store
  terms: Terms
  run: string
  channel: string
  policy: AdvanceContext['policy']
  tool: CatalogueTool
  /** How often policy, tool or what is accepted changed; and what it was when each approval was made. */
  epoch: number
  epochs: Map<string, number>
  executions: Execution[]
  /** What the next call does: come back, or hang after or before its effect. */
  call: 'return' | 'hang-after' | 'hang-before'
  hanging: (() => void)[]
  /** Told when a call hangs. */
  onHang?: () => void
  under: Promise<unknown>[]
}

export function policyOf(terms: Terms, version: number): AdvanceContext['policy'] {
  return PolicyFile.parse({
    tools: {
      desk__order: {
        decision: 'ask',
        approvers: ['requester', 'SOPS', 'UGUS'],
        need: terms.need,
        self_approve: terms.selfApprove,
        expires: '8h',
        ...(terms.remember ? { remember: { scope: 'thread', ttl: '1h' } } : {}),
      },
      [`other__v${version}`]: { decision: 'deny' },
    },
  })
}

export async function openWorld(store: Store, terms: Terms): Promise<World> {
  const channel = `C${randomUUID()}`
  const at = new Date().toISOString()
  const asked = { kind: 'asked', at, user: 'UANA', text: 'order ropes and nails', ts: '1.1' } as const
  const place = {
    workspace: 'T1',
    channel,
    thread: '1.1',
    message: '1.1',
    asker: 'UANA',
    agent: 'q',
    dm: false,
  }
  const run = await createRun(store.pool, place, asked)
  if (!run) throw new Error('the run was not created')
  const fresh = {
    epoch: 0,
    epochs: new Map(),
    executions: [],
    call: 'return',
    hanging: [],
    under: [],
  } as const
  const world = { store, terms, run: run.id, channel, policy: policyOf(terms, 0), tool: TOOL }
  return { ...world, ...fresh, epochs: new Map(), executions: [], hanging: [], under: [] }
}

/** Proposes two calls at once, then the first of them again, then says the end. */
function contextOf(world: World): AdvanceContext {
  return advancingWith(world.store.pool, {
    policy: world.policy,
    // Who was taken for dead does not hold on to the run.
    beatMs: 3_600_000,
    catalogue: async () => [world.tool],
    ask: async ({ messages }) => {
      const round = messages.filter((m) => m.role === 'assistant' && m.calls).length
      const wanted = [['ropes', 'nails'], ['ropes']][round] ?? []
      const calls = wanted.map((what, i) => ({ id: `c${round}${i}`, tool: TOOL.name, args: { what } }))
      const finish = calls.length > 0 ? 'tool_calls' : 'stop'
      return { text: 'So it is.', calls, finish, model: 'm', firstTokenMs: 1, ms: 1 }
    },
    call: async (_, args) => {
      const how = world.call
      const started = (await stepsOf(world)).findLast((s) => s.kind === 'started')
      const call = started?.kind === 'started' ? started.call : ''
      const execution = { call, args, policy: world.policy, tool: world.tool, effects: 0 }
      world.executions.push(execution)
      if (how !== 'hang-before') execution.effects += 1
      if (how !== 'return')
        await new Promise<void>((resolve) => {
          world.hanging.push(resolve)
          world.onHang?.()
        })
      // Who was taken for dead may go on after all, and do it then.
      if (how === 'hang-before') execution.effects += 1
      return { outcome: 'succeeded', text: 'ordered', ms: 1 }
    },
  })
}

export function stepsOf(world: World): Promise<Numbered[]> {
  return readSteps(world.store.pool, world.run)
}

export function proposalsOf(steps: readonly Numbered[]): StepOf<'proposed'>[] {
  return steps.flatMap((s) => (s.kind === 'proposed' && s.approval ? [s] : []))
}

export async function goOn(world: World): Promise<void> {
  await advance(contextOf(world), world.run, new AbortController().signal)
  for (const { approval } of proposalsOf(await stepsOf(world)))
    if (approval && !world.epochs.has(approval)) world.epochs.set(approval, world.epoch)
}

/** A worker that stops for good in the middle of the call; its lease runs out. */
export async function die(world: World, how: World['call']): Promise<void> {
  world.call = how
  const hung = new Promise<void>((resolve) => {
    world.onHang = resolve
  })
  const going = goOn(world)
  world.under.push(going)
  await Promise.race([going, hung])
  await world.store.pool.query(
    `update runs set lease_until = now() - interval '1 second' where id = $1 and lease_until is not null`,
    [world.run],
  )
  world.call = 'return'
}

type Choice = HeardOf<'clicked'>['choice']

function knownOf(world: World, who: string): Known {
  const person = PEOPLE[who] ?? { id: who, groups: [] }
  return { person, policy: world.policy, tool: world.tool }
}

export function click(
  world: World,
  who: string,
  choice: Choice,
  approval: string,
  batch = false,
): Promise<Decision> {
  const place = { workspace: 'T1', channel: world.channel, user: who }
  const heard = {
    kind: 'clicked',
    ...place,
    choice,
    approval,
    clickTs: randomUUID(),
    ...(batch ? { batch } : {}),
  }
  return inTransaction(world.store.pool, (tx) =>
    takeDecision(tx, heard as HeardOf<'clicked'>, knownOf(world, who)),
  )
}

export function editCall(world: World, who: string, approval: string, what: string): Promise<Decision> {
  const place = {
    workspace: 'T1',
    channel: world.channel,
    user: who,
    form: 'edit',
    view: randomUUID(),
  } as const
  const heard = { kind: 'submitted', ...place, approval, values: { 'arg:what': what } } as const
  return inTransaction(world.store.pool, (tx) => takeEdit(tx, heard, knownOf(world, who)))
}

// The reference model.

/** Whether somebody may decide: the asker where that is allowed, and the group. */
export function isRightful(terms: Terms, who: string): boolean {
  return who === 'UBEN' || who === 'UCARA' || (who === 'UANA' && terms.selfApprove)
}

type Stand = 'waits' | 'unknown' | 'closed'

/** Where a proposal stands, and who has said yes to it. */
export function standOf(steps: readonly Numbered[], proposed: StepOf<'proposed'>) {
  const decided = steps.flatMap((s) => (s.kind === 'decided' && s.approval === proposed.approval ? [s] : []))
  const yes = new Set(
    decided.flatMap((d) => (d.outcome === 'counted' || d.outcome === 'approved' ? [d.by] : [])),
  )
  const said = (...outcomes: string[]) => decided.some((d) => outcomes.includes(d.outcome))
  const back = steps.find((s) => s.kind === 'returned' && s.call === proposed.call.id)
  let stand: Stand = 'closed'
  if (back?.kind === 'returned' && back.outcome === 'unknown')
    stand = said('done', 'not-done', 'again', 'expired') ? 'closed' : 'unknown'
  else if (proposed.verdict === 'ask' && yes.size < (proposed.need ?? 1))
    stand = said('rejected', 'expired', 'void', 'edited') ? 'closed' : 'waits'
  return { stand, yes }
}

/** What a press on one approval must come to. */
export function foresee(
  world: World,
  steps: readonly Numbered[],
  proposed: StepOf<'proposed'>,
  press: { who: string; choice: Choice | 'edit'; same?: boolean },
): Decision['outcome'] {
  if (!isRightful(world.terms, press.who)) {
    if (press.who === 'UDEE') return 'untold'
    return press.who === 'UGUS' ? 'barred' : 'not-yours'
  }
  const { stand, yes } = standOf(steps, proposed)
  const over = steps.at(-1)?.kind === 'finished'
  if (press.choice === 'again' || press.choice === 'done' || press.choice === 'not-done') {
    if (stand !== 'unknown') return 'late'
    return over ? 'over' : 'taken'
  }
  if (over || stand !== 'waits') return 'late'
  if (Date.parse(proposed.expires ?? '') <= Date.now()) return 'expired'
  if (press.choice === 'edit') return press.same ? 'refused' : 'taken'
  return press.choice === 'approve' && yes.has(press.who) ? 'voted' : 'taken'
}

/** After a press: the store and the steps say the same of every approval. */
export async function expectAgreement(world: World): Promise<void> {
  const steps = await stepsOf(world)
  const found = await world.store.pool.query(
    'select id, state, votes, resolved, hash, args from approvals where run = $1',
    [world.run],
  )
  const rows = new Map(found.rows.map((row) => [row.id, row]))
  expect(rows.size).toBe(proposalsOf(steps).length)
  for (const proposed of proposalsOf(steps)) {
    const row = rows.get(proposed.approval)
    const { stand, yes } = standOf(steps, proposed)
    expect(row).toMatchObject({ hash: proposed.hash, args: proposed.call.args })
    expect(new Set(row.votes)).toEqual(yes)
    const over = steps.at(-1)?.kind === 'finished'
    expect(row.state === 'pending').toBe(stand === 'waits' && !over)
    expect(row.state === 'unknown' && row.resolved === null).toBe(stand === 'unknown')
  }
}

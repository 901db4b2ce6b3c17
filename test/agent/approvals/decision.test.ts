/** What people are told whose press did not count, the modal that edits a call, and batches. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { putInBatches } from '../../../src/agent/answer.ts'
import { tellDecision } from '../../../src/agent/approvals/decision.ts'
import { checkEdit, openEdit } from '../../../src/agent/approvals/edit.ts'
import { weigh } from '../../../src/agent/approvals/weigh.ts'
import { PolicyFile } from '../../../src/core/rules.ts'
import type { Store } from '../../../src/store/open.ts'
import { appendFromOutside, lockRun, type Run, readRun } from '../../../src/store/runs.ts'
import { inTransaction } from '../../../src/store/transaction.ts'
import {
  click,
  die,
  editCall,
  goOn,
  openWorld,
  PEOPLE,
  proposalsOf,
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
const name = async (id: string) => ({ UANA: 'Ana', UBEN: 'Ben', SOPS: '@ops', UGUS: 'Gus' })[id] ?? id

async function waiting(terms: Partial<World['terms']> = {}): Promise<{ world: World; approval: string }> {
  const world = await openWorld(store, { need: 1, selfApprove: true, remember: false, ...terms })
  await goOn(world)
  return { world, approval: proposalsOf(await stepsOf(world))[0]?.approval ?? '' }
}

/** The sentence a press comes to; undefined where it counts. */
async function said(...press: Parameters<typeof click>): Promise<string | undefined> {
  return tellDecision(await click(...press), name)
}

describe('a press that does not count is told in private', () => {
  test('to whom it is not theirs, with the names of those it waits for', async () => {
    const { world, approval } = await waiting({ need: 2, selfApprove: false })
    expect(await said(world, 'UMALLORY', 'approve', approval)).toBe(
      'This is not yours to decide. It waits for two different people of @ops, Gus and Ana, but not Ana, who asked.',
    )
    expect(await said(world, 'UANA', 'deny', approval)).toMatch(/not yours to decide/)
  })

  test('to guests and other people who may decide nothing, and to those Slack does not tell about', async () => {
    const { world, approval } = await waiting()
    expect(await said(world, 'UGUS', 'approve', approval)).toMatch(/^Guests cannot decide/)
    expect(await said(world, 'UDEE', 'approve', approval)).toMatch(/Please try again\.$/)
    expect(await tellDecision({ outcome: 'barred', barred: 'bot' }, name)).toMatch(/^An app cannot/)
    expect(await tellDecision({ outcome: 'barred', barred: 'deactivated' }, name)).toMatch(/deactivated/)
    expect(await tellDecision({ outcome: 'barred', barred: 'outsider' }, name)).toMatch(
      /members of this workspace/,
    )
  })

  test('to who said yes already, and to who comes after the last one', async () => {
    const { world, approval } = await waiting({ need: 2 })
    expect(await said(world, 'UBEN', 'approve', approval)).toBeUndefined()
    expect(await said(world, 'UBEN', 'approve', approval)).toBe(
      'You have said yes already; one other person has to say yes as well.',
    )
    expect(await said(world, 'UCARA', 'approve', approval)).toBeUndefined()
    expect(await said(world, 'UANA', 'approve', approval)).toBe(
      'This was approved already by UCARA; your click changed nothing.',
    )
  })

  test('to who comes after one no, however many yeses are needed', async () => {
    const { world, approval } = await waiting({ need: 2 })
    expect(await said(world, 'UBEN', 'approve', approval)).toBeUndefined()
    expect(await said(world, 'UBEN', 'deny', approval)).toBeUndefined()
    expect(await said(world, 'UCARA', 'approve', approval)).toMatch(/denied already by Ben/)
  })

  test('to who comes after an edit, a run that is over, or never came to an approval of ours', async () => {
    const { world, approval } = await waiting()
    expect((await editCall(world, 'UBEN', approval, 'tar')).outcome).toBe('taken')
    expect(await said(world, 'UANA', 'approve', approval)).toMatch(/edited already by Ben.*newer card/)
    expect(await tellDecision(await editCall(world, 'UANA', approval, 'cloth'), name)).toMatch(
      /edited already/,
    )
    await inTransaction(store.pool, async (tx) => {
      const run = (await lockRun(tx, world.run)) as Run
      await appendFromOutside(tx, run, { kind: 'stopped', at: new Date().toISOString(), by: 'UANA', why: '' })
    })
    await goOn(world)
    const newer = proposalsOf(await stepsOf(world)).at(-1)?.approval ?? ''
    expect(await said(world, 'UBEN', 'approve', newer)).toMatch(/no longer holds: the run is over/)
    expect(await said(world, 'UBEN', 'approve', 'no uuid')).toMatch(/do not know this approval/)
    const elsewhere = { ...world, channel: 'C1' }
    expect(await said(elsewhere, 'UBEN', 'approve', newer)).toMatch(/do not know this approval/)
  })

  test('to who speaks about a lost call a second time, too late, or after the run', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const { world, approval } = await waiting()
    const other = proposalsOf(await stepsOf(world))[1]?.approval ?? ''
    expect(await said(world, 'UBEN', 'done', approval)).toMatch(/no longer holds|changed nothing/)
    for (const one of [approval, other]) {
      expect(await said(world, 'UBEN', 'approve', one)).toBeUndefined()
      await die(world, 'hang-after')
      await goOn(world)
    }
    expect(await said(world, 'UMALLORY', 'done', approval)).toMatch(/not yours/)
    expect(await said(world, 'UBEN', 'not-done', approval)).toBeUndefined()
    expect(await said(world, 'UANA', 'again', approval)).toBe(
      'That it did not run was said already by Ben; your click changed nothing.',
    )
    vi.setSystemTime(Date.now() + 9 * HOUR)
    await goOn(world)
    expect(await said(world, 'UBEN', 'done', other)).toMatch(/Nobody said in time/)
  })

  test('to who wants a lost call run again while its tool is away', async () => {
    const { world, approval } = await waiting()
    await click(world, 'UBEN', 'approve', approval)
    await die(world, 'hang-before')
    await goOn(world)
    const away = { ...world, tool: undefined } as unknown as World
    expect(await said(away, 'UBEN', 'again', approval)).toMatch(/tool is not there just now/)
    expect(await said(world, 'UBEN', 'again', approval)).toBeUndefined()
    expect(proposalsOf(await stepsOf(world)).at(-1)).toMatchObject({
      verdict: 'ask',
      attempt: 2,
      previous: expect.stringContaining('may have run'),
    })
  })
})

describe('the modal that edits a call', () => {
  const contextOf = (world: World) => ({
    pool: store.pool,
    policy: world.policy,
    catalogue: async () => [world.tool],
    speak: { decider: async (id: string) => PEOPLE[id] ?? { id, groups: [] } },
    name,
  })
  const viewer = (world: World, user: string) => ({
    workspace: 'T1',
    channel: world.channel,
    user,
    thread: '1.1',
  })
  const sent = (world: World, user: string, approval: string, what: unknown) => ({
    ...({
      kind: 'submitted',
      workspace: 'T1',
      channel: world.channel,
      user,
      form: 'edit',
      view: 'V1',
    } as const),
    ...{ approval, values: what === undefined ? {} : { 'arg:what': what } },
  })

  test('opens for somebody who may decide, filled in; for others a sentence', async () => {
    const { world, approval } = await waiting()
    const opened = await openEdit(contextOf(world), approval, viewer(world, 'UBEN'))
    if (typeof opened === 'string') throw new Error(opened)
    expect(JSON.stringify(opened.blocks)).toContain('"initial_value":"ropes"')
    expect(JSON.parse(opened.private_metadata ?? '')).toEqual({
      approval,
      channel: world.channel,
      thread: '1.1',
    })
    expect(await openEdit(contextOf(world), approval, viewer(world, 'UMALLORY'))).toMatch(/not yours/)
    expect(await openEdit(contextOf(world), approval, viewer(world, 'UGUS'))).toMatch(/Guests/)
    const away = { ...contextOf(world), catalogue: async () => [] }
    expect(await openEdit(away, approval, viewer(world, 'UBEN'))).toMatch(/not there just now/)
    const slow = { ...contextOf(world), catalogue: () => new Promise<never>(() => {}) }
    expect(await openEdit(slow, approval, viewer(world, 'UBEN'))).toMatch(/not there just now/)
    await click(world, 'UBEN', 'deny', approval)
    expect(await openEdit(contextOf(world), approval, viewer(world, 'UBEN'))).toMatch(/denied already/)
  })

  test('says at the field what does not fit, before anything is changed', async () => {
    const { world, approval } = await waiting()
    const picky = {
      ...TOOL,
      inputSchema: { ...TOOL.inputSchema, properties: { what: { type: 'string', maxLength: 4 } } },
    }
    const context = { ...contextOf(world), catalogue: async () => [picky] }
    const check = (what: unknown) => checkEdit(context, sent(world, 'UBEN', approval, what))
    expect(await check('cloth')).toEqual({
      'arg:what': 'This must NOT have more than 4 characters.',
    })
    expect(await check('tar')).toBeUndefined()
    const same = await checkEdit(contextOf(world), sent(world, 'UBEN', approval, 'ropes'))
    expect(same).toEqual({ 'arg:what': expect.stringContaining('Nothing is different') })
    const denying = PolicyFile.parse({ tools: { desk__order: { decision: 'deny' } } })
    const denied = await checkEdit(
      { ...contextOf(world), policy: denying },
      sent(world, 'UBEN', approval, 'tar'),
    )
    expect(denied).toEqual({ 'arg:what': expect.stringContaining('The policy denies it') })
    expect((await stepsOf(world)).some((s) => s.kind === 'decided')).toBe(false)
  })

  test('makes a call of its own, with its own hash, that waits for its own yes, outside of the batch', async () => {
    const { world, approval } = await waiting()
    expect((await editCall(world, 'UBEN', approval, 'tar')).outcome).toBe('taken')
    const [first, , edited] = proposalsOf(await stepsOf(world))
    expect(edited).toMatchObject({
      verdict: 'ask',
      editedBy: 'UBEN',
      replaces: first?.call.id,
      call: { tool: 'desk__order', args: { what: 'tar' } },
    })
    expect(edited?.batch).toBeUndefined()
    expect(edited?.hash).not.toBe(first?.hash)
    expect(await said(world, 'UBEN', 'approve', first?.batch ?? '', true)).toBeUndefined()
    await goOn(world)
    expect(world.executions.map(({ args }) => args)).toEqual([{ what: 'nails' }])
  })

  test('of two edits at once the first one counts', async () => {
    const { world, approval } = await waiting()
    const outcomes = await Promise.all([
      editCall(world, 'UBEN', approval, 'tar'),
      editCall(world, 'UCARA', approval, 'cloth'),
    ])
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['late', 'taken'])
    expect(proposalsOf(await stepsOf(world))).toHaveLength(3)
  })

  test('asks also where the policy alone would allow the new arguments', async () => {
    const { world, approval } = await waiting()
    world.policy = PolicyFile.parse({ tools: { desk__order: { decision: 'allow' } } })
    await editCall(world, 'UBEN', approval, 'tar')
    const edited = proposalsOf(await stepsOf(world)).at(-1)
    expect(edited).toMatchObject({ verdict: 'ask', approvers: [['SOPS', 'UGUS', 'requester']] })
  })
})

test('calls of one answer on the same terms share a batch; a call alone has none', async () => {
  const { world } = await waiting()
  const run = (await readRun(store.pool, world.run)) as Run
  const policy = PolicyFile.parse({
    tools: { a__x: { decision: 'ask', need: 2 }, a__y: { decision: 'ask' }, a__z: { decision: 'allow' } },
  })
  const at = new Date().toISOString()
  const weighed = ['a__x', 'a__y', 'a__z', 'a__y', 'a__none'].map((tool, i) => {
    const call = { id: `${i}`, tool, args: { what: 'ropes' } }
    const known = tool === 'a__none' ? undefined : { ...TOOL, name: tool, server: 'a', tool: tool.slice(3) }
    return weigh(policy, run, { tool: known, call, at, taint: [], words: [], steps: [] })
  })
  const batched = putInBatches(weighed)
  const batches = batched.map(({ step }) => step.batch)
  expect(batches[1]).toBeDefined()
  expect(batches).toEqual([undefined, batches[1], undefined, batches[1], undefined])
  expect(batched.map(({ approval }) => approval?.batch ?? undefined)).toEqual(batches)
})

/** For whom, where and how long an approval also holds for the same call again. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { takeDecision } from '../../../src/agent/approvals/decision.ts'
import { applyGrant } from '../../../src/agent/approvals/grant.ts'
import { type Weighed, weigh } from '../../../src/agent/approvals/weigh.ts'
import { PolicyFile } from '../../../src/core/rules.ts'
import { createApproval } from '../../../src/store/approvals.ts'
import { voidGrants } from '../../../src/store/grants.ts'
import type { Store } from '../../../src/store/open.ts'
import { createRun, type Run } from '../../../src/store/runs.ts'
import { inTransaction } from '../../../src/store/transaction.ts'
import { TOOL } from '../../support/deciding.ts'
import { openTestStore } from '../../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

type Rule = { approvers?: string[]; self_approve?: boolean; scope?: 'thread' | 'user' }
type Call = { by?: string; channel?: string; thread?: string; what?: string; at?: number; tool?: typeof TOOL }

/** A workspace of its own with one rule, in which calls are proposed and approved. */
function openDesk({ scope = 'thread', ...rule }: Rule) {
  const workspace = randomUUID()
  const remember = { scope, ttl: '1h' }
  const policy = PolicyFile.parse({ tools: { desk__order: { decision: 'ask', remember, ...rule } } })

  async function propose(call: Call = {}): Promise<Weighed & { run: Run }> {
    const { by = 'UANA', channel = 'C1', thread = '1.1', what = 'ropes', at = Date.now(), tool = TOOL } = call
    const asked = { kind: 'asked', at: new Date().toISOString(), user: by, text: 'order', ts: '1.1' } as const
    await store.pool.query('update runs set active = false where workspace = $1', [workspace])
    const place = { workspace, channel, thread, message: randomUUID(), asker: by, agent: 'q', dm: false }
    const run = (await createRun(store.pool, place, asked)) as Run
    const id = randomUUID()
    const time = new Date(at).toISOString()
    const proposal = {
      tool,
      call: { id, tool: tool.name, args: { what } },
      at: time,
      taint: [],
      words: [],
      steps: [],
    }
    return { run, ...(await applyGrant(store.pool, run, weigh(policy, run, proposal))) }
  }

  return {
    workspace,
    propose,
    /** Proposes a call, and somebody approves it. */
    async approve(by: string, call: Call = {}): Promise<void> {
      const { approval, run } = await propose(call)
      if (!approval) throw new Error('there is nothing to approve')
      await createApproval(store.pool, approval)
      const heard = { kind: 'clicked', workspace, channel: run.channel, user: by, choice: 'approve' } as const
      const known = { person: { id: by, groups: [] }, policy }
      const decided = await inTransaction(store.pool, (tx) =>
        takeDecision(tx, { ...heard, approval: approval.id, clickTs: '1' }, known),
      )
      expect(decided).toEqual({ outcome: 'taken' })
    },
    verdict: async (call: Call = {}) => (await propose(call)).step.verdict,
  }
}

test('holds for the very same call in the same thread, and says who gave it', async () => {
  const desk = openDesk({ approvers: ['UBEN'] })
  expect(await desk.verdict()).toBe('ask')
  await desk.approve('UBEN')
  const { step, approval } = await desk.propose()
  expect(step).toMatchObject({ verdict: 'allow', remembered: 'UBEN' })
  expect(approval).toMatchObject({ state: 'allowed', id: step.approval, hash: step.hash })
  expect(await desk.verdict({ by: 'UCHLOE' })).toBe('allow')
  expect(await desk.verdict({ what: 'tar' })).toBe('ask')
  expect(await desk.verdict({ thread: '2.2' })).toBe('ask')
  expect(await desk.verdict({ channel: 'C2' })).toBe('ask')
  expect(await desk.verdict({ at: Date.now() + 3_601_000 })).toBe('ask')
})

test('holds for nothing that was changed since, or withdrawn', async () => {
  const desk = openDesk({ approvers: ['UBEN'] })
  await desk.approve('UBEN')
  expect(await desk.verdict({ tool: { ...TOOL, definitionHash: 'other' } })).toBe('ask')
  expect(await desk.verdict({ tool: { ...TOOL, serverHash: 'other' } })).toBe('ask')
  expect(await desk.verdict()).toBe('allow')
  expect(await voidGrants(store.pool, desk.workspace, [TOOL.name])).toBe(1)
  expect(await desk.verdict()).toBe('ask')
})

test('of a person, holds wherever they ask, and for nobody else', async () => {
  const desk = openDesk({ approvers: ['UBEN'], scope: 'user' })
  await desk.approve('UBEN')
  expect(await desk.verdict({ thread: '2.2', channel: 'C2' })).toBe('allow')
  expect(await desk.verdict({ by: 'UCHLOE' })).toBe('ask')
})

test('stands in for nobody who would have to say yes themselves', async () => {
  const own = openDesk({ approvers: ['requester'] })
  await own.approve('UANA')
  expect(await own.verdict()).toBe('allow')
  expect(await own.verdict({ by: 'UMALLORY' })).toBe('ask')

  const others = openDesk({ approvers: ['UANA', 'UBEN'], self_approve: false })
  await others.approve('UBEN')
  expect(await others.verdict()).toBe('allow')
  expect(await others.verdict({ by: 'UBEN' })).toBe('ask')
})

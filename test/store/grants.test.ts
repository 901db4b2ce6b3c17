import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withdrawTools } from '../../src/agent/approvals/withdraw.ts'
import {
  castVote,
  createApproval,
  findPending,
  isWaiting,
  type NewApproval,
  readApproval,
  readBatch,
  resolveApproval,
} from '../../src/store/approvals.ts'
import { createGrant, findGrant, voidGrants } from '../../src/store/grants.ts'
import type { Store } from '../../src/store/open.ts'
import { createRun, readSteps } from '../../src/store/runs.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

const at = '2026-05-02T10:00:00.000Z'
const later = '2099-01-01T00:00:00.000Z'

async function propose(workspace: string, other: Partial<NewApproval> = {}): Promise<NewApproval> {
  const ts = randomUUID()
  const place = { workspace, channel: 'C1', thread: ts, message: ts, asker: 'UANA', agent: 'q', dm: false }
  const asked = { kind: 'asked', at, user: 'UANA', text: 'go', ts } as const
  const run = await createRun(store.pool, place, asked)
  const approval: NewApproval = {
    id: randomUUID(),
    run: run?.id ?? '',
    workspace,
    call: randomUUID(),
    tool: 'desk__order',
    server: 'desk',
    args: {},
    hash: 'h',
    asker: 'UANA',
    approvers: [['UANA', 'UBEN']],
    need: 1,
    selfApprove: true,
    batch: null,
    remember: null,
    state: 'pending',
    expires: later,
    ...other,
  }
  await createApproval(store.pool, approval)
  return approval
}

async function remember(workspace: string, other: Partial<Parameters<typeof createGrant>[1]> = {}) {
  const { id } = await propose(workspace, { state: 'approved' })
  const grant = { workspace, bound: 'b1', scope: 'user', holder: 'UANA', tool: 'desk__order' } as const
  await createGrant(store.pool, { ...grant, approval: id, givenBy: ['UBEN'], expires: later, ...other })
}

const sought = { bound: 'b1', scope: 'user', holder: 'UANA', at } as const

describe('a remembered grant', () => {
  test('holds for the same call of the same holder, until it expires', async () => {
    const workspace = randomUUID()
    await remember(workspace, { expires: '2026-05-02T11:00:00.000Z', givenBy: ['UBEN', 'UCHLOE'] })
    const find = (other: Partial<Parameters<typeof findGrant>[1]>) =>
      findGrant(store.pool, { workspace, ...sought, ...other })
    expect(await find({})).toEqual(['UBEN', 'UCHLOE'])
    expect(await find({ at: '2026-05-02T11:00:00.000Z' })).toBeUndefined()
    expect(await find({ bound: 'b2' })).toBeUndefined()
    expect(await find({ holder: 'UBEN' })).toBeUndefined()
    expect(await find({ scope: 'thread' })).toBeUndefined()
    expect(await find({ workspace: randomUUID() })).toBeUndefined()
  })

  test('is voided with its tool, in its workspace only', async () => {
    const [one, two] = [randomUUID(), randomUUID()]
    await remember(one)
    await remember(two)
    expect(await voidGrants(store.pool, one, ['desk__other'])).toBe(0)
    expect(await voidGrants(store.pool, one, ['desk__order', 'desk__other'])).toBe(1)
    expect(await voidGrants(store.pool, one, ['desk__order'])).toBe(0)
    expect(await findGrant(store.pool, { workspace: one, ...sought })).toBeUndefined()
    expect(await findGrant(store.pool, { workspace: two, ...sought })).toEqual(['UBEN'])
  })
})

describe('an approval', () => {
  test('of several people counts each once, and the last one needed approves', async () => {
    const { id } = await propose(randomUUID(), { need: 2 })
    expect(await castVote(store.pool, id, 'UANA')).toEqual({ votes: ['UANA'], approved: false })
    expect(await castVote(store.pool, id, 'UANA')).toBeUndefined()
    expect(await castVote(store.pool, id, 'UBEN')).toEqual({ votes: ['UANA', 'UBEN'], approved: true })
    expect(await castVote(store.pool, id, 'UCHLOE')).toBeUndefined()
    expect(await readApproval(store.pool, id)).toMatchObject({ state: 'approved', decidedBy: 'UBEN' })
  })

  test('with an unknown outcome is resolved once', async () => {
    const { id, run } = await propose(randomUUID(), { state: 'executing' })
    expect(await resolveApproval(store.pool, id, 'done')).toBe(false)
    const other = await propose(randomUUID(), { state: 'unknown' })
    expect(await isWaiting(store.pool, run)).toBe(false)
    expect(await isWaiting(store.pool, other.run)).toBe(true)
    const words = ['done', 'not-done', 'again', 'expired'] as const
    const said = await Promise.all(words.map((word) => resolveApproval(store.pool, other.id, word)))
    expect(said.filter(Boolean)).toHaveLength(1)
    expect(await isWaiting(store.pool, other.run)).toBe(false)
  })

  test('of a batch is found by it', async () => {
    const workspace = randomUUID()
    const batch = randomUUID()
    const first = await propose(workspace, { batch })
    const second = await propose(workspace, { batch })
    await propose(workspace)
    const found = await readBatch(store.pool, batch)
    expect(new Set(found.map((a) => a.id))).toEqual(new Set([first.id, second.id]))
  })
})

test('withdrawn tools void what waits for them, tell its runs, and forget what was remembered', async () => {
  const workspace = randomUUID()
  const waiting = await propose(workspace)
  const given = await propose(workspace, { state: 'approved' })
  const other = await propose(workspace, { tool: 'desk__look' })
  const elsewhere = await propose(randomUUID())
  await remember(workspace)
  await store.pool.query('delete from wakeups where run = $1', [waiting.run])
  expect((await findPending(store.pool, workspace, ['desk__order'])).map((a) => a.id)).toEqual([waiting.id])

  const withdraw = (tx: Parameters<typeof withdrawTools>[0]) =>
    withdrawTools(tx, workspace, ['desk__order'], 'Its definition changed.')
  expect(await inTransaction(store.pool, withdraw)).toEqual({ approvals: 1, grants: 1 })
  expect(await inTransaction(store.pool, withdraw)).toEqual({ approvals: 0, grants: 0 })

  expect((await readSteps(store.pool, waiting.run)).at(-1)).toMatchObject({
    kind: 'decided',
    outcome: 'void',
    why: 'Its definition changed.',
  })
  const woken = await store.pool.query('select 1 from wakeups where run = $1', [waiting.run])
  expect(woken.rowCount).toBe(1)
  const states = await Promise.all(
    [waiting, given, other, elsewhere].map(async ({ id }) => (await readApproval(store.pool, id))?.state),
  )
  expect(states).toEqual(['void', 'approved', 'pending', 'pending'])
})

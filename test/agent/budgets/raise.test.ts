/** Alerts and raises, when several do the same at the same time. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AlertContext, tellAlerts } from '../../../src/agent/budgets/alerts.ts'
import { takeRaise, tellRaise } from '../../../src/agent/budgets/raise.ts'
import type { Limit } from '../../../src/core/budget.ts'
import { Fault } from '../../../src/core/fault.ts'
import type { HeardOf } from '../../../src/core/heard.ts'
import { PolicyFile } from '../../../src/core/rules.ts'
import { hasMoved } from '../../../src/store/budgets.ts'
import { openLedger } from '../../../src/store/ledger.ts'
import type { Store } from '../../../src/store/open.ts'
import { inTransaction } from '../../../src/store/transaction.ts'
import { openTestStore } from '../../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

/** Uses so many tokens of a budget of 1,000. */
async function use(workspace: string, tokens: number, other: Partial<Limit> = {}): Promise<void> {
  await using ledger = openLedger(store.pool)
  const hold = await ledger.hold({
    about: { workspace, channel: '', thread: '', user: '', agent: 'q', lane: 'interactive' },
    attempt: { pool: 'p', model: 'm', tier: 'local', prompt: 0, most: 1, least: 1 },
    limits: [{ scope: 'workspace', holder: '', unit: 'tokens', every: 'day', allowed: 1_000, ...other }],
    zone: 'UTC',
  })
  if (typeof hold === 'string' || 'short' in hold) throw new Error('not held')
  await hold.settle({ prompt: tokens, completion: 0, sure: true })
}

function telling(workspace: string, admins = ['UANA', 'UBEN']) {
  const posts: string[] = []
  const log: string[] = []
  const context: AlertContext = {
    pool: store.pool,
    workspace,
    policy: PolicyFile.parse({ admins }),
    speak: {
      post: async (channel, _, { text }) => {
        if (channel === 'D:UAWAY') throw new Fault('slack-unreachable', 'away', { retry: true })
        posts.push(`${channel}: ${text}`)
        return { ts: randomUUID() }
      },
      find: async () => undefined,
      direct: async (user) => `D:${user}`,
      members: async () => ['UANA'],
      name: async (id) => id,
    },
    log: (_, message) => log.push(message),
  }
  return { posts, log, look: () => tellAlerts(context) }
}

async function windowOf(workspace: string) {
  const found = await store.pool.query('select * from budgets where workspace = $1', [workspace])
  return found.rows[0]
}

test('each height is told once to each admin, however many look at the same time', async () => {
  const workspace = randomUUID()
  const { posts, look } = telling(workspace)
  await use(workspace, 400)
  await look()
  expect(posts).toEqual([])
  for (const [tokens, said] of [
    [100, 'is used to 50 %: 500 of 1,000 tokens'],
    [350, 'is used to 80 %: 850 of 1,000 tokens'],
    [149, undefined],
    [50, 'is used up: 1,049 of 1,000 tokens'],
  ] as const) {
    posts.length = 0
    await use(workspace, tokens)
    await Promise.all([look(), look(), look()])
    await look()
    expect(posts).toHaveLength(said ? 2 : 0)
    for (const post of posts) expect(post).toContain(said)
  }
})

test('what jumps over a height is told at the highest; the person hears of their own, the channel of its own', async () => {
  const [one, two] = [randomUUID(), randomUUID()]
  await use(one, 900, { scope: 'user', holder: 'UANA' })
  await use(two, 2_000, { scope: 'channel', holder: 'C1' })
  const person = telling(one)
  const channel = telling(two)
  await Promise.all([person.look(), channel.look()])
  expect(person.posts).toEqual([expect.stringMatching(/^D:UANA: The daily budget of UANA is used to 80 %/)])
  expect(channel.posts).toEqual([expect.stringMatching(/^C1: The daily budget of .*is used up/)])
})

test('an admin who cannot be reached is told later; with no admins a line of the log says so once', async () => {
  const [one, two] = [randomUUID(), randomUUID()]
  await use(one, 600)
  const away = telling(one, ['UAWAY', 'UBEN'])
  await away.look()
  await away.look()
  expect(away.posts).toEqual([expect.stringMatching(/^D:UBEN/)])
  expect(await windowOf(one)).toMatchObject({ reached: 50, told: 0 })
  await use(two, 600)
  const nobody = telling(two, [])
  await nobody.look()
  await nobody.look()
  expect(nobody.log).toHaveLength(1)
})

async function press(workspace: string, user: string, admin: boolean, subject: string) {
  const heard: HeardOf<'pressed'> = {
    ...{ kind: 'pressed', workspace, channel: 'C1', user, button: 'raise', subject, clickTs: randomUUID() },
  }
  const raised = await inTransaction(store.pool, (tx) => takeRaise(tx, heard, admin))
  return { outcome: raised.outcome, said: await tellRaise(raised, async (id) => id) }
}

test('of two admins one raises it; nobody else can, nor a button of another workspace, nor one made up', async () => {
  const workspace = randomUUID()
  await use(workspace, 1_500)
  const { id } = await windowOf(workspace)
  const subject = JSON.stringify({ budget: id, from: 0, amount: 500 })
  const wait = {
    for: 'budget',
    key: 'workspace::tokens:day',
    until: new Date().toISOString(),
    text: '.',
  } as const
  expect(await hasMoved(store.pool, workspace, { ...wait, seen: '0' })).toBe(false)

  expect(await press(workspace, 'UGIL', false, subject)).toMatchObject({ outcome: 'not-yours' })
  expect(await press(randomUUID(), 'UANA', true, subject)).toMatchObject({ outcome: 'gone' })
  expect(await press(workspace, 'UANA', true, '{"budget":1}')).toMatchObject({ outcome: 'gone' })
  expect(await press(workspace, 'UANA', true, 'x')).toMatchObject({ outcome: 'gone' })
  expect(await windowOf(workspace)).toMatchObject({ raised: 0 })

  const both = await Promise.all(['UANA', 'UBEN'].map((user) => press(workspace, user, true, subject)))
  expect(both.map((one) => one.outcome).sort()).toEqual(['late', 'raised'])
  const [raised, late] = both[0]?.outcome === 'raised' ? both : both.reverse()
  expect(raised?.said).toBe(
    'The daily budget of the workspace is now 1,500 tokens. What waited for it goes on.',
  )
  expect(late?.said).toMatch(/^This budget was raised already by U(ANA|BEN); your click changed nothing/)
  expect(await windowOf(workspace)).toMatchObject({ raised: 500, reached: 100, told: 100 })
  expect(await hasMoved(store.pool, workspace, { ...wait, seen: '0' })).toBe(true)
  expect(await hasMoved(store.pool, workspace, { ...wait, seen: '500' })).toBe(false)

  const [raise] = (await store.pool.query('select by, amount from raises where budget = $1', [id])).rows
  expect(raise).toEqual({ by: expect.stringMatching(/^U(ANA|BEN)$/), amount: 500 })
  expect(late?.said).toContain(raise.by)
  await store.pool.query(
    `update budgets set begins = begins - interval '9 days', ends = ends - interval '9 days' where id = $1`,
    [id],
  )
  const after = JSON.stringify({ budget: id, from: 500, amount: 500 })
  expect(await press(workspace, 'UANA', true, after)).toMatchObject({ outcome: 'over' })
})

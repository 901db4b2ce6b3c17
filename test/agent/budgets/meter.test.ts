import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openMeter } from '../../../src/agent/budgets/meter.ts'
import { BudgetsFile } from '../../../src/core/budget.ts'
import type { Attempt } from '../../../src/core/meter.ts'
import { type Ledger, openLedger } from '../../../src/store/ledger.ts'
import type { Store } from '../../../src/store/open.ts'
import { openTestStore } from '../../support/store.ts'

let store: Store
let ledger: Ledger
beforeAll(async () => {
  store = await openTestStore()
  ledger = openLedger(store.pool)
})
afterAll(async () => {
  await ledger.close()
  await store.close()
})

const cloud: Partial<Attempt> = {
  tier: 'cloud',
  model: 'gpt-9',
  price: { prompt: 1_000_000, completion: 4_000_000 },
}

function asking(written: Record<string, unknown>, with_: Partial<Parameters<typeof openMeter>[0]> = {}) {
  const workspace = randomUUID()
  const meter = openMeter({
    ledger,
    budgets: BudgetsFile.parse(written),
    members: async () => ['UANA'],
    name: async (id) => ({ UANA: 'Ana', S1: '@oncall' })[id] ?? id,
    ...with_,
  })
  return (attempt: Partial<Attempt> = {}, user = 'UANA') =>
    meter(
      { workspace, channel: 'C1', thread: '1', user, agent: 'q', lane: 'interactive' },
      { pool: 'p', model: 'm', tier: 'local', prompt: 100, most: 50, least: 10, ...attempt },
    )
}

const textOf = (answer: Awaited<ReturnType<ReturnType<typeof openMeter>>>) =>
  'wait' in answer ? answer.wait.text : 'held'

describe('a cloud model', () => {
  test('is closed without a budget in dollars, without a price, and without an answer of the ledger', async () => {
    expect(textOf(await asking({ workspace: { day: { tokens: '1M' } } })(cloud))).toBe(
      'No budget in dollars is set for this, so I do not spend on the cloud model gpt-9.',
    )
    const paid = { workspace: { day: { dollars: 5 } } }
    const { price: _, ...priceless } = cloud
    expect(textOf(await asking(paid)(priceless))).toMatch(/without a price/)
    const away = { hold: async () => 'unreachable' as const, trust: ledger.trust }
    expect(textOf(await asking({ ...paid, local: 'open' }, { ledger: away })(cloud))).toMatch(
      /cannot find out/,
    )
    expect(textOf(await asking(paid)(cloud))).toBe('held')
  })

  test('is open where any budget in dollars concerns the call, and closed for whom none does', async () => {
    const ask = asking({ users: { UANA: { month: { dollars: 1 } } } })
    expect(textOf(await ask(cloud, 'UANA'))).toBe('held')
    expect(textOf(await ask(cloud, 'UBEN'))).toMatch(/^No budget in dollars/)
  })
})

describe('a local model', () => {
  test('needs no budget, and no dollars are held for it', async () => {
    expect(textOf(await asking({})())).toBe('held')
    expect(textOf(await asking({ workspace: { day: { dollars: 0.01 } } })({ most: 10_000_000 }))).toBe('held')
  })

  test('waits while the ledger cannot be asked, unless the workspace says open', async () => {
    const away = { hold: async () => 'unreachable' as const, trust: ledger.trust }
    const closed = await asking({}, { ledger: away })()
    expect(closed).toMatchObject({ wait: { for: 'budget', key: 'ledger' } })
    expect(textOf(await asking({ local: 'open' }, { ledger: away })())).toBe('held')
  })
})

test('a team is counted for its members, by whatever Slack says just now', async () => {
  const ask = asking({ teams: { S1: { day: { tokens: 200 } } }, zone: 'Europe/Berlin' })
  expect(textOf(await ask({ prompt: 195, most: 5, least: 5 }))).toBe('held')
  expect(textOf(await ask({ prompt: 195, most: 5, least: 5 }, 'UBEN'))).toBe('held')
  expect(textOf(await ask())).toBe(
    'The daily budget of the team @oncall is held by answers under way; I go on when one of them is done.',
  )
})

test('who waits is told whose budget it is, how far it is used, when it resets, and who may raise it', async () => {
  const ask = asking({ users: { UANA: { day: { tokens: 200 } } } })
  const hold = await ask()
  if ('wait' in hold) throw new Error('waits')
  await hold.settle({ prompt: 100, completion: 80, sure: true })
  const answer = await ask()
  if (!('wait' in answer)) throw new Error('held')
  expect(answer.wait).toMatchObject({ for: 'budget', key: 'user:UANA:tokens:day', seen: '0' })
  expect(answer.wait.until).toMatch(/T00:00:00.000Z$/)
  expect(answer.wait.text).toMatch(
    /^The daily budget of Ana has too little left: 20 of 200 tokens, and this needs 110 tokens\. I go on when it resets, .* UTC, or when an admin raises it\.$/,
  )
})

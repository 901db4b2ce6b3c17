import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSpending } from '../../../src/agent/budgets/embedding.ts'
import { openMeter } from '../../../src/agent/budgets/meter.ts'
import { BudgetsFile } from '../../../src/core/budget.ts'
import type { Embeddings } from '../../../src/core/home.ts'
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

function spending(budgets: Record<string, unknown>, about: Partial<Embeddings> = {}) {
  const people = { members: async () => [], name: async (id: string) => id }
  const meter = openMeter({ ...people, ledger, budgets: BudgetsFile.parse(budgets) })
  const config: Embeddings = { url: 'http://127.0.0.1:8001/v1', model: 'bge-m3', languages: 'all', ...about }
  const workspace = randomUUID()
  const spend = openSpending(meter, config)
  return (tokens: number) => spend(tokens, workspace)
}

test('embedding takes from the workspace’s budget until it is used up, and then says until when', async () => {
  const spend = spending({ workspace: { day: { tokens: 1_000 } } })
  await (await spend(900)).settle(700)
  await (await spend(250)).settle(250)
  await expect(spend(100)).rejects.toMatchObject({
    code: 'embed-unavailable',
    retry: true,
    message: expect.stringMatching(/workspace.*has too little left/i),
  })
})

test('a model in the house needs no budget; one in the cloud needs a price and a budget in dollars', async () => {
  await (await spending({})(1_000_000)).settle(1)
  const cloud = { url: 'https://api.example.com/v1', model: 'embed-9' }
  const paid = { workspace: { day: { dollars: 1 } } }
  await expect(spending({}, { ...cloud, price: 0.02 })(10)).rejects.toThrow(/budget in dollars/)
  await expect(spending(paid, cloud)(10)).rejects.toThrow(/without a price/)
  await (await spending(paid, { ...cloud, price: 0.02 })(1_000_000)).settle(1_000_000)
  await expect(spending(paid, { ...cloud, price: 2 })(1_000_000)).rejects.toThrow(/too little left/)
})

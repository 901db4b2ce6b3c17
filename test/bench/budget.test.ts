import { expect, test } from 'vitest'
import { runBench } from '../support/bench.ts'

test('the budget benchmark prints one line of JSON: rates, nothing overdrawn, nothing left of the dead', async () => {
  const report = await runBench('budget')
  expect(report).toMatchObject({ bench: 'budget', callers: 200 })
  const [{ rates, checked }] = report.results
  expect(rates[0].pairs).toBeGreaterThan(0)
  expect(rates[0].updates).toBeGreaterThan(0)
  expect(checked).toMatchObject({ overdrawn: 0, drift: 0, killed: 4 })
  expect(checked.heldWhenKilled).toBeGreaterThan(0)
}, 240_000)

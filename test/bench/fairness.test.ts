import { expect, test } from 'vitest'
import { runBench } from '../support/bench.ts'

test('the fairness benchmark prints one line of JSON, in which the small ones are before the busy one', async () => {
  const report = await runBench('fairness')
  expect(report).toMatchObject({ bench: 'fairness', small: 50 })
  const [alone, fair, oldest] = report.results
  expect(alone.p95).toBeGreaterThan(0)
  expect(fair.p95).toBeLessThan(oldest.p95)
}, 600_000)

import { expect, test } from 'vitest'
import { runBench } from '../support/bench.ts'

test('the Slack benchmark prints one line of JSON; asked at once, nothing is lost and the limits are kept', async () => {
  const report = await runBench('slack')
  expect(report).toMatchObject({ bench: 'slack', plain: { questions: 3 }, target: { calls: 8, lost: 0 } })
  const { plain, pressure } = report
  expect(plain.callsPerAnswer).toBeGreaterThan(2)
  expect(plain.callsPerAnswer).toBeLessThanOrEqual(8)
  expect(plain.byMethod['chat.postMessage']).toBe(2)
  expect(pressure).toMatchObject({ threads: 12, answered: 12, limited: {} })
  for (const { calls, of } of Object.values<{ calls: number; of: number }>(pressure.busiest))
    expect(calls).toBeLessThanOrEqual(of + 1)
}, 300_000)

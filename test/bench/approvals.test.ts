import { expect, test } from 'vitest'
import { runBench } from '../support/bench.ts'

test('the approvals benchmark prints one line of JSON, alone and under load', async () => {
  const report = await runBench('approvals')
  expect(report).toMatchObject({ bench: 'approvals', repetitions: 1 })
  expect(report.results.map((row: { working: number }) => row.working)).toEqual([0, 10])
  for (const { ack, call, decisionsPerSecond } of report.results) {
    expect(decisionsPerSecond).toBeGreaterThan(0)
    expect(ack.p95).toBeGreaterThanOrEqual(ack.p50)
    expect(call.p95).toBeGreaterThanOrEqual(call.p50)
  }
}, 120_000)

import { expect, test } from 'vitest'
import { runBench, startBench } from '../support/bench.ts'

test('the overhead benchmark prints one line of JSON with numbers for both sides', async () => {
  const report = await runBench('overhead')
  expect(report).toMatchObject({ bench: 'overhead', machine: { node: process.version }, repetitions: 1 })
  expect(report.results.map((row: { threads: number }) => row.threads)).toEqual([1, 10])
  for (const { quorum, bolt } of report.results)
    for (const side of [quorum, bolt]) {
      expect(side.sign.p50).toBeGreaterThan(0)
      expect(side.answer.p95).toBeGreaterThanOrEqual(side.sign.p50)
    }
}, 120_000)

test('without a name the benchmarks are listed', async () => {
  await expect(startBench()).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('overhead') })
})

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const bench = fileURLToPath(new URL('run.ts', import.meta.url))
const start = (...args: string[]) => promisify(execFile)(process.execPath, [bench, ...args])

test('the overhead benchmark prints one line of JSON with numbers for both sides', async () => {
  const { stdout } = await start('overhead', '--quick', '--json')
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  const report = JSON.parse(stdout)
  expect(report).toMatchObject({ bench: 'overhead', machine: { node: process.version }, repetitions: 1 })
  expect(report.results.map((row: { threads: number }) => row.threads)).toEqual([1, 10])
  for (const { quorum, bolt } of report.results)
    for (const side of [quorum, bolt]) {
      expect(side.sign.p50).toBeGreaterThan(0)
      expect(side.answer.p95).toBeGreaterThanOrEqual(side.sign.p50)
    }
}, 120_000)

test('without a name the benchmarks are listed', async () => {
  await expect(start()).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('overhead') })
})

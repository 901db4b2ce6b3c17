import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const bench = fileURLToPath(new URL('run.ts', import.meta.url))

test('the approvals benchmark prints one line of JSON, alone and under load', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [bench, 'approvals', '--quick', '--json'])
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  const report = JSON.parse(stdout)
  expect(report).toMatchObject({ bench: 'approvals', repetitions: 1 })
  expect(report.results.map((row: { working: number }) => row.working)).toEqual([0, 10])
  for (const { ack, call, decisionsPerSecond } of report.results) {
    expect(decisionsPerSecond).toBeGreaterThan(0)
    expect(ack.p95).toBeGreaterThanOrEqual(ack.p50)
    expect(call.p95).toBeGreaterThanOrEqual(call.p50)
  }
}, 120_000)

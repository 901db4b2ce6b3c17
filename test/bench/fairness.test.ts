import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const bench = fileURLToPath(new URL('run.ts', import.meta.url))

test('the fairness benchmark prints one line of JSON, in which the small ones are before the busy one', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [bench, 'fairness', '--quick', '--json'])
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  const report = JSON.parse(stdout)
  expect(report).toMatchObject({ bench: 'fairness', small: 50 })
  const [alone, fair, oldest] = report.results
  expect(alone.p95).toBeGreaterThan(0)
  expect(fair.p95).toBeLessThan(oldest.p95)
}, 600_000)

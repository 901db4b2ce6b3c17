import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const bench = fileURLToPath(new URL('run.ts', import.meta.url))

test('the budget benchmark prints one line of JSON: rates, nothing overdrawn, nothing left of the dead', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [bench, 'budget', '--quick', '--json'])
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  const report = JSON.parse(stdout)
  expect(report).toMatchObject({ bench: 'budget', callers: 200 })
  const [{ rates, checked }] = report.results
  expect(rates[0].pairs).toBeGreaterThan(0)
  expect(rates[0].updates).toBeGreaterThan(0)
  expect(checked).toMatchObject({ overdrawn: 0, drift: 0, killed: 4 })
  expect(checked.heldWhenKilled).toBeGreaterThan(0)
}, 240_000)

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const bench = fileURLToPath(new URL('run.ts', import.meta.url))

test('the index benchmark prints one line of JSON, and finds after a kill what an undisturbed reading leaves', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [bench, 'index', '--quick', '--json'])
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  const report = JSON.parse(stdout)
  expect(report).toMatchObject({ bench: 'index', pages: 30, second: { unchanged: 30 } })
  expect(report.killed).toMatchObject({ kills: 1, same: true })
  expect(report.killed.passages).toBeGreaterThan(8)
  for (const part of ['reading', 'chunking', 'writing', 'embedding'])
    expect(report.first[part]).toBeGreaterThan(0)
}, 300_000)

import { expect, test } from 'vitest'
import { runBench } from '../support/bench.ts'

test('the index benchmark prints one line of JSON, and finds after a kill what an undisturbed reading leaves', async () => {
  const report = await runBench('index')
  expect(report).toMatchObject({ bench: 'index', pages: 30, second: { unchanged: 30 } })
  expect(report.killed).toMatchObject({ kills: 1, same: true })
  expect(report.killed.passages).toBeGreaterThan(8)
  for (const part of ['reading', 'chunking', 'writing', 'embedding'])
    expect(report.first[part]).toBeGreaterThan(0)
}, 300_000)

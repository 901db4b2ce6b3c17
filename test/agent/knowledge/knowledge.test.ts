import { expect, test } from 'vitest'
import { embedMissing } from '../../../src/agent/knowledge/embed.ts'
import { ingest } from '../../../src/agent/knowledge/ingest.ts'
import { recall } from '../../../src/agent/knowledge/recall.ts'
import { openRights } from '../../../src/agent/knowledge/rights.ts'
import { openEmbedder } from '../../../src/models/embed.ts'
import { prepareSearch } from '../../../src/store/words.ts'
import { openFiles } from '../../support/knowledge.ts'
import { openTestStore } from '../../support/store.ts'

test('with the model that comes along, a page is found by what it means', async () => {
  await using files = await openFiles({
    'holidays.md': '# Holidays\n\nEverybody gets 28 days of paid leave a year.',
    'rollback.md': '# Rolling back\n\n## Steps\n\nRun `skipper rollback` and tell the channel.',
    'lunch.md': '# Lunch\n\nThe kitchen serves soup at noon.',
    'laptops.md': '# Laptops\n\nOrder a new computer every three years.',
  })
  await using store = await openTestStore()
  await using embedder = openEmbedder(undefined, {})
  const strategy = await prepareSearch(store.pool)
  await ingest({ pool: store.pool, home: files.dir }, 'T1', 'handbook', {
    directory: '.',
    audience: 'everyone',
  })
  expect((await embedMissing({ pool: store.pool, workspace: 'T1', embedder })).made).toBe(4)

  const ask = (query: string, readers = 'everyone') =>
    recall(
      { pool: store.pool, rights: openRights(store), embedder, strategy, patienceMs: 20_000 },
      { workspace: 'T1', readers, query },
    )
  const found = await ask('how much vacation can I take?')
  expect(found.degraded).toBeUndefined()
  expect(found.passages[0]).toMatchObject({ title: 'Holidays', vectorRank: 1 })
  expect(found.passages[0]?.wordRank).toBeUndefined()
  expect((await ask('revert a broken release')).passages[0]).toMatchObject({
    title: 'Rolling back',
    heading: 'Steps',
    date: '2026-05-02',
  })
  expect((await ask('how much vacation can I take?', 'channel:C1')).passages).toEqual([])
})

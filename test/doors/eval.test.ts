import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Evaluation, evaluate } from '../../src/agent/knowledge/evaluate.ts'
import { formatEvaluation } from '../../src/doors/eval.ts'
import { readCollection } from '../../src/sources/collection.ts'
import type { Store } from '../../src/store/open.ts'
import { prepareSearch } from '../../src/store/words.ts'
import { runCommand } from '../support/command.ts'
import { openFiles, testEmbedder } from '../support/knowledge.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

const long = (word: string) => `${word} `.repeat(10)
const lines = (rows: object[]) => rows.map((row) => JSON.stringify(row)).join('\n')

/** Words find a1 first and a2 second; what is right for q2 stands in no list of words. */
const files = {
  'corpus.jsonl': lines([
    { id: 'a1', title: 'Zeppelin', text: 'The zeppelin lands. A zeppelin is slow.' },
    { id: 'a2', title: 'Harbour', text: `The harbour has ships and one zeppelin. ${long('ship')}` },
    { id: 'a3', title: 'Kitchen', text: 'The kitchen has spoons.' },
  ]),
  'queries.jsonl': lines([
    { id: 'q1', text: 'zeppelin' },
    { id: 'q2', text: 'quantum' },
    { id: 'q3', text: 'nobody judged this' },
  ]),
  'qrels.tsv': 'q1\ta2\t1\nq2\ta3\t1\n',
}

test('a collection is judged as counted by hand, by words alone and with vectors', async () => {
  await using made = await openFiles(files)
  const embedder = testEmbedder()
  const asked: string[] = []
  const { embed } = embedder
  embedder.embed = (texts, options) => {
    if (options?.priority === 'query') asked.push(...texts)
    return embed(texts, options)
  }
  const context = { pool: store.pool, strategy: await prepareSearch(store.pool), embedder }
  const done = await evaluate(context, await readCollection(made.dir))
  expect(done).toMatchObject({ documents: 3, passages: 3, queries: 2 })
  expect(asked).toEqual(['zeppelin', 'quantum'])
  // q1: a2 second of two, 1 / log2(3) = .63093; q2: nothing. The mean of both.
  expect(done.keyword.ndcg10).toBeCloseTo(0.63093 / 2, 5)
  expect(done.keyword).toMatchObject({ recall10: 0.5, recall100: 0.5, mrr10: 0.25 })
  // Vectors find all three documents for every question.
  expect(done.vector).toMatchObject({ recall10: 1, recall100: 1 })
  expect(done.fused?.recall100).toBe(1)
  expect(done.fused?.p95).toBeGreaterThanOrEqual(done.fused?.p50 ?? 0)
  expect(formatEvaluation(done)).toContain('| keyword | 0.315 | 0.500 | 0.500 | 0.250 |')
})

test('the command makes a database of its own, keeps vectors for the next time, and prints JSON or a table', async () => {
  await using made = await openFiles({
    ...files,
    'home/agents/quorum.md': '---\nname: quorum\n---\nAnswer.\n',
  })
  const run = (...flags: string[]) =>
    runCommand(['eval', 'retrieval', '--collection', made.dir, ...flags], {
      cwd: made.dir,
      env: { QUORUM_HOME: path.join(made.dir, 'home'), QUORUM_DATA: path.join(made.dir, 'data') },
    })
  const first = await run('--json')
  expect(first.err).toBe('')
  const figures = JSON.parse(first.out) as Evaluation
  expect(figures).toMatchObject({ documents: 3, queries: 2, strategy: 'bm25', model: 'all-MiniLM-L6-v2' })
  const second = await run('--words', 'any-word')
  expect(second.out).toContain('BM25 on plain PostgreSQL')
  expect(second.out).toContain(`| keyword | ${figures.keyword.ndcg10.toFixed(3)} |`)
  expect(second.code).toBe(0)
}, 180_000)

test('what is missing is said in one sentence', async () => {
  const pools = 'pools: { main: { model: test, replicas: ["http://127.0.0.1:9/v1"] } }\n'
  const cloud = `${pools}embeddings: { url: "https://vectors.example/v1", model: dear }\n`
  await using unpriced = await openFiles({
    ...files,
    'home/agents/quorum.md': '---\nname: quorum\n---\nAnswer.\n',
    'home/models.yaml': cloud,
  })
  const dear = await runCommand(['eval', 'retrieval', '--collection', unpriced.dir], {
    cwd: unpriced.dir,
    env: { QUORUM_HOME: path.join(unpriced.dir, 'home') },
  })
  expect(dear).toMatchObject({
    code: 1,
    out: expect.stringContaining('dear is in the cloud and has no price'),
  })
  await using made = await openFiles({})
  const usage = await runCommand(['eval', 'retrieval'], { cwd: made.dir })
  expect(usage).toMatchObject({ code: 2, out: expect.stringContaining('--collection DIR') })
}, 120_000)

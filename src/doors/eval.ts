/** `quorum eval retrieval --collection DIR`: how well questions find what answers them, on a collection of one's own. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { lacksPrice } from '../agent/budgets/embedding.ts'
import { type Evaluation, evaluate, type Judged } from '../agent/knowledge/evaluate.ts'
import { permitCloud } from '../core/permit.ts'
import { readHome } from '../home/read.ts'
import { openEmbedder } from '../models/embed.ts'
import { cacheVectors } from '../models/embed-cache.ts'
import { readCollection } from '../sources/collection.ts'
import { migrate } from '../store/migrate.ts'
import { openStore, type Store } from '../store/open.ts'
import { prepareSearch, type WordStrategy } from '../store/words.ts'
import { readEnv } from './environment.ts'
import { print } from './print.ts'

const EVAL_USAGE =
  'quorum eval retrieval --collection DIR [--json] [--words bm25|any-word] [--database postgres://…] [--cache FILE]'

/** Reads the collection into a database that is made for it and removed again. Answers the exit code. */
export async function evalDoor(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      collection: { type: 'string' },
      json: { type: 'boolean', default: false },
      words: { type: 'string' },
      database: { type: 'string' },
      cache: { type: 'string' },
    },
  })
  const words = values.words
  if (
    positionals.join(' ') !== 'retrieval' ||
    !values.collection ||
    !(words === undefined || isStrategy(words))
  ) {
    print(`Usage: ${EVAL_USAGE}`)
    return 2
  }
  const env = readEnv()
  const home = await readHome(env.QUORUM_HOME, process.env)
  const embeddings = home.models?.embeddings
  if (embeddings && lacksPrice(embeddings)) {
    print(
      `${embeddings.model} is in the cloud and has no price. Give \`embeddings\` a \`price\` in models.yaml.`,
    )
    return 1
  }
  if (embeddings?.price)
    process.stderr.write(
      `${embeddings.model} costs $${embeddings.price} a million tokens, beside all budgets.\n`,
    )
  const embedder = openEmbedder(embeddings, process.env)
  const cached = cacheVectors(embedder, values.cache ?? path.join(env.QUORUM_DATA, 'eval', 'vectors.sqlite'))
  try {
    const ready = await cached.ready()
    if (ready !== 'ready') process.stderr.write(`Words only: ${ready.why}\n`)
    const evaluation = await evaluateApart({
      collection: values.collection,
      database: values.database,
      words,
      embedder: ready === 'ready' ? cached : undefined,
      fusion: home.models?.recall,
      permit: permitCloud(home.policy, { channel: '', agent: '' }),
      onProgress: process.stderr.isTTY ? showProgress : undefined,
    })
    print(values.json ? JSON.stringify(evaluation) : formatEvaluation(evaluation))
    return 0
  } finally {
    await cached.close()
  }
}

type Apart = Pick<Parameters<typeof evaluate>[0], 'embedder' | 'fusion' | 'permit' | 'onProgress'> & {
  collection: string
  /** A server on which a database is made; the embedded one in a temporary directory where it is left out. */
  database?: string | undefined
  /** The best the database can where it is left out. */
  words?: WordStrategy | undefined
}

/** Evaluates a collection in a database of its own, which is removed whatever happens. */
export async function evaluateApart({ collection, database, words, ...context }: Apart): Promise<Evaluation> {
  const read = await readCollection(collection)
  await using opened = await openApart(database)
  const { pool } = opened.store
  await migrate(pool)
  const best = await prepareSearch(pool)
  return await evaluate({ ...context, pool, strategy: words ?? best }, read)
}

/** An empty database that nobody else sees; disposing of it removes it. */
export async function openApart(server?: string): Promise<AsyncDisposable & { store: Store }> {
  const place = server ? await createDatabase(server) : await createDirectory()
  try {
    const store = await openStore({ databaseUrl: place.url, dataDir: place.dir })
    const remove = async () => {
      await store.close()
      await place.remove()
    }
    return { store, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await place.remove()
    throw error
  }
}

async function createDirectory() {
  const dir = await mkdtemp(path.join(tmpdir(), 'quorum-eval-'))
  return { url: undefined, dir, remove: () => rm(dir, { recursive: true, force: true }) }
}

async function createDatabase(server: string) {
  const name = `quorum_eval_${randomUUID().replaceAll('-', '')}`
  const run = async (sql: string) => {
    const client = new pg.Client({ connectionString: server })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  await run(`create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, dir: '', remove: () => run(`drop database ${name} with (force)`) }
}

/** The figures as a table for a terminal, or for Markdown. */
export function formatEvaluation(done: Evaluation): string {
  const rows = (['keyword', 'vector', 'fused'] as const).flatMap((way) => {
    const judged = done[way]
    return judged ? [row([way, ...figures(judged)])] : []
  })
  const by = done.strategy === 'bm25' ? 'BM25 (pg_textsearch)' : 'BM25 on plain PostgreSQL'
  return [
    `${done.documents} documents, ${done.passages} passages, ${done.queries} questions; words by ${by}${done.model ? `, vectors by ${done.model}` : ''}`,
    '',
    row(['', 'nDCG@10', 'Recall@10', 'Recall@100', 'MRR@10', 'p50 ms', 'p95 ms']),
    '|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

function figures({ ndcg10, recall10, recall100, mrr10, p50, p95 }: Judged): string[] {
  return [
    ...[ndcg10, recall10, recall100, mrr10].map((one) => one.toFixed(3)),
    p50.toFixed(1),
    p95.toFixed(1),
  ]
}

const row = (cells: string[]) => `| ${cells.join(' | ')} |`

function isStrategy(words: string): words is WordStrategy {
  return words === 'bm25' || words === 'any-word'
}

function showProgress({ doing, done, of }: { doing: string; done: number; of: number }): void {
  process.stderr.write(`\r${doing}: ${done} of ${of}   ${done >= of ? '\n' : ''}`)
}

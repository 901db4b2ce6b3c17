/** How fast and how well much is searched, and what building it takes; for readers of all, of a tenth, and of less. */
import type pg from 'pg'
import { toSql } from 'pgvector'
import { FUSION, type Fusion } from '../../../src/core/fuse.ts'
import { percentile } from '../../../src/core/judge.ts'
import { audienceId } from '../../../src/store/audiences.ts'
import { refreshStatistics } from '../../../src/store/documents.ts'
import { recallPassages, type Search } from '../../../src/store/passages.ts'
import { indexName, indexVectors } from '../../../src/store/vector-index.ts'
import { refreshVectorStatistics, type VectorTable } from '../../../src/store/vectors.ts'
import { BM25_INDEX, type WordStrategy } from '../../../src/store/words.ts'
import { openVectors } from '../../support/knowledge.ts'
import { type Held, watchThread } from '../../support/thread.ts'
import { AUDIENCES, type Made, openMade, WORKSPACE, writeMade } from './made.ts'

export type Measured = {
  passages: number
  /** The share of all passages that may be read. */
  share: number
  p50: number
  p95: number
  /** Of the ten nearest that may be read, how many the vector half finds. */
  recall10: number
  /** The fewest rows that came back of ten. */
  fewest: number
}

export type Scale = {
  passages: number
  strategy: WordStrategy
  /** Absent where the passages were there already. */
  built?: Built
  databaseMb: number
  /** Of the database, the index of vectors and that of words. */
  vectorsMb: number
  wordsMb: number
  processMb: number
  /** How long the main thread was held at most while searching, in ms. */
  held: number
  measured: Measured[]
}

/** What it took to come from the size before to this one; `held` is how long the main thread was held at most. */
export type Built = {
  from: number
  writeMs: number
  vectorMs: number
  indexMs: number
  countMs: number
  held: number
}

const QUESTIONS = 200
/** Asked before anything is measured: WebAssembly is slow until it has been compiled well, and plans are made anew. */
const WARM = 100
const EXACT = 50

/** Fills a database up to each size in turn, and measures there; passages that are there already are not written again. */
export async function measureScale(
  pool: pg.Pool,
  strategy: WordStrategy,
  sizes: number[],
  tell: (line: string) => void,
): Promise<Scale[]> {
  const made = openMade()
  const table = await openVectors(pool, { workspace: WORKSPACE, dimensions: 384 })
  const { rows } = await pool.query<{ count: number }>('select count(*)::int as count from passages')
  const done: Scale[] = []
  let from = rows[0]?.count ?? 0
  for (const to of sizes) {
    if (to < from) throw new Error(`there are ${from} passages already: smaller sizes come first`)
    const built = to === from ? undefined : await build(pool, { table, made, from, to, tell })
    const held = watchThread()
    const measured: Measured[] = []
    for (let last = AUDIENCES.length; last > 0; last -= 1) {
      const readers = AUDIENCES.slice(0, last)
      tell(`searching, ${readers.map(({ scope }) => scope).join(' ')}`)
      measured.push(await measure(pool, { table, made, strategy, passages: to }, readers))
    }
    done.push({
      passages: to,
      strategy,
      ...(built ? { built } : {}),
      ...(await sizesOf(pool, table)),
      processMb: Math.round(process.memoryUsage().rss / 1e6),
      held: stop(held),
      measured,
    })
    from = to
  }
  return done
}

type Building = { table: VectorTable; made: Made; from: number; to: number; tell: (line: string) => void }

async function build(pool: pg.Pool, { table, made, from, to, tell }: Building): Promise<Built> {
  tell(`writing ${to} passages`)
  const held = watchThread()
  const written = await writeMade(pool, table, made, { from, to })
  const began = performance.now()
  await refreshStatistics(pool)
  await refreshVectorStatistics(pool, table, Number.POSITIVE_INFINITY)
  const counted = performance.now()
  tell('building the index')
  await indexVectors(pool, table)
  const indexMs = performance.now() - counted
  await pool.query('checkpoint')
  return { from, ...written, indexMs, countMs: counted - began, held: stop(held) }
}

type Filled = { table: VectorTable; made: Made; strategy: WordStrategy; passages: number }

async function measure(
  pool: pg.Pool,
  { table, made, strategy, passages }: Filled,
  readers: typeof AUDIENCES,
): Promise<Measured> {
  const audiences = await Promise.all(readers.map(({ scope }) => audienceId(pool, WORKSPACE, [scope])))
  const share = readers.reduce((sum, { of }) => sum + of, 0) / 1_000
  const search = (n: number, fusion: Fusion, limit: number): Search => {
    const { query, values } = made.question(Math.floor((n * passages) / QUESTIONS))
    return {
      workspace: WORKSPACE,
      audiences,
      query,
      language: 'en',
      vector: { table, values },
      limit,
      strategy,
      fusion,
    }
  }
  const times: number[] = []
  let fewest = Number.POSITIVE_INFINITY
  for (let n = -WARM; n < QUESTIONS; n += 1) {
    const asked = search(Math.abs(n), FUSION, 10)
    const began = performance.now()
    const hits = await recallPassages(pool, asked)
    if (n >= 0) times.push(performance.now() - began)
    fewest = Math.min(fewest, hits.length)
  }
  let found = 0
  let right = 0
  for (let n = 0; n < EXACT; n += 1) {
    const asked = search(n * Math.floor(QUESTIONS / EXACT), { ...FUSION, words: 0 }, 10)
    const exact = await nearest(pool, table, audiences, asked.vector?.values ?? [])
    const ids = new Set((await recallPassages(pool, asked)).slice(0, 10).map((hit) => hit.id))
    found += exact.filter((id) => ids.has(id)).length
    right += exact.length
  }
  const recall10 = found / right
  return { passages, share, p50: percentile(times, 0.5), p95: percentile(times, 0.95), recall10, fewest }
}

/** The ten nearest that may be read, all compared. */
async function nearest(
  pool: pg.Pool,
  table: VectorTable,
  audiences: number[],
  values: number[],
): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select v.passage as id from ${table.table} v join documents d on d.id = v.document
     where d.audience = any($1) order by (v.embedding <=> $2::${table.type}) + 0, 1 limit 10`,
    [audiences, toSql(values)],
  )
  return rows.map((row) => row.id)
}

async function sizesOf(
  pool: pg.Pool,
  table: VectorTable,
): Promise<Pick<Scale, 'databaseMb' | 'vectorsMb' | 'wordsMb'>> {
  const { rows } = await pool.query<Pick<Scale, 'databaseMb' | 'vectorsMb' | 'wordsMb'>>(
    `select (pg_database_size(current_database()) / 1e6)::int as "databaseMb",
       (coalesce(pg_relation_size(to_regclass($1)), 0) / 1e6)::int as "vectorsMb",
       (coalesce(pg_relation_size(to_regclass($2)), 0) / 1e6)::int as "wordsMb"`,
    [indexName(table), BM25_INDEX],
  )
  return rows[0] ?? { databaseMb: 0, vectorsMb: 0, wordsMb: 0 }
}

/** By its own CPU time: what others on the machine do meanwhile is not counted. */
function stop(held: Held): number {
  const { cpu } = held.longest()
  held.stop()
  return Math.round(cpu)
}

/** The same passages and vectors through what others do: LangChain's PGVector store, and the usual hybrid example. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type pg from 'pg'
import { toSql } from 'pgvector'
import { type Grades, judge, meanVerdict, percentile, type Verdict } from '../../../src/core/judge.ts'
import type { Embedder } from '../../../src/models/embed.ts'
import type { Collection } from '../../../src/sources/collection.ts'
import { servingTable } from '../../../src/store/vectors.ts'

export type Peer = { name: string } & Verdict & { p50: number; p95: number }

/** They have many peers of their own, which do not belong into this project's tree: installed apart, these versions. */
const PACKAGES = ['@langchain/community@1.1.29', '@langchain/core@1.4.0', 'pg@8.23.1']
const DEEP = 250
const USUAL = 6

type Asked = { text: string; grades: Grades; values: number[] }
type Way = (asked: Asked, limit: number) => Promise<string[]>

/** Judges them on a database that a collection has been read into. What cannot be installed is said and left out. */
export async function measurePeers(
  pool: pg.Pool,
  { queries, grades }: Collection,
  embedder: Embedder,
  tell: (line: string) => void,
): Promise<Peer[]> {
  const table = await servingTable(pool, 'eval')
  if (!table) throw new Error('there are no vectors to compare by')
  const judged = queries.flatMap(({ id, text }) => {
    const of = grades.get(id)
    return of && [...of.values()].some((grade) => grade > 0) ? [{ text, grades: of }] : []
  })
  const vectors = await embedder.embed(judged.map(({ text }) => text))
  const asked = judged.map((one, at) => ({ ...one, values: vectors[at] ?? [] }))
  await pool.query(
    // LangChain writes no halfvec.
    `create table if not exists peer (id uuid primary key, path text, content text, metadata jsonb, vector vector(${table.dimensions}))`,
  )
  await pool.query(
    `insert into peer select p.id, d.path, concat_ws(E'\\n', nullif(d.title, ''), p.text), jsonb_build_object('path', d.path), v.embedding::vector
     from passages p join documents d on d.id = p.document join ${table.table} v on v.passage = p.id
     on conflict do nothing`,
  )
  await pool.query(
    `create index if not exists peer_words on peer using gin (to_tsvector('english', content))`,
  )
  await pool.query('analyze peer')
  const ways = new Map([['the usual hybrid (websearch_to_tsquery, ts_rank_cd, RRF 60)', usual(pool)]])
  try {
    ways.set('LangChain PGVectorStore', await langchain(pool))
  } catch (error) {
    tell(`LangChain could not be installed or run: ${(error as Error).message.split('\n')[0]}`)
  }
  const verdicts = new Map<string, Verdict>()
  for (const [name, way] of ways) verdicts.set(name, await judgeWay(asked, way))
  // Judged by comparing all vectors, since an index gives them no more than 40; timed with the index they would have.
  await pool.query('create index if not exists peer_near on peer using hnsw (vector vector_cosine_ops)')
  const peers: Peer[] = []
  for (const [name, way] of ways) {
    const verdict = verdicts.get(name)
    if (verdict) peers.push({ name, ...verdict, ...(await timeWay(asked, way)) })
  }
  return peers
}

async function judgeWay(asked: Asked[], way: Way): Promise<Verdict> {
  const verdicts: Verdict[] = []
  for (const one of asked) {
    const verdict = judge([...new Set(await way(one, DEEP))], one.grades)
    if (verdict) verdicts.push(verdict)
  }
  return meanVerdict(verdicts)
}

async function timeWay(asked: Asked[], way: Way): Promise<{ p50: number; p95: number }> {
  const times: number[] = []
  for (const one of asked) {
    const began = performance.now()
    await way(one, USUAL)
    times.push(performance.now() - began)
  }
  return { p50: percentile(times, 0.5), p95: percentile(times, 0.95) }
}

/** As guides to hybrid search write it: all words, the rank of PostgreSQL, both lists fused with k = 60. */
function usual(pool: pg.Pool): Way {
  return async ({ text, values }, limit) => {
    const { rows } = await pool.query<{ path: string }>(
      `with near as (
         select id, row_number() over (order by vector <=> $1::vector) as rank from peer
         order by vector <=> $1::vector limit greatest($3, 20)),
       words as (
         select id, row_number() over (order by ts_rank_cd(to_tsvector('english', content), q) desc) as rank
         from peer, websearch_to_tsquery('english', $2) q where to_tsvector('english', content) @@ q
         order by ts_rank_cd(to_tsvector('english', content), q) desc limit greatest($3, 20))
       select p.path from near full join words using (id) join peer p using (id)
       order by coalesce(1.0 / (60 + near.rank), 0) + coalesce(1.0 / (60 + words.rank), 0) desc limit $3`,
      [toSql(values), text.replaceAll('-', ' '), limit],
    )
    return rows.map((row) => row.path)
  }
}

type Found = [{ metadata: { path: string } }, number]
type StoreOfTheirs = {
  client?: { release(): void }
  similaritySearchVectorWithScore(values: number[], limit: number): Promise<Found[]>
}
type Theirs = {
  PGVectorStore: { initialize(embeddings: object, options: object): Promise<StoreOfTheirs> }
}

async function langchain(pool: pg.Pool): Promise<Way> {
  const at = await install()
  const { PGVectorStore } = (await import(
    pathToFileURL(path.join(at, 'node_modules/@langchain/community/dist/vectorstores/pgvector.js')).href
  )) as Theirs
  const store = await PGVectorStore.initialize(
    { embedDocuments: async () => [], embedQuery: async () => [] },
    {
      pool,
      tableName: 'peer',
      columns: {
        idColumnName: 'id',
        vectorColumnName: 'vector',
        contentColumnName: 'content',
        metadataColumnName: 'metadata',
      },
      distanceStrategy: 'cosine',
    },
  )
  // It keeps a connection from the start, and the embedded database has one.
  store.client?.release()
  return async ({ values }, limit) =>
    (await store.similaritySearchVectorWithScore(values, limit)).map(([one]) => one.metadata.path)
}

async function install(): Promise<string> {
  const dir = path.join(tmpdir(), `quorum-bench-langchain-${process.getuid?.() ?? ''}`)
  await mkdir(dir, { recursive: true })
  await writeFile(path.join(dir, 'package.json'), '{"private": true, "type": "module"}')
  const flags = [
    'install',
    '--save-exact',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--legacy-peer-deps',
  ]
  await promisify(execFile)('npm', [...flags, ...PACKAGES], { cwd: dir, timeout: 300_000 })
  return dir
}

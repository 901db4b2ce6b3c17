/** Finding passages: one statement over words and vectors, for one audience. */
import type pg from 'pg'
import { toSql } from 'pgvector'
import { queryText } from '../core/words.ts'
import { type Db, inTransaction } from './transaction.ts'
import type { VectorTable } from './vectors.ts'

/**
 * How the words of a question are ranked: `bm25` by the pg_textsearch extension, `any-word` by plain
 * PostgreSQL where a server lacks it (about a fifth less accurate on its own, nearly equal after fusion).
 */
export type WordStrategy = 'bm25' | 'any-word'

/** A passage as it was found. Ranks count from 1; one is missing where the passage is not in that list. */
export type Hit = {
  id: string
  source: string
  /** Of its document: who may read it, a row of `audiences`. */
  audience: number
  /** Within its source. */
  path: string
  title: string
  heading: string
  link?: string
  date?: string
  text: string
  /** Where the text stands in the document's text, in UTF-16 units. */
  start: number
  end: number
  wordRank?: number
  vectorRank?: number
  score: number
}

export type Search = {
  workspace: string
  /** Only passages of these audiences (`readableAudiences`) are seen at all; none where it is empty. */
  audiences: number[]
  /** Any text: it is taken apart into words, never read as a query language. */
  query: string
  /** The question's vector by the model of this table; without it only words are searched. */
  vector?: { table: VectorTable; values: number[] }
  /** Names of sources to search; all where it is left out. */
  sources?: string[]
  limit: number
  strategy: WordStrategy
}

/**
 * Reciprocal rank fusion: a passage scores weight / (k + rank) in each list that has it. k = 10 and .6 to .4
 * were the best of those tried over eight collections with a small English embedding model; the usual
 * k = 60 flattens the lists so much that a passage found halfway by both beats the best of one.
 * A passage that has no vector yet cannot be near the question; its words count for all of it, so that while
 * vectors are being made the few that have one do not come first whatever is asked.
 */
const FUSION = { k: 10, vector: 0.6, words: 0.4 }

/** How deep each list is read: what stands below rank 100 adds less than the first ten differ by. */
const DEPTH = 100

const BM25_INDEX = 'passages_bm25'

/** The passages that suit the question best, best first; those of the audience only, by the statement itself. */
export async function recallPassages(db: Db, search: Search): Promise<Hit[]> {
  const values: unknown[] = [search.workspace, search.audiences, search.sources ?? null]
  const bind = (value: unknown) => `$${values.push(value)}`
  const words = wordList(search.strategy, bind(queryText(search.query)))
  const { vector } = search
  const of = vector && {
    table: vector.table.table,
    values: `${bind(toSql(vector.values))}::${vector.table.type}`,
  }
  const near = of ? vectorList(of) : 'select null::uuid as id, null::bigint as rank where false'
  const alone = of ? `not exists (select from ${of.table} v where v.passage = id)` : 'true'
  const { k } = FUSION
  const { rows } = await db.query<Row>(
    `with words as (select id, rank, ${alone} as alone from (${words}) w), near as (${near}),
    fused as (
      select id, w.rank as word_rank, v.rank as vector_rank,
        case when w.alone then 1.0 / (${k} + w.rank)
          else coalesce(${FUSION.words} / (${k} + w.rank), 0) + coalesce(${FUSION.vector} / (${k} + v.rank), 0)
        end as score
      from words w full join near v using (id)
      order by score desc, id limit ${bind(search.limit)})
    select p.id, d.source, d.audience, d.path, d.title, p.heading, coalesce(p.link, d.link) as link,
      to_char(d.date, 'YYYY-MM-DD') as date, p.text, p.start_at as start, p.end_at as end, f.word_rank, f.vector_rank, f.score::float8 as score
    from fused f join passages p using (id) join documents d on d.id = p.document
    order by f.score desc, p.id`,
    values,
  )
  return rows.map(asHit)
}

/** How many sources hold a document that this audience may read. */
export async function countSources(
  db: Db,
  search: Pick<Search, 'workspace' | 'audiences' | 'sources'>,
): Promise<number> {
  const { rows } = await db.query<{ sources: number }>(
    `select count(distinct d.source)::int as sources from documents d where ${READABLE}`,
    [search.workspace, search.audiences, search.sources ?? null],
  )
  return rows[0]?.sources ?? 0
}

/**
 * Finds out how this server can rank words, and makes the index for it where it is missing. May be called
 * at every start and by several starters at once; they take turns.
 */
export async function prepareSearch(pool: pg.Pool): Promise<WordStrategy> {
  const { rows } = await pool.query(`select 1 from pg_available_extensions where name = 'pg_textsearch'`)
  if (rows.length === 0) return 'any-word'
  try {
    await inTransaction(pool, async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(hashtextextended('quorum search', 0))`)
      await tx.query('create extension if not exists pg_textsearch')
      await tx.query(
        `create index if not exists ${BM25_INDEX} on passages using bm25 (search_text) with (text_config = 'english')`,
      )
    })
    return 'bm25'
  } catch {
    // There but not loaded, or not ours to create: the plain way works everywhere.
    return 'any-word'
  }
}

/** What this audience may read: the one place where rows are let in. */
const READABLE = `d.workspace = $1 and d.audience = any($2::int[]) and ($3::text[] is null or d.source = any($3))`

function wordList(strategy: WordStrategy, query: string): string {
  const order =
    strategy === 'bm25'
      ? `p.search_text <@> to_bm25query(${query}, '${BM25_INDEX}')`
      : `ts_rank(p.tsv, ${anyWord(query)}, 1) desc`
  return `select id, row_number() over () as rank from (
      select p.id from passages p join documents d on d.id = p.document
      where ${READABLE} and p.tsv @@ ${anyWord(query)}
      order by ${order} limit ${DEPTH}) best`
}

/** The question's words joined by "or": demanding all of them finds nothing for most questions. */
function anyWord(query: string): string {
  return `replace(plainto_tsquery('english', ${query})::text, ' & ', ' | ')::tsquery`
}

function vectorList(of: { table: string; values: string }): string {
  return `select id, row_number() over () as rank from (
      select v.passage as id from ${of.table} v join documents d on d.id = v.document
      where ${READABLE}
      order by v.embedding <=> ${of.values} limit ${DEPTH}) nearest`
}

type Row = {
  id: string
  source: string
  audience: number
  path: string
  title: string
  heading: string
  link: string | null
  date: string | null
  text: string
  start: number
  end: number
  word_rank: number | null
  vector_rank: number | null
  score: number
}

function asHit(row: Row): Hit {
  return {
    id: row.id,
    source: row.source,
    audience: row.audience,
    path: row.path,
    title: row.title,
    heading: row.heading,
    text: row.text,
    start: row.start,
    end: row.end,
    score: row.score,
    ...(row.link === null ? {} : { link: row.link }),
    ...(row.date === null ? {} : { date: row.date }),
    ...(row.word_rank === null ? {} : { wordRank: row.word_rank }),
    ...(row.vector_rank === null ? {} : { vectorRank: row.vector_rank }),
  }
}

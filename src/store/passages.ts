/** Finding passages: one statement over words and vectors, for one audience. */
import type { Fusion } from '../core/fuse.ts'
import { queryWords, stemmerOf } from '../core/words.ts'
import { queryPrepared, vectorBytes } from './prepared.ts'
import type { Db } from './transaction.ts'
import { indexName } from './vector-index.ts'
import type { VectorTable } from './vectors.ts'
import { BM25_INDEX, questionOf, type WordStrategy } from './words.ts'

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
  /** What stands right before and behind it under the same heading, cut to a few lines, by the passages it is of. */
  around?: { passage: string; side: 'before' | 'after'; text: string }[]
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
  /** The question's language (ISO 639-1), by which its words are stemmed; as they stand where it is left out. */
  language?: string
  /** The question's vector by the model of this table; without it only words are searched. */
  vector?: { table: VectorTable; values: number[] }
  /** Names of sources to search; all where it is left out. */
  sources?: string[]
  limit: number
  strategy: WordStrategy
  fusion: Fusion
}

/** How deep each list is read at least: what stands below rank 50 moves nothing among the first ten. */
const DEPTH = 50

/** Up to so many passages that may be read the words of all of them are weighed; beyond, an index is asked. */
const FEW_WORDS = 2_000
/**
 * Vectors of so many passages are compared one by one, which misses none. Of more, too, as long as they are so small
 * a share of all that an index would have to pass over most of what it finds.
 */
const FEW_VECTORS = { always: 1_500, most: 15_000, share: 0.15 }

/** How much of a neighbour is told, in characters. */
const NEIGHBOUR = 400

/** The passages that suit the question best, best first; those of the audience only, by the statement itself. */
export async function recallPassages(db: Db, search: Search): Promise<Hit[]> {
  const values: unknown[] = [search.workspace, search.audiences, search.sources ?? null]
  const bind = (value: unknown, type: string) => unseen(values.push(value), type)
  const question = {
    workspace: unseen(1, 'text'),
    words: bind(queryWords(search.query), 'text[]'),
    stemmer: bind(stemmerOf(search.language), 'text'),
  }
  const depth = Math.max(DEPTH, search.limit)
  const { fusion, vector } = search
  const of = vector && {
    ...vector.table,
    values: bind(vectorBytes(vector.values), `vector::${vector.table.type}`),
    index: bind(indexName(vector.table), 'text'),
  }
  const weights = {
    k: bind(fusion.k, 'float8'),
    words: bind(fusion.words, 'float8'),
    vectors: bind(of ? fusion.vectors : 0, 'float8'),
  }
  // Written out: the planner prepares for what it sees, and a few rows are another matter than a tenth of all.
  const limit = Math.trunc(search.limit)
  // Not a common table expression: pg_textsearch computes the score of every row again where it stands in one.
  const fused = `
    select id, w.rank as word_rank, n.rank as vector_rank,
      case when w.alone then (${weights.words} + ${weights.vectors}) / (${weights.k} + w.rank)
        else coalesce(${weights.words} / (${weights.k} + w.rank), 0)
          + coalesce(${weights.vectors} / (${weights.k} + n.rank), 0)
      end as score
    from (
        select w.id, w.rank, ${of ? 'v.passage is null' : 'true'} as alone
        from (${wordList(search.strategy, depth)}) w ${of ? `left join ${of.table} v on v.passage = w.id` : ''}) w
      full join (${of ? vectorList(of, depth) : NOTHING}) n using (id)
    order by score desc, id`
  const { rows } = await queryPrepared<Row>(
    db,
    `with reach as materialized (${reachOf(of?.index)}),
    weighed as materialized (${questionOf('each', question)}),
    question as materialized (${questionOf(search.strategy, question)}),
    tuned as materialized (${TUNED})
    select p.id, d.source, d.audience, d.path, d.title, p.heading, coalesce(p.link, d.link) as link,
      to_char(d.date, 'YYYY-MM-DD') as date, p.text, p.start_at as start, p.end_at as end,
      b.id as before_id, right(b.text, ${NEIGHBOUR}) as before, a.id as after_id, left(a.text, ${NEIGHBOUR}) as after,
      f.word_rank::int, f.vector_rank::int, f.score
    from (select *, array_agg(id) over () as together from (${fused} limit ${limit}) best) f
      join passages p using (id) join documents d on d.id = p.document
      left join passages b on b.document = p.document and b.n = p.n - 1 and b.heading = p.heading
        and b.id <> all (f.together)
      left join passages a on a.document = p.document and a.n = p.n + 1 and a.heading = p.heading
        and a.id <> all (f.together)
    order by f.score desc, p.id`,
    values,
  )
  return rows.map(asHit)
}

/** The numbers of the audiences that passages have; one that is gone is missing. */
export async function audiencesOf(db: Db, passages: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await db.query<{ id: string; audience: number }>(
    'select p.id, d.audience from passages p join documents d on d.id = p.document where p.id = any($1::uuid[])',
    [passages],
  )
  return new Map(rows.map(({ id, audience }) => [id, audience]))
}

/** How many sources hold a document that this audience may read. */
export async function countSources(
  db: Db,
  search: Pick<Search, 'workspace' | 'audiences' | 'sources'>,
): Promise<number> {
  const { rows } = await db.query<{ sources: number }>(
    `with recursive named as (
      (select source from documents where workspace = $1 order by source limit 1)
      union all
      select (select source from documents where workspace = $1 and source > n.source order by source limit 1)
      from named n where n.source is not null)
    select count(*)::int as sources from named n
    where exists (select from documents d where d.source = n.source and ${READABLE})`,
    [search.workspace, search.audiences, search.sources ?? null],
  )
  return rows[0]?.sources ?? 0
}

/**
 * A parameter that the planner does not look into: where it did, it would find each plan made for the very values a
 * little better than the one for all, and plan every time, which takes longer than to search.
 */
function unseen(parameter: number, type: string): string {
  return `(select $${parameter}::${type})`
}

/** What this audience may read: the one place where rows are let in. */
const READABLE = `d.workspace = ${unseen(1, 'text')} and d.audience = any(${unseen(2, 'int[]')}::int[])
  and (${unseen(3, 'text[]')} is null or d.source = any(${unseen(3, 'text[]')}::text[]))`

/**
 * Which way to go, by how much may be read and how much there is, as counted last: part of the same statement, which
 * holds every way and goes one. Whatever is asked, it is one plan and one way there and back.
 */
function reachOf(index: string | undefined): string {
  const { always, most, share } = FEW_VECTORS
  return `select own <= ${FEW_WORDS} as few_words, own <= ${always} or own <= least(${most}, whole * ${share}) as few_vectors,
      whole > ${FEW_INDEXED} as much, indexed
    from (select coalesce(sum(passages) filter (where ${READABLE}), 0) as own, coalesce(sum(passages), 0) as whole,
        exists (select from pg_index where indexrelid = to_regclass(${index ?? 'null'}) and indisvalid) as indexed
      from holdings d) counted`
}

const NOTHING = 'select null::uuid as id, null::bigint as rank where false'

/**
 * The same, asked of one passage or vector after another: where there is much to read, the planner would otherwise
 * look at every document first.
 */
const allowed = (of: string) => `(select ${READABLE} from documents d where d.id = ${of}.document)`

function wordList(strategy: WordStrategy, depth: number): string {
  // Whatever holds no word of the question has nothing to multiply.
  const each = `select id, row_number() over (order by near) as rank from (
      select p.id, p.impact <#> (select rarity from weighed) as near
      from documents d cross join lateral (select id, impact from passages where document = d.id offset 0) p
      where ${READABLE} order by near limit ${depth}) best
    where near < 0 and (select few_words from reach)`
  return `${each} union all ${strategy === 'bm25' ? bm25List(depth) : anyWordList(depth)} and (select not few_words from reach)`
}

function anyWordList(depth: number): string {
  return `select id, row_number() over () as rank from (
      select p.id from passages p where p.tsv @@ (select rare from question) and ${allowed('p')}
      order by p.impact <#> (select rarity from question) limit ${depth}) best
    where true`
}

function bm25List(depth: number): string {
  // Whether a word is there is asked outside: inside, the planner takes it for a reason to rank all that hold one.
  return `select id, row_number() over () as rank from (
      select p.id, p.tsv from passages p where ${allowed('p')}
      order by p.terms <@> to_bm25query((select coalesce(terms, '') from question), '${BM25_INDEX}')
      limit ${depth}) best
    where tsv @@ (select anyone from question)`
}

/**
 * What the index scan for vectors goes by, for this statement only. Read where the question's vector is. Among fewer
 * the nearest are found sooner.
 */
const TUNED = `select set_config('hnsw.ef_search', case when much then '100' else '64' end, true),
      set_config('hnsw.max_scan_tuples', '60000', true), set_config('hnsw.iterative_scan', 'relaxed_order', true)
    from reach`
const FEW_INDEXED = 30_000

function vectorList({ table, values }: { table: string; values: string }, depth: number): string {
  const asked = `(select ${values} from tuned)`
  // Vectors have length 1: the product, which is quicker, orders them as the angle does that the index goes by.
  const compared = (vectors: string, way: string) => `select * from (
      select v.passage as id, v.embedding <#> ${values} as far from documents d ${vectors}
      where ${READABLE} order by far limit ${depth}) compared where (select ${way} from reach)`
  return `select id, row_number() over (order by far) as rank from (
      ${compared(`cross join lateral (select * from ${table} where document = d.id offset 0) v`, 'few_vectors')}
      union all ${compared(`join ${table} v on v.document = d.id`, 'not few_vectors and not indexed')}
      union all select * from (
        select v.passage as id, v.embedding <=> ${asked} as far
        from ${table} v where ${allowed('v')} order by v.embedding <=> ${asked} limit ${depth}) found
      where (select not few_vectors and indexed from reach)) nearest`
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
  before_id: string | null
  before: string | null
  after_id: string | null
  after: string | null
  word_rank: number | null
  vector_rank: number | null
  score: number
}

function asHit(row: Row): Hit {
  const around = [
    { passage: row.before_id, side: 'before' as const, text: row.before },
    { passage: row.after_id, side: 'after' as const, text: row.after },
  ].flatMap(({ passage, side, text }) => (passage && text ? [{ passage, side, text }] : []))
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
    ...(around.length > 0 ? { around } : {}),
    ...(row.word_rank === null ? {} : { wordRank: row.word_rank }),
    ...(row.vector_rank === null ? {} : { vectorRank: row.vector_rank }),
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Who may read each of these passages: a row of `audiences`. One that is gone is missing. */
export async function audiencesOfPassages(
  db: Db,
  workspace: string,
  ids: readonly string[],
): Promise<Map<string, number>> {
  const { rows } = await db.query<{ id: string; audience: number }>(
    `select p.id::text as id, d.audience from passages p join documents d on d.id = p.document
     where d.workspace = $1 and p.id = any($2::uuid[])`,
    [workspace, ids.filter((id) => UUID.test(id))],
  )
  return new Map(rows.map(({ id, audience }) => [id, audience]))
}

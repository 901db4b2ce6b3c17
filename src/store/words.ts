/** The keyword half of recall: how words are kept, counted and ranked. */
import type pg from 'pg'
import { type Db, inTransaction } from './transaction.ts'

/**
 * How the words of a question are ranked: `bm25` by an index of the pg_textsearch extension; `any-word` where a
 * server lacks it: passages that hold one of the rarer words, ranked by BM25 of what each word weighs in them.
 */
export type WordStrategy = 'bm25' | 'any-word'

export const BM25_INDEX = 'passages_bm25'

/** BM25 as everywhere: k1 = 1.2, b = 0.75. Passages are cut to one length, so what is usual need not be counted. */
const K1 = 1.2
const B = 0.75
const USUAL_TERMS = 60

/** Terms are numbered by a hash, the same on every server: two of them share one of 2^28 numbers only by rare chance. */
const NUMBERS = 268_435_456
const numberOf = (term: string) => `('x' || left(md5(${term}), 7))::bit(28)::int + 1`

/** SQL for the terms of a plain text: stems of its words, each as often as it occurs. */
export function termsOf(stemmer: string, text: string): string {
  return `(select coalesce(rtrim(string_agg(repeat(l.lexeme || ' ', cardinality(l.positions)), '')), '')
    from unnest(to_tsvector(${stemmer}::regconfig, ${text})) l)`
}

/** SQL for what each term adds to a passage's BM25 where its rarity is 1, by the number of the term. */
export function impactOf(terms: string): string {
  return `(select ('{' || coalesce(string_agg(
        t.number || ':' || (t.tf * ${K1 + 1} / (t.tf + ${K1} * (${1 - B} + ${B} * t.length / ${USUAL_TERMS}.0)))::real, ','), '')
      || '}/${NUMBERS}')::sparsevec
    from (select ${numberOf('term')} as number, count(*) as tf, sum(count(*)) over () as length
      from string_to_table(${terms}, ' ') term where term <> '' group by 1) t)`
}

/** Fewer matching passages than this are all ranked; of more, those that hold the rarer words. */
const CANDIDATES = 3_000
/** Where the rarer words are in no more passages than this, also those that hold two of the others. */
const FEW_CANDIDATES = 300

/** How the words of one question are ranked: by a server's means, or of `each` passage where there are few. */
export type WordRanking = WordStrategy | 'each'

/**
 * SQL for the question: one row with what this way of ranking asks for. For `bm25` its terms as text (`terms`) and any
 * of them (`anyone`); else how rare each term is (`rarity`), and for `any-word` what a passage must hold to be a
 * candidate (`rare`). Words are stemmed as the question's language wants it and as each language of the documents
 * that may be read; words that say nothing in the question's own language are left out. All null where no word is left.
 */
export function questionOf(ranking: WordRanking, bound: Bound): string {
  const terms = `terms as (${termsAsked(bound)})`
  if (ranking === 'bm25')
    return `with ${terms}
      select string_agg(repeat(term || ' ', times::int), '') as terms,
        string_agg(quote_literal(term), ' | ')::tsquery as anyone
      from terms`
  return `with ${terms}, ranked as (${rankedTerms(bound)})${ranking === 'any-word' ? `, ${CHOSEN}` : ''}
    select ${ranking === 'any-word' ? `(${RARE}) as rare,` : ''}
      (select ('{' || string_agg(number || ':' || rarity, ',') || '}/${NUMBERS}')::sparsevec
        from (select number, max(rarity)::real as rarity from ranked group by number) r) as rarity`
}

type Bound = { workspace: string; words: string; stemmer: string }

function termsAsked({ workspace, words, stemmer }: Bound): string {
  return `select l.lexeme as term, count(distinct word.at) as times
    from unnest(${words}) with ordinality word (word, at),
      (select ${stemmer} as stemmer union values ('simple'), ('english')
        union select stemmer from holdings where workspace = ${workspace}) s,
      unnest(to_tsvector(s.stemmer::regconfig, word.word)) l
    where to_tsvector(${stemmer}::regconfig, word.word) <> ''::tsvector
    group by 1`
}

function rankedTerms({ workspace }: Bound): string {
  return `select term, times, passages, ${numberOf('term')} as number,
      times * ln(1 + (total - passages + 0.5) / (passages + 0.5)) as rarity,
      sum(passages) over (order by passages, term) as sum, row_number() over (order by passages, term) as at
    from (
      select term, times, t.passages as total, least(coalesce(w.passages, 1), t.passages) as passages
      from terms cross join (
          select coalesce(max(passages), 0) as passages from words where workspace = ${workspace} and word = '') t
        left join words w on w.workspace = ${workspace} and w.word = term) counted`
}

const CHOSEN = `chosen as (select term, at, passages, sum <= ${CANDIDATES} or at = 1 as rare from ranked),
    pairs as (
      select quote_literal(a.term) || ' & ' || quote_literal(b.term) as pair
      from chosen a join chosen b on a.at < b.at and not a.rare and not b.rare
      where (select coalesce(sum(passages), 0) from chosen where rare) <= ${FEW_CANDIDATES}
      order by b.at, a.at limit 3)`

const RARE = `select concat_ws(' | ', (select string_agg(quote_literal(term), ' | ') from chosen where rare),
      (select string_agg(pair, ' | ') from pairs))::tsquery`

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
        `create index if not exists ${BM25_INDEX} on passages using bm25 (terms)
         with (text_config = 'simple', k1 = ${K1}, b = ${B})`,
      )
    })
    return 'bm25'
  } catch {
    // There but not loaded, or not ours to create: the plain way works everywhere.
    return 'any-word'
  }
}

/** Passages that are looked into to count words. */
const SAMPLE = 20_000
/** Counted again when there are this much more or fewer passages than there were. */
const DRIFT = 0.1

/**
 * Counts how much there is to read, and how frequent words are where that has changed much; answers whether it has
 * anywhere. What is found never depends on it, only in what order and how fast.
 */
export async function countWords(pool: pg.Pool): Promise<boolean> {
  return inTransaction(pool, async (tx) => {
    const turn = `select pg_try_advisory_xact_lock(hashtextextended('quorum words', 0)) as ours`
    if (!(await tx.query<{ ours: boolean }>(turn)).rows[0]?.ours) return false
    await tx.query('delete from holdings')
    await tx.query(
      `insert into holdings (workspace, audience, source, stemmer, passages)
       select d.workspace, d.audience, d.source, d.stemmer, count(*)
       from documents d join passages p on p.document = d.id group by 1, 2, 3, 4`,
    )
    const { rows } = await tx.query<{ workspace: string; passages: number }>(
      `select h.workspace, sum(h.passages)::int as passages
       from holdings h left join words w on w.workspace = h.workspace and w.word = ''
       group by h.workspace, w.passages
       having w.passages is null or abs(sum(h.passages) - w.passages) > w.passages * ${DRIFT}`,
    )
    for (const { workspace, passages } of rows) await countIn(tx, workspace, passages)
    const gone = await tx.query('delete from words where workspace not in (select workspace from holdings)')
    return rows.length > 0 || (gone.rowCount ?? 0) > 0
  })
}

/** Words that only one passage of those looked into holds are left out: most of all words there are. */
async function countIn(tx: Db, workspace: string, passages: number): Promise<void> {
  await tx.query('delete from words where workspace = $1', [workspace])
  const share = Math.min(1, SAMPLE / passages)
  await tx.query(
    `insert into words (workspace, word, passages)
     select $1, word, round(ndoc / $2::float8)
     from ts_stat(format(
       'select p.tsv from passages p join documents d on d.id = p.document
        where d.workspace = %L and (%s >= 1 or hashtext(p.id::text) & 65535 < %s * 65536)', $1::text, $2::float8, $2::float8))
     where ndoc > 1 and length(word) <= 200
     union all select $1, '', $3`,
    [workspace, share, passages],
  )
}

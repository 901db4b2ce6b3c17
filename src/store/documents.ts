/** Keeping documents and their passages. */
import { createHash } from 'node:crypto'
import { setImmediate as immediate } from 'node:timers/promises'
import type pg from 'pg'
import { type Chunk, embeddingText } from '../core/chunk.ts'
import { searchText, stemmerOf } from '../core/words.ts'
import { audienceId } from './audiences.ts'
import { asJson } from './json.ts'
import { type Db, inTransaction, type Tx } from './transaction.ts'
import { countWords, impactOf, termsOf } from './words.ts'

/**
 * What is kept of a document beside its passages. `hash` is of what it was made from, `date` is YYYY-MM-DD,
 * `audience` are the scopes any one of which suffices to read it, `language` (ISO 639-1) is what its words are
 * stemmed as; they are kept as they stand where it is left out.
 */
export type DocumentRow = {
  path: string
  title: string
  link?: string
  date?: string
  hash: string
  audience: string[]
  language?: string
}

/** Where a document belongs; `source` is its name in sources.yaml. */
export type Shelf = { workspace: string; source: string }

/** What is kept of a source, by path: everything, or of these paths only. */
export async function listDocuments(
  db: Db,
  shelf: Shelf,
  paths?: string[],
): Promise<Map<string, DocumentRow>> {
  const { rows } = await db.query<{
    path: string
    title: string
    link: string | null
    date: string | null
    hash: string
    audience: string[]
  }>(
    `select d.path, d.title, d.link, to_char(d.date, 'YYYY-MM-DD') as date, d.hash, a.scopes as audience
     from documents d join audiences a on a.id = d.audience
     where d.workspace = $1 and d.source = $2 and ($3::text[] is null or d.path = any($3))`,
    [shelf.workspace, shelf.source, paths ?? null],
  )
  return new Map(
    rows.map(({ link, date, ...row }) => [
      row.path,
      { ...row, ...(link === null ? {} : { link }), ...(date === null ? {} : { date }) },
    ]),
  )
}

/** A document to keep, with the passages it was cut into. */
export type Cut = { document: DocumentRow; chunks: Chunk[] }

/**
 * Keeps documents, wholly or not at all, and answers how many passages were written. Passages that read the
 * same as before keep their ids and vectors. Several may keep the same document at once; the last one stays.
 */
export async function putDocuments(pool: pg.Pool, shelf: Shelf, cuts: readonly Cut[]): Promise<number> {
  const audiences = new Map<string, number>()
  for (const { document } of cuts) {
    const key = document.audience.join()
    if (!audiences.has(key)) audiences.set(key, await audienceId(pool, shelf.workspace, document.audience))
  }
  // Everybody locks the rows in the same order.
  const sorted = cuts.toSorted((a, b) => (a.document.path < b.document.path ? -1 : 1))
  return await inTransaction(pool, async (tx) => {
    let written = 0
    for (const cut of sorted) {
      const audience = audiences.get(cut.document.audience.join())
      written += await putOne(tx, shelf, cut, audience)
    }
    return written
  })
}

async function putOne(
  tx: Tx,
  shelf: Shelf,
  { document, chunks }: Cut,
  audience: number | undefined,
): Promise<number> {
  const stemmer = stemmerOf(document.language)
  // The row stays locked until the end, so that two writers of one document take turns.
  const { rows } = await tx.query<{ id: string }>(
    `insert into documents (workspace, source, path, title, link, date, hash, audience, stemmer)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (workspace, source, path) do update set title = excluded.title, link = excluded.link,
       date = excluded.date, hash = excluded.hash, audience = excluded.audience, stemmer = excluded.stemmer,
       updated_at = now()
     returning id`,
    [
      shelf.workspace,
      shelf.source,
      document.path,
      storable(document.title),
      document.link ?? null,
      document.date ?? null,
      document.hash,
      audience,
      stemmer,
    ],
  )
  const id = rows[0]?.id
  if (!id) throw new Error('an upsert returned no row')
  return await putPassages(tx, { id, title: document.title, stemmer }, chunks)
}

/** Changes what is known about a document whose text is still the same. */
export async function describeDocument(
  db: Db,
  shelf: Shelf,
  document: Omit<DocumentRow, 'title'>,
): Promise<void> {
  const audience = await audienceId(db, shelf.workspace, document.audience)
  await db.query(
    `update documents set link = $4, date = $5, audience = $6, updated_at = now()
     where workspace = $1 and source = $2 and path = $3`,
    [shelf.workspace, shelf.source, document.path, document.link ?? null, document.date ?? null, audience],
  )
}

/** Gives all documents of a source another audience, in one statement. */
export async function relabelSource(db: Db, shelf: Shelf, audience: string[]): Promise<number> {
  const { rowCount } = await db.query(
    `update documents set audience = $3, updated_at = now()
     where workspace = $1 and source = $2 and audience <> $3`,
    [shelf.workspace, shelf.source, await audienceId(db, shelf.workspace, audience)],
  )
  return rowCount ?? 0
}

export async function removeDocuments(db: Db, shelf: Shelf, paths: string[]): Promise<number> {
  const { rowCount } = await db.query(
    'delete from documents where workspace = $1 and source = $2 and path = any($3)',
    [shelf.workspace, shelf.source, paths],
  )
  return rowCount ?? 0
}

/**
 * Removes everything of sources that are not named any more; answers how many documents that were. What was said in
 * channels stays until whoever follows them has left them: it could not be told apart from what is being read.
 */
export async function forgetOtherSources(db: Db, workspace: string, named: string[]): Promise<number> {
  const { rowCount } = await db.query(
    `delete from documents where workspace = $1 and not source = any($2)
       and not source in (select source from followed where workspace = $1)`,
    [workspace, named],
  )
  return rowCount ?? 0
}

/**
 * Counts what there is, and where that has changed much tells the planner: an embedded database never looks by itself,
 * and plans 100 times worse.
 */
export async function refreshStatistics(pool: pg.Pool): Promise<void> {
  if (await countWords(pool)) await pool.query('analyze documents, passages')
}

/** What PostgreSQL can hold as text: no NUL, no half characters. */
function storable(text: string): string {
  return text.replaceAll('\0', '').toWellFormed()
}

type Written = {
  n: number
  hash: string
  heading: string
  text: string
  start_at: number
  end_at: number
  link: string | null
  words: string
}

async function putPassages(
  tx: Tx,
  document: { id: string; title: string; stemmer: string },
  chunks: Chunk[],
): Promise<number> {
  const { rows } = await tx.query<Omit<Written, 'heading' | 'text' | 'words'> & { id: string }>(
    'select id, hash, n, start_at, end_at, link from passages where document = $1 order by n',
    [document.id],
  )
  const old = Map.groupBy(rows, (row) => row.hash)
  const fresh: Written[] = []
  const moved: (Pick<Written, 'n' | 'start_at' | 'end_at' | 'link'> & { id: string })[] = []
  for (const [at, { n, heading, text, start, end, link = null }] of chunks.entries()) {
    // A book takes a fifth of a second of this thread; others need it too.
    if (at % 64 === 63) await immediate()
    const read = embeddingText(document.title, { heading, text })
    const hash = createHash('sha256').update(read).digest('hex')
    const same = old.get(hash)?.shift()
    if (!same)
      fresh.push({
        n,
        hash,
        heading,
        text,
        start_at: start,
        end_at: end,
        link,
        words: searchText(read),
      })
    else if (same.n !== n || same.start_at !== start || same.end_at !== end || same.link !== link)
      moved.push({ id: same.id, n, start_at: start, end_at: end, link })
  }
  const gone = [...old.values()].flat().map((row) => row.id)
  if (gone.length > 0) await tx.query('delete from passages where id = any($1)', [gone])
  if (moved.length > 0)
    await tx.query(
      `update passages p set n = m.n, start_at = m.start_at, end_at = m.end_at, link = m.link
       from jsonb_to_recordset($1) as m (id uuid, n int, start_at int, end_at int, link text) where p.id = m.id`,
      [asJson(moved)],
    )
  if (fresh.length > 0)
    await tx.query(
      `insert into passages (document, n, hash, heading, text, start_at, end_at, link, terms, impact)
       select $1, n, hash, heading, text, start_at, end_at, link, terms, ${impactOf('terms')}
       from (select *, ${termsOf('$3', 'words')} as terms from jsonb_to_recordset($2)
         as f (n int, hash text, heading text, text text, start_at int, end_at int, link text, words text)) w`,
      [document.id, asJson(fresh), document.stemmer],
    )
  return fresh.length
}

/** The workspaces that have any knowledge. */
export async function listWorkspaces(db: Db): Promise<string[]> {
  const found = await db.query<{ workspace: string }>(
    'select distinct workspace from documents order by workspace',
  )
  return found.rows.map((row) => row.workspace)
}

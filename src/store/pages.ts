/** What is remembered of pages of the web between two readings, and when a source was last read. */
import type { Shelf } from './documents.ts'
import type { Db } from './transaction.ts'

/** `etag` and `modified` as the server gave them; `date` is YYYY-MM-DD. */
export type PageRow = { path: string; fingerprint: string; etag?: string; modified?: string; date?: string }

export async function readPageRow(db: Db, shelf: Shelf, url: string): Promise<PageRow | undefined> {
  const { rows } = await db.query<Record<keyof PageRow, string | null>>(
    `select path, fingerprint, etag, modified, to_char(date, 'YYYY-MM-DD') as date from pages
     where workspace = $1 and source = $2 and url = $3`,
    [shelf.workspace, shelf.source, url],
  )
  const [row] = rows
  const given = row && Object.entries(row).filter(([, value]) => value !== null)
  return given && (Object.fromEntries(given) as PageRow)
}

export async function putPageRow(db: Db, shelf: Shelf, url: string, page: PageRow): Promise<void> {
  await db.query(
    `insert into pages (workspace, source, url, path, fingerprint, etag, modified, date)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (workspace, source, url) do update set path = excluded.path, fingerprint = excluded.fingerprint,
       etag = excluded.etag, modified = excluded.modified, date = excluded.date`,
    [
      shelf.workspace,
      shelf.source,
      url,
      page.path,
      page.fingerprint,
      page.etag ?? null,
      page.modified ?? null,
      page.date ?? null,
    ],
  )
}

/** Whether a source was read to its end within so many milliseconds. */
export async function wasRead(db: Db, shelf: Shelf, withinMs: number): Promise<boolean> {
  const { rows } = await db.query(
    `select 1 from readings where workspace = $1 and source = $2 and read_at > now() - $3 * interval '1 ms'`,
    [shelf.workspace, shelf.source, withinMs],
  )
  return rows.length > 0
}

/** Notes that a source has been read to its end. */
export async function noteRead(db: Db, shelf: Shelf): Promise<void> {
  await db.query(
    `insert into readings (workspace, source, read_at) values ($1, $2, now())
     on conflict (workspace, source) do update set read_at = excluded.read_at`,
    [shelf.workspace, shelf.source],
  )
}

/** Forgets pages of sources that are not named any more. */
export async function forgetOtherPages(db: Db, workspace: string, named: string[]): Promise<void> {
  await db.query('delete from pages where workspace = $1 and not source = any($2)', [workspace, named])
  await db.query('delete from readings where workspace = $1 and not source = any($2)', [workspace, named])
}

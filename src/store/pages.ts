/** What is remembered of pages of the web between two readings. */
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

/** Forgets pages of a source that were not looked at when it was read last. */
export async function forgetPagesBeside(db: Db, shelf: Shelf, looked: readonly string[]): Promise<void> {
  await db.query('delete from pages where workspace = $1 and source = $2 and not url = any($3)', [
    shelf.workspace,
    shelf.source,
    looked,
  ])
}

/** Forgets pages of sources that are not named any more. */
export async function forgetOtherPages(db: Db, workspace: string, named: string[]): Promise<void> {
  await db.query('delete from pages where workspace = $1 and not source = any($2)', [workspace, named])
}

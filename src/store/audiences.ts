/** Audiences: the distinct sets of scopes that documents have, as numbers, and which of them readers may read. */
import type { Db } from './transaction.ts'

/** The number of an audience, made where it is new. The same scopes always get the same number. */
export async function audienceId(db: Db, workspace: string, scopes: readonly string[]): Promise<number> {
  const sorted = [...new Set(scopes)].sort()
  // The update that changes nothing makes the row come back also where another transaction has just written it.
  const { rows } = await db.query<{ id: number }>(
    `insert into audiences (workspace, scopes) values ($1, $2)
     on conflict (workspace, scopes) do update set scopes = excluded.scopes returning id`,
    [workspace, sorted],
  )
  const id = rows[0]?.id
  if (id === undefined) throw new Error('an upsert returned no row')
  return id
}

/** The audiences whose documents may be recalled for readers who all have these scopes. */
export async function readableAudiences(
  db: Db,
  workspace: string,
  readers: readonly string[],
): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(
    'select id from audiences where workspace = $1 and scopes && $2::text[] order by id',
    [workspace, [...readers]],
  )
  return rows.map((row) => row.id)
}

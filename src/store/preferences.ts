/** What people like. */
import { type Preferences, readPreferences, USUAL } from '../core/preferences.ts'
import type { Db } from './transaction.ts'

/** A person's preferences; the usual ones where they chose none. */
export async function findPreferences(db: Db, workspace: string, person: string): Promise<Preferences> {
  const found = await db.query(
    'select trace, language from preferences where workspace = $1 and person = $2',
    [workspace, person],
  )
  const row = found.rows[0]
  return row ? readPreferences(row) : USUAL
}

export async function putPreferences(
  db: Db,
  workspace: string,
  person: string,
  { trace, language }: Preferences,
): Promise<void> {
  await db.query(
    `insert into preferences (workspace, person, trace, language) values ($1, $2, $3, $4)
     on conflict (workspace, person) do update set trace = excluded.trace, language = excluded.language, changed_at = now()`,
    [workspace, person, trace, language ?? null],
  )
}

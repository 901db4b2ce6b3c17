/** What people thought of runs. */
import type { Category, Rating } from '../core/feedback.ts'
import type { Db } from './transaction.ts'

/** Whose rating of which run it is, and where it was pressed: a run of another place is not rated. */
export type Rated = { workspace: string; channel: string; run: string; person: string }

/**
 * Keeps a person's rating of a run; of two the later press counts (`at` in seconds since 1970). False where there is no
 * such run there. What was wrong stays where the same is pressed again.
 */
export async function rateRun(db: Db, of: Rated, rating: Rating, at: number): Promise<boolean> {
  const found = await db.query<{ known: boolean }>(
    `with known as (
       select id from runs where id = $2 and workspace = $1 and channel = $3 and (reply is null or asker = $4)),
     kept as (
       insert into feedback as f (workspace, run, person, signal, at)
       select $1, id, $4, $5, to_timestamp($6) from known
       on conflict (run, person) where signal in ('up', 'down') do update set
         signal = excluded.signal, at = excluded.at,
         category = case when excluded.signal = 'down' then f.category end,
         note = case when excluded.signal = 'down' then f.note end
       where f.at <= excluded.at)
     select exists (select from known) as known`,
    [of.workspace, of.run, of.channel, of.person, rating, at],
  )
  return found.rows[0]?.known === true
}

/** Keeps why somebody found an answer bad: that they did is said with it. False where there is no such run there. */
export async function explainRating(
  db: Db,
  of: Rated,
  { category, note }: { category: Category; note: string },
): Promise<boolean> {
  const kept = await db.query(
    `insert into feedback as f (workspace, run, person, signal, category, note, at)
     select $1, id, $4, 'down', $5, $6, now() from runs
     where id = $2 and workspace = $1 and channel = $3 and (reply is null or asker = $4)
     on conflict (run, person) where signal in ('up', 'down') do update set
       signal = 'down', category = excluded.category, note = excluded.note, at = excluded.at`,
    [of.workspace, of.run, of.channel, of.person, category, note === '' ? null : note],
  )
  return kept.rowCount === 1
}

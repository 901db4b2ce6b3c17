/** What people thought of runs. */
import { type Category, type Rating, REPHRASED_MS, type Signal } from '../core/feedback.ts'
import type { Db } from './transaction.ts'

/**
 * Whose rating of which run it is, and where it was pressed: a run of another place is not rated. What only its asker sees
 * may have come to them anywhere.
 */
export type Rated = { workspace: string; channel: string; run: string; person: string }

/**
 * Keeps a person's rating of a run; of two the later press counts (`at` in seconds since 1970). False where there is no
 * such run there. What was wrong stays where the same is pressed again.
 */
export async function rateRun(db: Db, of: Rated, rating: Rating, at: number): Promise<boolean> {
  const found = await db.query<{ known: boolean }>(
    `with known as (
       select id from runs where id = $2 and workspace = $1 and case when reply is null then channel = $3 else asker = $4 end),
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

/**
 * Keeps why somebody found an answer bad: that they did is said with it. False where there is no such run there. The
 * time stays that of the press, by Slack's clock, which the next press is held against: ours may be ahead.
 */
export async function explainRating(
  db: Db,
  of: Rated,
  { category, note }: { category: Category; note: string },
): Promise<boolean> {
  const kept = await db.query(
    `insert into feedback as f (workspace, run, person, signal, category, note, at)
     select $1, id, $4, 'down', $5, $6, now() from runs
     where id = $2 and workspace = $1 and case when reply is null then channel = $3 else asker = $4 end
     on conflict (run, person) where signal in ('up', 'down') do update set
       signal = 'down', category = excluded.category, note = excluded.note`,
    [of.workspace, of.run, of.channel, of.person, category, note === '' ? null : note],
  )
  return kept.rowCount === 1
}

/** A run that ended before another began: the last of its thread, or of what its person asked in the channel. */
export type Earlier = {
  run: string
  asker: string
  question: string
  /** Whether it is of the same thread; and whether it ended so shortly before that its question may have been rephrased. */
  thread: boolean
  lately: boolean
}

export async function readEarlier(db: Db, run: string): Promise<Earlier[]> {
  const found = await db.query<Earlier>(
    `select r.id as run, r.asker, r.thread = n.thread as thread, coalesce(a.body ->> 'text', '') as question,
       n.created_at - r.finished_at <= $2 * interval '1 ms' as lately
     from runs n cross join lateral (
       (select t.id, t.asker, t.thread, t.finished_at from runs t where t.workspace = n.workspace and t.channel = n.channel and t.thread = n.thread
          and t.created_at < n.created_at and not t.active order by t.created_at desc limit 1)
       union
       (select p.id, p.asker, p.thread, p.finished_at from runs p where p.workspace = n.workspace and p.asker = n.asker and p.channel = n.channel
          and p.created_at < n.created_at and not p.active order by p.created_at desc limit 1)) r
     join steps a on a.run = r.id and a.n = 1
     where n.id = $1`,
    [run, REPHRASED_MS],
  )
  return found.rows
}

/** Keeps what people did; what is known of a run already stays as it is. */
export async function noteSignals(
  db: Db,
  workspace: string,
  noted: readonly { run: string; person: string; signal: Signal }[],
): Promise<void> {
  if (noted.length === 0) return
  await db.query(
    `insert into feedback (workspace, run, person, signal, at)
     select $1, run, person, signal, now() from jsonb_to_recordset($2::jsonb) as n (run uuid, person text, signal text)
     on conflict do nothing`,
    [workspace, JSON.stringify(noted)],
  )
}

/** The question of a run that ended a moment ago was put in other words. */
export async function noteReworded(db: Db, run: string, person: string): Promise<void> {
  await db.query(
    `insert into feedback (workspace, run, person, signal, at)
     select workspace, id, $2, 'rephrased', now() from runs
     where id = $1 and finished_at > now() - $3 * interval '1 ms' on conflict do nothing`,
    [run, person, REPHRASED_MS],
  )
}

/** A line of what people thought, the newest first. */
export type Thought = {
  at: Date
  signal: Rating | Signal
  run: string
  channel: string
  person: string
  question: string
  category: Category | null
  note: string | null
}

/** @param of.since ISO time */
export async function readFeedback(
  db: Db,
  of: { workspace?: string | undefined; since: string; signals?: readonly string[] | undefined },
): Promise<Thought[]> {
  const found = await db.query<Thought>(
    `select f.at, f.signal, f.run, r.channel, f.person, coalesce(a.body ->> 'text', '') as question, f.category, f.note
     from feedback f join runs r on r.id = f.run left join steps a on a.run = f.run and a.n = 1
     where ($1::text is null or f.workspace = $1) and f.at >= $2 and ($3::text[] is null or f.signal = any($3))
     order by f.at desc limit 1000`,
    [of.workspace ?? null, of.since, of.signals ?? null],
  )
  return found.rows
}

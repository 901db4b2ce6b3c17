/** Stops that were heard, one a thread: one that comes before what it stops is not lost. */
import type { Thread } from '../core/run.ts'
import type { Db, Tx } from './transaction.ts'

/** `until` is the ts of the last message it covers. */
export type Stop = { until: string; by: string; why: string }

/** Nobody else takes up a message of this thread, or stops it, until the transaction ends. */
export async function lockThread(tx: Tx, { workspace, channel, ts }: Thread): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('thread ' || $1, 0))`, [
    JSON.stringify([workspace, channel, ts]),
  ])
}

/** Keeps a stop for what of its thread was written before it and is not taken up yet; the latest stop counts. */
export async function rememberStop(tx: Tx, thread: Thread, { until, by, why }: Stop): Promise<void> {
  await tx.query(
    `insert into stops (workspace, channel, thread, until, by, why) values ($1, $2, $3, $4, $5, $6)
     on conflict (workspace, channel, thread) do update
       set until = excluded.until, by = excluded.by, why = excluded.why, met = false, at = now()
       where stops.until < excluded.until`,
    [thread.workspace, thread.channel, thread.ts, until, by, why],
  )
}

/** The stop that covers a message of a thread; `met` where it has stopped a run already. */
export async function findStop(
  tx: Tx,
  thread: Thread,
  message: string,
): Promise<{ by: string; why: string; met: boolean } | undefined> {
  const found = await tx.query<{ by: string; why: string; met: boolean }>(
    `select by, why, met from stops
     where workspace = $1 and channel = $2 and thread = $3 and until >= $4::numeric`,
    [thread.workspace, thread.channel, thread.ts, message],
  )
  return found.rows[0]
}

/** The stop of a thread has stopped a run: whatever else it covers begins none. */
export async function meetStop(tx: Tx, { workspace, channel, ts }: Thread): Promise<void> {
  await tx.query(
    'update stops set met = true where workspace = $1 and channel = $2 and thread = $3 and not met',
    [workspace, channel, ts],
  )
}

/** Deletes stops that are too old to come before anything. */
export async function pruneStops(db: Db, workspace: string): Promise<void> {
  await db.query(`delete from stops where workspace = $1 and at < now() - interval '1 day'`, [workspace])
}

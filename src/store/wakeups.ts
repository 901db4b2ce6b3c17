/** The outbox of wake-ups, the workers that take them, and the sweep that finds what was lost. */
import type { Wait } from '../core/wait.ts'
import type { Db } from './transaction.ts'

export type Wakeup = { id: string; run: string }

/**
 * Wake-ups of a workspace to hand to the queue now, oldest first: as many as fit a window of one and a half
 * times the slots of its live workers, less what was handed over and is not done.
 */
export async function readWindow(db: Db, workspace: string): Promise<Wakeup[]> {
  const found = await db.query<Wakeup>(
    `select w.id, w.run from wakeups w join runs r on r.id = w.run
     where w.dispatched_at is null and r.workspace = $1 order by w.created_at
     limit greatest(0,
       (select ceil(coalesce(sum(slots), 0) * 1.5)::int from workers
        where workspace = $1 and seen_at > now() - interval '20 seconds')
       - (select count(*)::int from wakeups w join runs r on r.id = w.run
          where w.dispatched_at is not null and r.workspace = $1))`,
    [workspace],
  )
  return found.rows
}

/** Marks wake-ups as handed over; ones renewed since keep waiting. */
export async function markDispatched(db: Db, ids: readonly string[]): Promise<void> {
  await db.query('update wakeups set dispatched_at = now() where id = any($1) and dispatched_at is null', [
    ids,
  ])
}

/** Forgets a wake-up that was acted on; one that was renewed meanwhile stays. Says whether any wait in the outbox. */
export async function clearWakeup(db: Db, id: string): Promise<boolean> {
  const cleared = await db.query(
    `with cleared as (delete from wakeups where id = $1)
     select exists (select from wakeups where dispatched_at is null) as more`,
    [id],
  )
  return cleared.rows[0]?.more ?? false
}

/**
 * Finds what was lost: wake-ups handed over `staleMs` ago whose run nobody works on, runs that are due
 * without a wake-up. Returns how many it mended.
 */
export async function sweepWakeups(db: Db, staleMs: number): Promise<number> {
  const stale = await db.query(
    `update wakeups w set id = gen_random_uuid(), dispatched_at = null from runs r
     where r.id = w.run and w.dispatched_at < now() - $1 * interval '1 millisecond'
       and (r.lease_until is null or r.lease_until < now())`,
    [staleMs],
  )
  const due = await db.query(
    `insert into wakeups (run, id, lane)
     select r.id, gen_random_uuid(), r.lane from runs r
     where r.active and r.due_at <= now() and (r.lease_until is null or r.lease_until < now())
       and not exists (select 1 from wakeups w where w.run = r.id)
     order by r.due_at limit 500 on conflict (run) do nothing`,
  )
  return (stale.rowCount ?? 0) + (due.rowCount ?? 0)
}

/**
 * Wakes the runs of a workspace that wait for this. Returns how many; one that is only just being parked is missed,
 * so whoever parks looks once more after it.
 */
export async function wakeWaiting(
  db: Db,
  workspace: string,
  waits: Pick<Wait, 'for' | 'key'>,
): Promise<number> {
  const woken = await db.query(
    `insert into wakeups (run, id, lane)
     select id, gen_random_uuid(), lane from runs
     where workspace = $1 and waits ->> 'for' = $2 and waits ->> 'key' = $3 and active
     on conflict (run) do nothing`,
    [workspace, waits.for, waits.key],
  )
  return woken.rowCount ?? 0
}

/** Says that this worker lives, and forgets workers that have not said so for a minute. */
export async function beat(
  db: Db,
  worker: { id: string; workspace: string; slots: number; host: string; pid: number },
): Promise<void> {
  await db.query(
    `insert into workers (id, workspace, slots, host, pid) values ($1, $2, $3, $4, $5)
     on conflict (id) do update set seen_at = now(), slots = excluded.slots`,
    [worker.id, worker.workspace, worker.slots, worker.host, worker.pid],
  )
  await db.query(`delete from workers where seen_at < now() - interval '1 minute'`)
}

export async function forgetWorker(db: Db, id: string): Promise<void> {
  await db.query('delete from workers where id = $1', [id])
}

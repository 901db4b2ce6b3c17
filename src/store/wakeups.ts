/** The outbox of wake-ups, the workers that take them, and the sweep that finds what was lost. */
import type { Wait } from '../core/wait.ts'
import type { Db } from './transaction.ts'

export type Wakeup = { id: string; run: string }

/**
 * Forgets a wake-up that was acted on, and learns from it what one of its person uses; where it used nothing, its turn
 * costs nothing. One that was renewed meanwhile stays. Says whether any of the workspace waits in the outbox.
 */
export async function clearWakeup(db: Db, workspace: string, id: string): Promise<boolean> {
  const cleared = await db.query(
    `with cleared as (
       delete from wakeups where id = $1 and workspace = $2
       returning run, workspace, lane, person, dispatched_at, charge, lane_charge
     ), spent as (
       select c.workspace, c.lane, c.person, sum(s.tokens)::double precision as tokens
       from cleared c join spend s on s.run = c.run and s.begun_at >= c.dispatched_at
       group by 1, 2, 3 having sum(s.tokens) > 0
     ), learned as (
       insert into shares (workspace, lane, person, tokens) select * from spent
       on conflict (workspace, lane, person) do update
         set used_at = now(), tokens = coalesce(shares.tokens * 0.8 + excluded.tokens * 0.2, excluded.tokens)
     ), charged as (
       select s.lane, s.person, case s.person when '' then c.lane_charge else c.charge end as charge
       from shares s join cleared c using (workspace, lane)
       where s.person in ('', c.person) and not exists (select from spent) and c.charge + c.lane_charge > 0
       order by s.lane, s.person for update of s
     ), returned as (
       update shares s set finish = s.finish - c.charge from charged c
       where s.workspace = $2 and s.lane = c.lane and s.person = c.person
     )
     select exists (select from wakeups where workspace = $2 and dispatched_at is null) as more`,
    [id, workspace],
  )
  return cleared.rows[0]?.more ?? false
}

/**
 * Wake-ups handed over `staleMs` ago whose run nobody works on: they wait for a worker, or the queue lost them. They
 * count as handed over now; handed over once more under the same id they come once.
 */
export async function takeStale(db: Db, workspace: string, staleMs: number): Promise<Wakeup[]> {
  const stale = await db.query<Wakeup>(
    `update wakeups w set dispatched_at = now() from runs r
     where r.id = w.run and w.workspace = $1 and w.dispatched_at < now() - $2 * interval '1 millisecond'
       and (r.lease_until is null or r.lease_until < now())
     returning w.id, w.run`,
    [workspace, staleMs],
  )
  return stale.rows
}

/** Writes the wake-ups of runs that are due and have none. Returns how many. */
export async function wakeDue(db: Db, workspace: string): Promise<number> {
  const due = await db.query(
    `insert into wakeups (run, id, lane, workspace, person, asked_at)
     select r.id, gen_random_uuid(), r.lane, r.workspace, r.asker, r.created_at from runs r
     where r.workspace = $1 and r.active and r.due_at <= now() and (r.lease_until is null or r.lease_until < now())
       and not exists (select 1 from wakeups w where w.run = r.id)
     order by r.due_at limit 500 on conflict (run) do nothing`,
    [workspace],
  )
  return due.rowCount ?? 0
}

/** Wakes the runs of a workspace that wait for this, those that were asked first, at most `most`. Returns how many. */
export async function wakeWaiting(
  db: Db,
  workspace: string,
  waits: Pick<Wait, 'for' | 'key'>,
  most?: number,
): Promise<number> {
  const woken = await db.query<{ n: number }>('select wake_waiting($1, $2, $3, $4) as n', [
    workspace,
    waits.for,
    waits.key,
    most ?? null,
  ])
  return woken.rows[0]?.n ?? 0
}

/**
 * Says that this worker lives, and how long a wake-up occupies one of its slots lately, in `ms`. Forgets workers that
 * have not said so for a minute.
 */
export async function beat(
  db: Db,
  worker: {
    id: string
    workspace: string
    slots: number
    host: string
    pid: number
    ms?: number | undefined
  },
): Promise<void> {
  await db.query(
    `insert into workers (id, workspace, slots, host, pid, ms) values ($1, $2, $3, $4, $5, $6)
     on conflict (id) do update set seen_at = now(), slots = excluded.slots, ms = excluded.ms`,
    [worker.id, worker.workspace, worker.slots, worker.host, worker.pid, worker.ms ?? null],
  )
  await db.query(`delete from workers where seen_at < now() - interval '1 minute'`)
}

export async function forgetWorker(db: Db, id: string): Promise<void> {
  await db.query('delete from workers where id = $1', [id])
}

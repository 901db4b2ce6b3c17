/** The line of wake-ups that wait for a worker: who is in it, whose turn came, and what that cost them. */
import { type FairLane, LANE_WEIGHTS, type Line, type Turns } from '../core/fair.ts'
import type { Db } from './transaction.ts'

/** One wake-up in the line. `tokens`: what it will cost, as far as its person's last ones tell. */
export type Waiting = { id: string; run: string; person: string; agent: string; tokens: number }

/** What a wake-up is taken to cost of whose person nothing is known yet. */
const UNKNOWN_TOKENS = 2_000

/** Slots of the workers that live, wake-ups that were handed over. `ms`: how long one is occupied lately, in the mean. */
export type Room = { slots: number; underWay: number; ms: number | undefined }

export async function readRoom(db: Db, workspace: string): Promise<Room> {
  const found = await db.query(
    `select coalesce(sum(slots), 0)::int as slots, sum(ms * slots) / sum(slots) filter (where ms is not null) as ms,
            (select count(*)::int from wakeups where workspace = $1 and dispatched_at is not null) as under_way
     from workers where workspace = $1 and seen_at > now() - interval '20 seconds'`,
    [workspace],
  )
  const { slots = 0, under_way: underWay = 0, ms } = found.rows[0] ?? {}
  return { slots, underWay, ms: ms ?? undefined }
}

/** How busy a workspace is: runs that wait for a worker, since when the first of them waits (ISO), those at work, and slots. */
export async function readLoad(
  db: Db,
  workspace: string,
): Promise<{ waiting: number; since: string | undefined; underWay: number; slots: number }> {
  const found = await db.query<{ waiting: number; since: Date | null }>(
    `select count(*)::int as waiting, min(asked_at) as since from wakeups
     where workspace = $1 and dispatched_at is null`,
    [workspace],
  )
  const { waiting = 0, since } = found.rows[0] ?? {}
  const { slots, underWay } = await readRoom(db, workspace)
  return { waiting, since: since?.toISOString(), underWay, slots }
}

/** How many wake-ups may be handed to the queue now: one and a half times the slots, less what is under way. */
export function placesIn({ slots, underWay }: Room): number {
  return Math.max(0, Math.ceil(slots * 1.5) - underWay)
}

/**
 * Everybody who waits in a workspace, with at most `each` of their wake-ups: the oldest question first, so that one
 * that goes on (a click, the end of a wait) keeps the place in which it was asked. Looks at no more rows than it gives.
 */
export async function readLine(db: Db, workspace: string, each: number): Promise<Line<Waiting>> {
  const found = await db.query<Waiting & { lane: FairLane; finish: number }>(
    `with recursive people as (
       (select lane, person from wakeups where workspace = $1 and dispatched_at is null
        order by lane, person limit 1)
       union all
       select next.lane, next.person from people p cross join lateral (
         select w.lane, w.person from wakeups w where w.workspace = $1 and w.dispatched_at is null
           and (w.lane, w.person) > (p.lane, p.person) order by w.lane, w.person limit 1) next
     )
     select w.id, w.run, p.person, p.lane, r.agent, coalesce(s.tokens, $3) as tokens, coalesce(s.finish, 0) as finish
     from people p
       cross join lateral (
         select id, run, asked_at from wakeups
         where workspace = $1 and lane = p.lane and person = p.person and dispatched_at is null
         order by asked_at, run limit $2) w
       join runs r on r.id = w.run
       left join shares s on s.workspace = $1 and s.lane = p.lane and s.person = p.person
     order by w.asked_at, w.run`,
    [workspace, each, UNKNOWN_TOKENS],
  )
  if (found.rows.length === 0) return { clock: 0, lanes: [] }
  const clocks = await db.query<{ lane: string; clock: number; finish: number }>(
    `select lane, clock, finish from shares where workspace = $1 and person = ''`,
    [workspace],
  )
  const clockOf = (lane: string) => clocks.rows.find((one) => one.lane === lane) ?? { clock: 0, finish: 0 }
  const lanes = (Object.keys(LANE_WEIGHTS) as FairLane[]).flatMap((lane) => {
    const { clock, finish } = clockOf(lane)
    const people = Map.groupBy(
      found.rows.filter((row) => row.lane === lane),
      (row) => row.person,
    )
    if (people.size === 0) return []
    return [
      {
        ...{ lane, clock, finish },
        people: [...people].map(([person, jobs]) => ({ person, finish: jobs[0]?.finish ?? 0, jobs })),
      },
    ]
  })
  return { clock: clockOf('').clock, lanes }
}

/**
 * Marks wake-ups as handed over and charges whoever they are of, together; one that was renewed since keeps waiting,
 * and one that another process has marked is not charged twice.
 */
export async function markDispatched(
  db: Db,
  workspace: string,
  { turns, drained, all }: Turns<Waiting>,
): Promise<void> {
  await db.query(
    `with turns as (
       select * from jsonb_to_recordset($2::jsonb) as t (id uuid, lane text, person text, start double precision,
         charge double precision, "laneStart" double precision, "laneCharge" double precision)
     ), marked as (
       update wakeups w set dispatched_at = now(), charge = t.charge, lane_charge = t."laneCharge"
       from turns t join (
         select id from wakeups where id in (select id from turns) and dispatched_at is null
         order by id for update skip locked) free using (id)
       where w.id = t.id
       returning w.id
     ), due as (
       select t.* from turns t join marked using (id)
     ), entries as (
       select lane, person, 0 as clock, max(start + charge) as finish from due where charge > 0 group by lane, person
       union all
       select lane, '', coalesce(max(start) filter (where charge > 0), 0),
              coalesce(max("laneStart" + "laneCharge") filter (where "laneCharge" > 0), 0)
       from due group by lane having sum("laneCharge" + charge) > 0
       union all
       select '', '', max("laneStart"), 0 from due where "laneCharge" > 0 having count(*) > 0
     )
     insert into shares (workspace, lane, person, clock, finish)
     select $1, lane, person, clock, finish from entries order by lane, person
     on conflict (workspace, lane, person) do update set
       clock = greatest(shares.clock, excluded.clock), used_at = now(),
       finish = greatest(shares.finish, excluded.finish)`,
    [workspace, JSON.stringify(turns.map(({ job, ...turn }) => ({ ...turn, id: job.id })))],
  )
  if (drained.length > 0) await forgive(db, workspace, all ? [...drained, ''] : drained)
}

/** Where nobody is left waiting, what was given is held against nobody: the clock goes on to the last finish. */
async function forgive(db: Db, workspace: string, lanes: readonly string[]): Promise<void> {
  await db.query(
    `update shares s set clock = f.finish from (
       select case when person = '' then '' else lane end as lane, max(finish) as finish from shares
       where workspace = $1 and lane <> '' group by 1) f
     where s.workspace = $1 and s.person = '' and s.lane = f.lane and s.lane = any($2) and s.clock < f.finish`,
    [workspace, lanes],
  )
}

/** A run of whose place its thread is told. */
export type Place = { run: string; place: number }

/** When a thread is told of a place: only of a wait this long, and again only after so long, in seconds. */
const TELL = { after: 5, again: 15 }

/**
 * Of these places those that their threads have not been told of lately and that have changed by enough to be worth
 * it, at most `most`: from now on they count as told. Only of runs that no worker has seen yet.
 */
export async function claimPlaces(
  db: Db,
  workspace: string,
  places: readonly Place[],
  most: number,
): Promise<Place[]> {
  const claimed = await db.query<Place>(
    `with places as (
       select * from jsonb_to_recordset($2::jsonb) as p (run uuid, place int)
     ), due as (
       select w.run, p.place from wakeups w join places p on p.run = w.run join runs r on r.id = w.run
       where w.workspace = $1 and w.dispatched_at is null and r.lease_epoch = 0
         and w.asked_at < now() - $4 * interval '1 second'
         and (w.placed_at is null or (w.placed_at < now() - $5 * interval '1 second' and p.place <= w.place * 0.8))
       order by w.placed_at nulls first, p.place limit $3 for update of w skip locked
     )
     update wakeups w set place = due.place, placed_at = now() from due where w.run = due.run
     returning w.run, w.place`,
    [workspace, JSON.stringify(places), most, TELL.after, TELL.again],
  )
  return claimed.rows
}

/** Whether anybody has waited for so long that their place may be told. */
export async function isLineLong(db: Db, workspace: string): Promise<boolean> {
  const found = await db.query(
    `select 1 from wakeups where workspace = $1 and dispatched_at is null
       and asked_at < now() - $2 * interval '1 second' limit 1`,
    [workspace, TELL.after],
  )
  return found.rowCount === 1
}

/** Whether a worker has begun with a run. */
export async function hasBegun(db: Db, run: string): Promise<boolean> {
  const found = await db.query('select 1 from runs where id = $1 and lease_epoch > 0', [run])
  return found.rowCount === 1
}

/** Forgets what people used who have not asked for a week. */
export async function pruneShares(db: Db, workspace: string): Promise<void> {
  await db.query(
    `delete from shares where workspace = $1 and person <> '' and used_at < now() - interval '7 days'`,
    [workspace],
  )
}

/** The lease of a run: taking it, writing under it, giving it back. A row with an expiry, fenced by its epoch. */
import { z } from 'zod'
import { type Numbered, Step } from '../core/run.ts'
import { Wait } from '../core/wait.ts'
import { asJson } from './json.ts'
import { RUN, type Run, readRun, readSteps, writeWakeup } from './runs.ts'
import type { Db } from './transaction.ts'

/** The right to advance a run; `epoch` fences every write of the holder. */
export type Lease = { run: string; epoch: number }

/** A run whose lease was taken: all its steps, and how often advancing it broke since the last one. */
export type Taken = {
  lease: Lease
  run: Run
  steps: Numbered[]
  failures: number
  /** What it waited for. */
  waited?: Wait | undefined
  /** Why the steps could not be read, where another version wrote them. */
  unreadable?: string
}

type Row = Run & { lease_epoch: number; failures: number; steps: [number, unknown][]; waited: unknown }

/** Takes the lease for `ms` milliseconds. `held`: another worker has it; `over`: nothing is left to do. */
export async function takeLease(
  db: Db,
  run: string,
  owner: string,
  ms: number,
): Promise<Taken | 'held' | 'over'> {
  const taken = await db.query<Row>(
    `with taken as (
       update runs set lease_owner = $2, lease_epoch = lease_epoch + 1,
              lease_until = now() + $3 * interval '1 millisecond', waits = null
       where id = $1 and active and (lease_until is null or lease_until < now())
       returning ${RUN}, lease_epoch, failures
     )
     select taken.*, (select jsonb_agg(jsonb_build_array(s.n, s.body) order by s.n)
                      from steps s where s.run = taken.id) as steps,
            (select before.waits from runs before where before.id = taken.id) as waited
     from taken`,
    [run, owner, ms],
  )
  const row = taken.rows[0]
  if (row) {
    const { lease_epoch, failures, steps: raw, waited: before, ...rest } = row
    const lease = { run, epoch: lease_epoch }
    const waited = Wait.safeParse(before).data
    try {
      let steps = raw.map(([n, body]) => ({ ...Step.parse(body), n }))
      // The statement saw the steps of its beginning; where it had to wait for the row, one may have come.
      if (steps.at(-1)?.n !== rest.n) steps = await readSteps(db, run)
      return { lease, run: rest, steps, failures, waited }
    } catch (error) {
      if (!(error instanceof z.ZodError)) throw error
      return { lease, run: rest, steps: [], failures, unreadable: z.prettifyError(error) }
    }
  }
  const found = await readRun(db, run)
  return found?.active ? 'held' : 'over'
}

/** Renews the lease and says the number of the run's last step, so that the holder notices news. */
export async function renewLease(db: Db, lease: Lease, ms: number): Promise<number | 'lost'> {
  const renewed = await db.query(
    `update runs set lease_until = now() + $3 * interval '1 millisecond'
     where id = $1 and lease_epoch = $2 and active and lease_until is not null returning n`,
    [lease.run, lease.epoch, ms],
  )
  return renewed.rows[0]?.n ?? 'lost'
}

/**
 * Appends steps as the holder of the lease, all or none, after step `after`. `moved`: somebody appended
 * meanwhile; read again. `lost`: the lease is another worker's now; stop. A `finished` step ends the run.
 */
export async function appendSteps(
  tx: Db,
  lease: Lease,
  after: number,
  steps: readonly Step[],
): Promise<number | 'moved' | 'lost'> {
  const over = steps.at(-1)?.kind === 'finished'
  const done = await tx.query(
    `with moved as (
       update runs set n = n + $4, active = not $6, failures = 0,
              due_at = case when $6 then null else due_at end,
              lease_until = case when $6 then null else lease_until end,
              finished_at = case when $6 then now() else null end
       where id = $1 and lease_epoch = $2 and n = $3 and active returning n
     )
     insert into steps (run, n, kind, body)
     select $1, $3 + e.ordinality::int, e.value ->> 'kind', e.value
     from moved, jsonb_array_elements($5::jsonb) with ordinality e
     returning n`,
    [lease.run, lease.epoch, after, steps.length, asJson(steps), over],
  )
  if (done.rowCount === steps.length) return after + steps.length
  const found = await tx.query('select lease_epoch, active from runs where id = $1', [lease.run])
  const row = found.rows[0]
  return row?.active && row.lease_epoch === lease.epoch ? 'moved' : 'lost'
}

/**
 * Gives the lease back. The run is looked at again at `due` (null: only when a person moves).
 * `moved`: a step came after `after`; read it first, the lease is kept. `waits` says what else ends the wait.
 */
export async function parkRun(
  db: Db,
  lease: Lease,
  after: number,
  due: string | null,
  waits?: Wait,
): Promise<'parked' | 'moved' | 'lost'> {
  const done = await db.query(
    `update runs set lease_owner = null, lease_until = null, due_at = $4, waits = $5
     where id = $1 and lease_epoch = $2 and n = $3 and active`,
    [lease.run, lease.epoch, after, due, waits ? asJson(waits) : null],
  )
  if (done.rowCount === 1) return 'parked'
  const found = await db.query('select lease_epoch, active from runs where id = $1', [lease.run])
  const row = found.rows[0]
  return row?.active && row.lease_epoch === lease.epoch ? 'moved' : 'lost'
}

/**
 * Gives the lease back after an attempt that broke, to be tried again in `seconds`; says how often it broke.
 * Only one that `failed` is counted.
 */
export async function putOffRun(
  db: Db,
  lease: Lease,
  { seconds, failed = false }: { seconds: number; failed?: boolean },
): Promise<number> {
  const done = await db.query(
    `update runs set lease_owner = null, lease_until = null, failures = failures + $4::int,
            due_at = now() + $3 * interval '1 second'
     where id = $1 and lease_epoch = $2 and active returning failures`,
    [lease.run, lease.epoch, seconds, failed ? 1 : 0],
  )
  return done.rows[0]?.failures ?? 0
}

/** Gives the lease back unfinished, with a wake-up, so that another worker goes on at once. */
export async function releaseRun(tx: Db, lease: Lease): Promise<void> {
  const done = await tx.query(
    `update runs set lease_owner = null, lease_until = null, due_at = now()
     where id = $1 and lease_epoch = $2 and active returning id`,
    [lease.run, lease.epoch],
  )
  if (done.rowCount === 1) await writeWakeup(tx, lease.run)
}

/**
 * Runs and their steps. Steps are only ever appended. The holder of the lease appends with its epoch
 * and the number of the last step it read; anybody else appends under the run's row lock.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { type Numbered, Step, type StepOf, type Thread } from '../core/run.ts'
import { asJson } from './json.ts'
import type { Db } from './transaction.ts'

/** Who waits for whom. */
export type Lane = 'interactive' | 'long' | 'background'

/** A run without its steps. `message` is the ts of the question, `thread` of the thread's first message. */
export type Run = {
  id: string
  workspace: string
  channel: string
  thread: string
  message: string
  asker: string
  agent: string
  dm: boolean
  lane: Lane
  n: number
  active: boolean
}

/** The right to advance a run; `epoch` fences every write of the holder. */
export type Lease = { run: string; epoch: number }

const RUN = 'id, workspace, channel, thread, message, asker, agent, dm, lane, n, active'

/**
 * Creates a run with its first step and its wake-up, in one statement. Undefined where this message already
 * has a run, or another run is active in the thread.
 */
export async function createRun(
  tx: Db,
  run: Omit<Run, 'id' | 'n' | 'active' | 'lane'> & { lane?: Lane },
  asked: StepOf<'asked'>,
): Promise<Run | undefined> {
  const made = await tx.query<Run>(
    `with made as (
       insert into runs (id, workspace, channel, thread, message, asker, agent, dm, lane, n, due_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, now()) on conflict do nothing returning ${RUN}
     ), begun as (
       insert into steps (run, n, kind, body) select id, 1, $10, $11 from made
     ), woken as (
       insert into wakeups (run, id, lane) select id, $12, lane from made
     )
     select * from made`,
    [
      randomUUID(),
      run.workspace,
      run.channel,
      run.thread,
      run.message,
      run.asker,
      run.agent,
      run.dm,
      run.lane ?? 'interactive',
      asked.kind,
      asJson(asked),
      randomUUID(),
    ],
  )
  return made.rows[0]
}

/** Asks for the run to be advanced: one waiting wake-up a run, renewed by each call. */
export async function writeWakeup(tx: Db, run: string): Promise<void> {
  await tx.query(
    `insert into wakeups (run, id, lane) select id, $2, lane from runs where id = $1
     on conflict (run) do update set id = excluded.id, created_at = now(), dispatched_at = null`,
    [run, randomUUID()],
  )
}

/** The active run of a thread, locked until the transaction ends. */
export async function lockActiveRun(tx: Db, thread: Thread): Promise<Run | undefined> {
  const found = await tx.query<Run>(
    `select ${RUN} from runs where workspace = $1 and channel = $2 and thread = $3 and active for no key update`,
    [thread.workspace, thread.channel, thread.ts],
  )
  return found.rows[0]
}

/** One run by its id, locked until the transaction ends. */
export async function lockRun(tx: Db, id: string): Promise<Run | undefined> {
  const found = await tx.query<Run>(`select ${RUN} from runs where id = $1 for no key update`, [id])
  return found.rows[0]
}

/** The run that a message asked for. */
export async function findRunOfMessage(
  db: Db,
  message: { workspace: string; channel: string; ts: string },
): Promise<Run | undefined> {
  const found = await db.query<Run>(
    `select ${RUN} from runs where workspace = $1 and channel = $2 and message = $3`,
    [message.workspace, message.channel, message.ts],
  )
  return found.rows[0]
}

export async function readRun(db: Db, id: string): Promise<Run | undefined> {
  const found = await db.query<Run>(`select ${RUN} from runs where id = $1`, [id])
  return found.rows[0]
}

/** Whether the agent has spoken, or will, in this thread. */
export async function isPartOfThread(db: Db, thread: Thread): Promise<boolean> {
  const found = await db.query(
    'select 1 from runs where workspace = $1 and channel = $2 and thread = $3 limit 1',
    [thread.workspace, thread.channel, thread.ts],
  )
  return found.rowCount === 1
}

/** Active runs of one person, oldest first; of one channel where it is given. */
export async function readActiveRuns(
  db: Db,
  of: { workspace: string; asker: string; channel?: string },
): Promise<Run[]> {
  const found = await db.query<Run>(
    `select ${RUN} from runs where workspace = $1 and asker = $2 and active
       and ($3::text is null or channel = $3) order by created_at`,
    [of.workspace, of.asker, of.channel ?? null],
  )
  return found.rows
}

export async function readSteps(db: Db, run: string): Promise<Numbered[]> {
  const found = await db.query('select n, body from steps where run = $1 order by n', [run])
  return found.rows.map((row) => ({ ...Step.parse(row.body), n: row.n }))
}

/** Whether somebody stopped the run after step `after`. */
export async function hasStopped(db: Db, run: string, after: number): Promise<boolean> {
  const found = await db.query(`select 1 from steps where run = $1 and n > $2 and kind = 'stopped'`, [
    run,
    after,
  ])
  return (found.rowCount ?? 0) > 0
}

/** What was asked and answered in the thread before this run, oldest first. */
export async function readPast(
  db: Db,
  run: Run,
  limit = 20,
): Promise<{ user: string; question: string; answer: string }[]> {
  if (run.message === run.thread) return [] // The question that began the thread.
  const found = await db.query(
    `select a.body as asked, f.body as finished from runs r
       join steps a on a.run = r.id and a.n = 1
       join steps f on f.run = r.id and f.n = r.n and f.kind = 'finished'
     where r.workspace = $1 and r.channel = $2 and r.thread = $3 and r.id <> $4 and not r.active
     order by r.created_at desc limit $5`,
    [run.workspace, run.channel, run.thread, run.id, limit],
  )
  return found.rows
    .reverse()
    .map((row) => ({ user: row.asked.user, question: row.asked.text, answer: row.finished.text }))
}

/**
 * Appends one step from outside the lease (a person's move) and wakes the run.
 * The caller holds the run's row lock and has seen that the run is active.
 */
export async function appendFromOutside(tx: Db, run: Run, step: Step): Promise<number> {
  const n = run.n + 1
  await tx.query('insert into steps (run, n, kind, body) values ($1, $2, $3, $4)', [
    run.id,
    n,
    step.kind,
    asJson(step),
  ])
  await tx.query('update runs set n = $2, due_at = now() where id = $1', [run.id, n])
  await writeWakeup(tx, run.id)
  return n
}

/** A run whose lease was taken: all its steps, and how often advancing it broke since the last one. */
export type Taken = {
  lease: Lease
  run: Run
  steps: Numbered[]
  failures: number
  /** Why the steps could not be read, where another version wrote them. */
  unreadable?: string
}

/** Takes the lease for `ms` milliseconds. `held`: another worker has it; `over`: nothing is left to do. */
export async function takeLease(
  db: Db,
  run: string,
  owner: string,
  ms: number,
): Promise<Taken | 'held' | 'over'> {
  const taken = await db.query<Run & { lease_epoch: number; failures: number; steps: [number, unknown][] }>(
    `with taken as (
       update runs set lease_owner = $2, lease_epoch = lease_epoch + 1,
              lease_until = now() + $3 * interval '1 millisecond'
       where id = $1 and active and (lease_until is null or lease_until < now())
       returning ${RUN}, lease_epoch, failures
     )
     select taken.*, (select jsonb_agg(jsonb_build_array(s.n, s.body) order by s.n)
                      from steps s where s.run = taken.id) as steps
     from taken`,
    [run, owner, ms],
  )
  const row = taken.rows[0]
  if (row) {
    const { lease_epoch, failures, steps: raw, ...rest } = row
    const lease = { run, epoch: lease_epoch }
    try {
      let steps = raw.map(([n, body]) => ({ ...Step.parse(body), n }))
      // The statement saw the steps of its beginning; where it had to wait for the row, one may have come.
      if (steps.at(-1)?.n !== rest.n) steps = await readSteps(db, run)
      return { lease, run: rest, steps, failures }
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
 * `moved`: a step came after `after`; read it first, the lease is kept.
 */
export async function parkRun(
  db: Db,
  lease: Lease,
  after: number,
  due: string | null,
): Promise<'parked' | 'moved' | 'lost'> {
  const done = await db.query(
    `update runs set lease_owner = null, lease_until = null, due_at = $4
     where id = $1 and lease_epoch = $2 and n = $3 and active`,
    [lease.run, lease.epoch, after, due],
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

/**
 * Runs and their steps. Steps are only ever appended. The holder of the lease appends with its epoch
 * and the number of the last step it read; anybody else appends under the run's row lock.
 */
import { randomUUID } from 'node:crypto'
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
  /** Only its asker sees it, and is answered at this address; it has no thread. */
  reply?: string | null
}

/** The columns of a {@link Run}. */
export const RUN = 'id, workspace, channel, thread, message, asker, agent, dm, lane, n, active, reply'

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
       insert into runs (id, workspace, channel, thread, message, asker, agent, dm, lane, reply, n, due_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $13, 1, now()) on conflict do nothing returning ${RUN}
     ), begun as (
       insert into steps (run, n, kind, body) select id, 1, $10, $11 from made
     ), woken as (
       insert into wakeups (run, id, lane, workspace, person) select id, $12, lane, workspace, asker from made
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
      run.reply ?? null,
    ],
  )
  return made.rows[0]
}

/** From now on the run waits among others of this lane. */
export async function moveToLane(db: Db, run: string, lane: Lane): Promise<void> {
  await db.query('update runs set lane = $2 where id = $1', [run, lane])
}

/** Asks for the run to be advanced: one waiting wake-up a run, renewed by each call. */
export async function writeWakeup(tx: Db, run: string): Promise<void> {
  await tx.query(
    `insert into wakeups (run, id, lane, workspace, person, asked_at)
     select id, $2, lane, workspace, asker, created_at from runs where id = $1
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

/** The run whose id begins with these eight hexadecimal digits or more; undefined where it is none, or not one alone. */
export async function findRun(db: Db, workspace: string, begins: string): Promise<Run | undefined> {
  const digits = begins.toLowerCase().replaceAll('-', '')
  if (!/^[0-9a-f]{8,32}$/.test(digits)) return undefined
  const found = await db.query<Run>(
    `select ${RUN} from runs where workspace = $1 and id between $2::uuid and $3::uuid limit 2`,
    [workspace, digits.padEnd(32, '0'), digits.padEnd(32, 'f')],
  )
  return found.rows.length === 1 ? found.rows[0] : undefined
}

/** The newest run of a thread or, where none is given, of what one person asked in a channel. */
export async function findNewestRun(
  db: Db,
  of: { workspace: string; channel: string; thread?: string | undefined; asker: string },
): Promise<Run | undefined> {
  const found = await db.query<Run>(
    `select ${RUN} from runs where workspace = $1 and channel = $2
       and case when $3::text is null then asker = $4 else thread = $3 end order by created_at desc limit 1`,
    [of.workspace, of.channel, of.thread ?? null, of.asker],
  )
  return found.rows[0]
}

/** The run a message of a thread belongs to: what it asked, or what we said for it; else the newest of the thread. */
export async function findRunAt(
  db: Db,
  at: { workspace: string; channel: string; thread: string; ts: string },
): Promise<Run | undefined> {
  const found = await db.query<Run>(
    `select ${RUN} from runs r where workspace = $1 and channel = $2 and thread = $3
     order by (message = $4 or exists (
       select from posts p where p.owner = r.id::text and p.channel = $2 and p.ts = $4
     ) or exists (
       select from steps s where s.run = r.id and s.kind = 'steered' and s.body ->> 'ts' = $4
     )) desc, created_at desc limit 1`,
    [at.workspace, at.channel, at.thread, at.ts],
  )
  return found.rows[0]
}

/** Whether the agent has spoken, or will, in this thread; before a message of it where its ts is given. */
export async function isPartOfThread(db: Db, thread: Thread, before?: string): Promise<boolean> {
  const found = await db.query(
    `select 1 from runs where workspace = $1 and channel = $2 and thread = $3
       and ($4::text is null or message < $4 collate "C") limit 1`,
    [thread.workspace, thread.channel, thread.ts, before ?? null],
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

/** Takes the text of passages out of what a run has read. */
export async function removeQuotes(db: Db, run: string, passages: readonly string[]): Promise<void> {
  await db.query(
    `update steps set body = jsonb_set(body, '{passages}', (
       select coalesce(jsonb_agg(case when p ->> 'passage' = any($2) then without_quote(p) else p end order by n), '[]')
       from jsonb_array_elements(body -> 'passages') with ordinality as e (p, n)))
     where run = $1 and kind = 'recalled'`,
    [run, passages],
  )
}

/** Whether somebody stopped the run after step `after`. */
export async function hasStopped(db: Db, run: string, after: number): Promise<boolean> {
  const found = await db.query(`select 1 from steps where run = $1 and n > $2 and kind = 'stopped'`, [
    run,
    after,
  ])
  return (found.rowCount ?? 0) > 0
}

/** Exchanges that are forgotten at once, so that what a prompt begins with stays the same in between. */
const PAST_STEP = 10

/** An exchange, what came with the question, and what was read for it. */
type Past = {
  user: string
  question: string
  quoted?: string
  quotedBy?: string
  read: StepOf<'read'>[]
  answer: string
  tainted: boolean
}

/** The last exchanges of the thread before this run, oldest first: at least `step`, and less than twice as many. */
export async function readPast(db: Db, run: Run, step = PAST_STEP): Promise<Past[]> {
  if (run.message === run.thread) return [] // The question that began the thread.
  const found = await db.query(
    `select a.body as asked, f.body as finished,
            (select json_agg(t.body order by t.n) from steps t
             where t.run = r.id and t.kind = 'read' and not t.body ? 'call') as read,
            exists (select from steps t where t.run = r.id and (
              (t.kind = 'answered' and coalesce(jsonb_array_length(t.body -> 'taint'), 0) > 0)
              or (t.kind = 'returned' and not coalesce((t.body ->> 'trusted')::boolean, false)))) as tainted
     from runs r
       join steps a on a.run = r.id and a.n = 1
       join steps f on f.run = r.id and f.n = r.n and f.kind = 'finished'
     where r.workspace = $1 and r.channel = $2 and r.thread = $3 and r.id <> $4 and not r.active
     order by r.created_at desc
     limit $5::int + (select count(*)::int % $5::int from runs where workspace = $1 and channel = $2
                      and thread = $3 and id <> $4 and not active)`,
    [run.workspace, run.channel, run.thread, run.id, step],
  )
  return found.rows.reverse().map((row) => ({
    user: row.asked.user,
    question: row.asked.text,
    ...(row.asked.quoted ? { quoted: row.asked.quoted } : {}),
    ...(row.asked.quotedBy ? { quotedBy: row.asked.quotedBy } : {}),
    read: row.read ?? [],
    answer: row.finished.text,
    tainted: row.tainted,
  }))
}

/**
 * Appends steps from outside the lease (a person's move) and wakes the run.
 * The caller holds the run's row lock and has seen that the run is active.
 */
export async function appendFromOutside(tx: Db, run: Run, ...steps: Step[]): Promise<number> {
  const n = run.n + steps.length
  await tx.query(
    `insert into steps (run, n, kind, body)
     select $1, $2 + e.ordinality::int, e.value ->> 'kind', e.value
     from jsonb_array_elements($3::jsonb) with ordinality e`,
    [run.id, run.n, asJson(steps)],
  )
  await tx.query('update runs set n = $2, due_at = now() where id = $1', [run.id, n])
  await writeWakeup(tx, run.id)
  return n
}

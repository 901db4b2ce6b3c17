/** Erasing what is kept of a person, what is older than it may be, and the bytes of both. */
import type pg from 'pg'
import { tsOf } from '../core/overheard.ts'
import { endRuns } from './ending.ts'
import { forgetConversations } from './followed.ts'
import type { Store } from './open.ts'
import { appendFromOutside, lockRun } from './runs.ts'
import { type Db, inTransaction, type Tx } from './transaction.ts'
import { forgetTurnsOf, lockChannels } from './turns.ts'

/** How many of each were removed or emptied. */
export type Erased = {
  /** Messages of the person in channels that are sources. */
  messages: number
  /** Documents those stood in: the running process makes them anew of what others said. */
  documents: number
  /** Runs they asked for: the steps stay, their words and the answers are gone. */
  runs: number
  /** Runs of theirs that were under way, and were ended for it. */
  ended: number
  /** What they said or decided in runs of others, and answers that were given with their words at hand. */
  steps: number
  inbox: number
  accounts: number
}

/** Stands where a person, or their words, stood. */
const NOBODY = 'forgotten'
const REMOVED = '(removed)'

/**
 * Forgets a person: their messages and what was made of them, their questions with all answers, their part in the
 * runs of others, what was heard from them, what they thought of answers and like, memberships, accounts, grants and budgets.
 * Wholly or not at all.
 */
export async function forgetPerson(pool: pg.Pool, workspace: string, person: string): Promise<Erased> {
  return inTransaction(pool, async (tx) => {
    const until = tsOf(Date.now() + 1000)
    await tx.query(
      `insert into forgotten (workspace, person, until) values ($1, $2, $3)
       on conflict (workspace, person) do update set until = excluded.until`,
      [workspace, person, until],
    )
    // Whoever writes down what is said is waited for, and finds afterwards that this person is forgotten.
    await lockChannels(tx, workspace)
    const ended = await endRunsOf(tx, workspace, person)
    const said = await forgetSaid(tx, workspace, person)
    const runs = await emptyRuns(tx, workspace, person)
    const read = await forgetRead(tx, workspace, person)
    const steps = said.answers + read + (await emptyParts(tx, workspace, person))
    const inbox = await forgetHeard(tx, workspace, person)
    const accounts = await forgetHeld(tx, workspace, person)
    const { messages, documents } = said
    return { messages, documents, runs, ended, steps, inbox, accounts }
  })
}

/** Their messages, the documents these stood in, and what was made of those in runs. */
async function forgetSaid(tx: Tx, workspace: string, person: string) {
  const stood = await tx.query<{ path: string }>(
    'select distinct path from turns where workspace = $1 and author = $2 and path is not null',
    [workspace, person],
  )
  const paths = stood.rows.map((row) => row.path)
  const quoted = await findQuotes(tx, workspace, person, paths)
  const answers = await emptyAfter(tx, await emptyQuotes(tx, workspace, quoted))
  const messages = await forgetTurnsOf(tx, workspace, person)
  const documents = await forgetConversations(tx, workspace, paths)
  return { messages, documents, answers }
}

/**
 * No message of a talk is further than this from the one it is called by, in seconds: 40 messages, each within 15 minutes
 * of the next.
 */
const LONGEST_TALK = 40 * 15 * 60

/**
 * Paths of documents that runs quote and that hold, or held, words of a person: those their messages stand in now, and
 * talks that one of these may have left when somebody replied to it.
 */
async function findQuotes(tx: Tx, workspace: string, person: string, paths: string[]): Promise<string[]> {
  const { rows } = await tx.query<{ path: string }>(
    `with quoted as (
       select distinct p ->> 'path' as path
       from runs r join steps s on s.run = r.id and s.kind = 'recalled', jsonb_array_elements(s.body -> 'passages') p
       where r.workspace = $1),
     talks as (
       select path, split_part(path, '/', 1) as channel, split_part(path, '/', 3) as begun
       from quoted where path ~ '^[A-Z0-9]+/talk/[0-9]{10}\\.[0-9]{6}$')
     select path from quoted where path = any($3)
     union
     select path from talks k where exists (select from turns t
       where t.workspace = $1 and t.author = $2 and t.channel = k.channel
         and t.ts between to_char(k.begun::numeric - $4, 'FM0000000000.000000')
           and to_char(k.begun::numeric + $4, 'FM0000000000.000000'))`,
    [workspace, person, paths, LONGEST_TALK],
  )
  return [...new Set([...paths, ...rows.map((row) => row.path)])]
}

/** A step that holds words of the person; what came after it in its run may be made of them. */
type Place = { run: string; n: number }

/** Takes what runs quote of these documents out of them, also where it was of words that have changed since. */
async function emptyQuotes(tx: Tx, workspace: string, paths: string[]): Promise<Place[]> {
  const { rows } = await tx.query<Place>(
    `with live as (
       select coalesce(array_agg(p.id::text), '{}') as ids from passages p join documents d on d.id = p.document
       where d.workspace = $1 and d.path = any($2))
     update steps s set body = jsonb_set(s.body, '{passages}', (
         select jsonb_agg(case when p ->> 'path' = any($2) or p ->> 'passage' = any(l.ids)
           then without_quote(p) else p end order by n)
         from jsonb_array_elements(s.body -> 'passages') with ordinality as e (p, n)))
     from runs r, live l where r.id = s.run and r.workspace = $1 and s.kind = 'recalled'
       and (jsonb_path_query_array(s.body, '$.passages[*].path') ?| $2
         or jsonb_path_query_array(s.body, '$.passages.**.passage') ?| l.ids)
     returning s.run, s.n`,
    [workspace, paths],
  )
  return rows
}

/** Empties what a model, tools and the runtime said in runs after these places; answers how many steps that were. */
async function emptyAfter(tx: Tx, places: readonly Place[]): Promise<number> {
  const of = [places.map(({ run }) => run), places.map(({ n }) => n)]
  const after = `(select run, min(n) as n from unnest($1::uuid[], $2::int[]) as p (run, n) group by run) g`
  const { rows } = await tx.query<Call>(
    `select s.run, s.body ->> 'approval' as approval from ${after} join steps s on s.run = g.run and s.n > g.n
     where s.kind = 'proposed' and s.body ? 'approval'`,
    of,
  )
  await emptyCalls(tx, rows)
  const { rowCount } = await tx.query(
    `update steps a set body = ${emptied('a')} from ${after}
     where a.run = g.run and a.n > g.n and (a.kind in ('answered', 'proposed', 'returned', 'finished')
       or a.kind = 'recalled' and a.body ? 'call')`,
    of,
  )
  return rowCount ?? 0
}

type Call = { run: string; approval: string }

const WHY_VOID = 'Somebody whose words it may be made of was forgotten.'

/** Calls that hold words of the person lose their arguments; those that wait to be made are not made any more. */
async function emptyCalls(tx: Tx, calls: readonly Call[]): Promise<void> {
  const byRun = [...Map.groupBy(calls, ({ run }) => run)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  for (const [id, of] of byRun) {
    const run = await lockRun(tx, id)
    const ids = of.map(({ approval }) => approval)
    const open = await tx.query<{ id: string }>(
      `update approvals set state = 'void', changed_at = now()
       where id = any($1::uuid[]) and state in ('allowed', 'pending', 'approved') returning id`,
      [ids],
    )
    await tx.query(`update approvals set args = '{}' where id = any($1::uuid[])`, [ids])
    const decided = { kind: 'decided', at: new Date().toISOString(), outcome: 'void', why: WHY_VOID } as const
    if (run?.active && open.rows.length > 0)
      await appendFromOutside(tx, run, ...open.rows.map((row) => ({ ...decided, approval: row.id })))
  }
}

/** What runs of others read or quote of theirs: messages and files, and the answers that were given with these at hand. */
async function forgetRead(tx: Tx, workspace: string, person: string): Promise<number> {
  const others = (key: string) =>
    `jsonb_path_query_array(s.body, '$.${key}[*] ? (@.from != $who)', jsonb_build_object('who', $2::text))`
  const read = await tx.query<Place>(
    `update steps s set body = s.body || jsonb_build_object('files', ${others('files')})
       || case when s.body ? 'said' then jsonb_build_object('said', ${others('said')}) else '{}' end
     from runs r where r.id = s.run and r.workspace = $1 and s.kind = 'read'
       and jsonb_path_exists(s.body, '$.*[*] ? (@.from == $who)', jsonb_build_object('who', $2::text))
     returning s.run, s.n`,
    [workspace, person],
  )
  const quoted = await tx.query<Place>(
    `update steps s set body = s.body - '{quoted,quotedBy,files}'::text[] from runs r
     where r.id = s.run and r.workspace = $1 and s.kind in ('asked', 'steered') and s.body ->> 'quotedBy' = $2
     returning s.run, s.n`,
    [workspace, person],
  )
  const all = [...read.rows, ...quoted.rows]
  return all.length + (await emptyAfter(tx, all))
}

/** Ends what they have under way; whoever works on it finds that it is over. */
async function endRunsOf(tx: Tx, workspace: string, person: string): Promise<number> {
  const { rows } = await tx.query<{ id: string }>(
    'select id from runs where workspace = $1 and asker = $2 and active order by id for update',
    [workspace, person],
  )
  const ids = rows.map((row) => row.id)
  await endRuns(tx, ids, { by: NOBODY, why: 'whoever asked was forgotten', text: REMOVED })
  return ids.length
}

/** SQL: a step without what people, models and tools said. */
function emptied(step: string): string {
  const body = `${step}.body`
  return `case ${step}.kind
    when 'asked' then ${body} - 'prompt' - '{files,quoted,quotedBy,about,viewing,language,show}'::text[] || '{"text": "${REMOVED}", "user": "${NOBODY}"}'
      || case when ${body} ? 'call' then jsonb_build_object('call', ${body} -> 'call' || '{"args": {}}') else '{}' end
    when 'steered' then ${body} - '{files,quoted,quotedBy,about,viewing}'::text[] || '{"text": "${REMOVED}", "user": "${NOBODY}"}'
    when 'read' then ${body} - 'said' || '{"files": []}'
    when 'recalled' then ${body} || '{"query": "${REMOVED}"}'
    when 'answered' then ${body} || jsonb_build_object('text', '${REMOVED}', 'calls', coalesce((
      select jsonb_agg(c || '{"args": {}}' order by n) from jsonb_array_elements(${body} -> 'calls') with ordinality as e (c, n)
    ), '[]'))
    when 'proposed' then ${body} - '{risk,previous}'::text[]
      || jsonb_build_object('call', ${body} -> 'call' || '{"args": {}}', 'why', '${REMOVED}')
      || case when ${body} ? 'editedBy' then '{"editedBy": "${NOBODY}"}' else '{}' end::jsonb
    when 'decided' then ${body} - 'input' - 'why' || case when ${body} ? 'by' then '{"by": "${NOBODY}"}' else '{}' end::jsonb
    when 'returned' then ${body} - '{input,asked}'::text[] || '{"text": "${REMOVED}"}'
    when 'stopped' then ${body} || '{"by": "${NOBODY}"}'
    when 'finished' then ${body} || '{"text": "${REMOVED}"}'
    else ${body} end`
}

/** Their runs keep their steps and lose their words; approvals of these runs their arguments. */
async function emptyRuns(tx: Tx, workspace: string, person: string): Promise<number> {
  const { rows } = await tx.query<{ id: string }>('select id from runs where workspace = $1 and asker = $2', [
    workspace,
    person,
  ])
  const ids = rows.map((row) => row.id)
  await tx.query(`update steps s set body = ${emptied('s')} where s.run = any($1::uuid[])`, [ids])
  await tx.query(`update approvals set args = '{}', asker = $2 where run = any($1::uuid[])`, [ids, NOBODY])
  await tx.query('delete from wakeups where run = any($1::uuid[])', [ids])
  await tx.query('delete from posts where owner = any($1)', [ids])
  await tx.query(
    'update runs set asker = $2, reply = case when reply is null then null else $2 end where id = any($1::uuid[])',
    [ids, NOBODY],
  )
  return ids.length
}

/** What they wrote, decided and stopped in runs of others. */
async function emptyParts(tx: Tx, workspace: string, person: string): Promise<number> {
  const edited = await tx.query<Call>(
    `select s.run, s.body ->> 'approval' as approval from steps s join runs r on r.id = s.run
     where r.workspace = $1 and s.kind = 'proposed' and s.body ->> 'editedBy' = $2 and s.body ? 'approval'`,
    [workspace, person],
  )
  await emptyCalls(tx, edited.rows)
  const steps = await tx.query(
    `update steps s set body = ${emptied('s')} from runs r where r.id = s.run and r.workspace = $1
       and (s.kind in ('asked', 'steered') and s.body ->> 'user' = $2
         or s.kind in ('decided', 'stopped') and s.body ->> 'by' = $2
         or s.kind = 'proposed' and s.body ->> 'editedBy' = $2)`,
    [workspace, person],
  )
  await tx.query(
    `update approvals set votes = array_replace(votes, $2, $3),
       decided_by = case when decided_by = $2 then $3 else decided_by end
     where workspace = $1 and ($2 = any(votes) or decided_by = $2)`,
    [workspace, person, NOBODY],
  )
  await renameApprover(tx, workspace, person)
  return steps.rowCount ?? 0
}

/** Where they stand among those who approved before or might have; who is still asked stays asked. */
async function renameApprover(tx: Tx, workspace: string, person: string): Promise<void> {
  const of = [workspace, `\\m${person}\\M`, NOBODY]
  await tx.query(
    `update steps s set body = s.body
       || case when s.body ? 'remembered'
         then jsonb_build_object('remembered', regexp_replace(s.body ->> 'remembered', $2, $3, 'g')) else '{}' end
       || case when s.body ? 'approvers' and not r.active
         then jsonb_build_object('approvers', regexp_replace((s.body -> 'approvers')::text, $2, $3, 'g')::jsonb) else '{}' end
     from runs r where r.id = s.run and r.workspace = $1 and s.kind = 'proposed'
       and concat(s.body ->> 'remembered', ' ', s.body -> 'approvers') ~ $2`,
    of,
  )
  await tx.query(
    `update approvals set approvers = regexp_replace(approvers::text, $2, $3, 'g')::jsonb
     where workspace = $1 and state not in ('allowed', 'pending', 'approved', 'executing', 'unknown')
       and approvers::text ~ $2`,
    of,
  )
}

async function forgetHeard(tx: Tx, workspace: string, person: string): Promise<number> {
  const { rows } = await tx.query<{ key: string }>(
    `delete from inbox where workspace = $1 and heard ->> 'user' = $2 returning key`,
    [workspace, person],
  )
  await tx.query('delete from posts where owner = any($1)', [rows.map((row) => row.key)])
  // What was heard longer ago is gone already; the names of some of it hold who it came from.
  await tx.query(
    `delete from posts where owner like '%:' || $1 || ':%' and owner || ':' like '%:' || $2 || ':%'`,
    [workspace, person],
  )
  return rows.length
}

/** Accounts, grants, budgets, what they thought of answers and like, and what is known of who they are and what they are in. */
async function forgetHeld(tx: Tx, workspace: string, person: string): Promise<number> {
  const of = [workspace, person]
  const accounts = await tx.query('delete from credentials where workspace = $1 and person = $2', of)
  await tx.query(
    `update installs i set person = $3 where person = $2
       and (holder = $1 or exists (select from workspaces w where w.workspace = $1 and w.holder = i.holder))`,
    [...of, NOBODY],
  )
  await tx.query('delete from shares where workspace = $1 and person = $2', of)
  await tx.query('update stops set by = $3 where workspace = $1 and by = $2', [...of, NOBODY])
  await tx.query('delete from feedback where workspace = $1 and person = $2', of)
  await tx.query(
    `update settings set changed_by = case when changed_by = $2 then $3 else changed_by end,
       settings = case when settings -> 'approvers' ? $2 then jsonb_set(settings, '{approvers}',
         (settings -> 'approvers') - $2 || jsonb_build_array($3::text)) else settings end
     where workspace = $1 and (changed_by = $2 or settings -> 'approvers' ? $2)`,
    [...of, NOBODY],
  )
  await tx.query('delete from preferences where workspace = $1 and person = $2', of)
  await tx.query('delete from connects where workspace = $1 and (person = $2 or asker = $2)', of)
  await tx.query(`delete from grants where workspace = $1 and (holder = $2 or $2 = any(given_by))`, of)
  await tx.query(`delete from budgets where workspace = $1 and scope = 'user' and holder = $2`, of)
  await tx.query(
    'update raises r set by = $3 from budgets b where b.id = r.budget and b.workspace = $1 and r.by = $2',
    [...of, NOBODY],
  )
  await tx.query('delete from members where workspace = $1 and person = $2', of)
  await tx.query('delete from people where workspace = $1 and id = $2', of)
  return accounts.rowCount ?? 0
}

/**
 * Deletes runs that ended, with all they hold, and what was heard and handled, where that is longer ago than so many
 * days; runs are kept where no number is given.
 */
export async function sweepOld(
  db: Db,
  workspace: string,
  days: { runs?: number | undefined; inbox: number },
): Promise<void> {
  await db.query(
    `with old as (
       delete from runs where workspace = $1 and not active and finished_at < now() - $2 * interval '1 day'
       returning id)
     delete from posts p using old o where p.owner = o.id::text`,
    [workspace, days.runs ?? null],
  )
  await db.query(
    `with old as (
       delete from inbox where workspace = $1 and handled_at < now() - $2 * interval '1 day' returning key)
     delete from posts p using old o where p.owner = o.key`,
    [workspace, days.inbox],
  )
}

/**
 * Rewrites the embedded database's files so that they hold no byte of what was deleted: tables, indexes, what the
 * planner knows of values, and the log of changes. On a server only the rows are given free; its log and its
 * backups are its operator's.
 */
export async function scrub({ pool, kind }: Pick<Store, 'pool' | 'kind'>): Promise<void> {
  if (kind === 'server') {
    await pool.query('vacuum (analyze)')
    return
  }
  // Samples of values; of a table that is empty now they would stay.
  await pool.query('delete from pg_catalog.pg_statistic')
  await pool.query('vacuum full')
  await pool.query('analyze')
  // A segment of the log that is used again would keep what it held until it is written over.
  await pool.query('set wal_recycle = off')
  await pool.query('select pg_switch_wal()')
  await pool.query('checkpoint')
  await pool.query('reset wal_recycle')
}

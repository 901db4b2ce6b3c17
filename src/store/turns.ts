/** What was said in channels that are sources, and which document each message is part of. */
import type { Turn } from '../core/overheard.ts'
import { millisOf, tsOf } from '../core/overheard.ts'
import { asJson } from './json.ts'
import type { Db, Tx } from './transaction.ts'

export type ChannelPlace = { workspace: string; channel: string }

/** Messages without replies that follow each other within this time are one document, in ms … */
const GAP_MS = 15 * 60_000
/** … of at most so many messages. */
const LONGEST_TALK = 40
/** Sorts after every `edited`: what was deleted never comes back. */
const DELETED = '~'

/** The path of a document within its source. */
const threadPath = (channel: string, ts: string) => `${channel}/thread/${ts}`
const talkPath = (channel: string, ts: string) => `${channel}/talk/${ts}`

/** The clock that rows are stamped by. */
export async function storeTime(db: Db): Promise<Date> {
  const { rows } = await db.query<{ now: Date }>('select clock_timestamp() as now')
  const [row] = rows
  if (!row) throw new Error('the clock gave no row')
  return row.now
}

/** Writers of one channel take turns, so that what belongs together finds itself. */
export async function lockChannel(tx: Tx, { workspace, channel }: ChannelPlace): Promise<void> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7))', [`turns:${workspace}:${channel}`])
}

/** As {@link lockChannel}, for every channel of a workspace that is a source, in one order for all who do this. */
export async function lockChannels(tx: Tx, workspace: string): Promise<void> {
  await tx.query(
    `select pg_advisory_xact_lock(hashtextextended('turns:' || workspace || ':' || channel, 7))
     from (select workspace, channel from followed where workspace = $1 order by channel offset 0) f`,
    [workspace],
  )
}

type Kept = { path: string | null; author: string; text: string; edited: string; gone: boolean }

/**
 * Keeps a message as it is now, unless a later version of it is kept, it is gone, or its author was forgotten since.
 * Call under `lockChannel`.
 *
 * @param threaded it is known to have replies, though none of them may be kept yet
 */
export async function keepTurn(tx: Tx, place: ChannelPlace, turn: Turn, threaded = false): Promise<void> {
  const before = await readKept(tx, place, turn.ts)
  const edited = turn.edited ?? ''
  if (before && (before.gone ? edited <= before.edited : edited < before.edited)) return
  const path = await pathOf(tx, place, turn, threaded, before?.path ?? undefined)
  const same = before && !before.gone && before.text === turn.text && before.author === turn.author
  if (same && before.edited === edited && before.path === path) return
  const { workspace, channel } = place
  await tx.query(
    `insert into turns (workspace, channel, ts, thread, author, app, text, edited, path)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9
     where not exists (select from forgotten where workspace = $1 and person = $5 and until >= $3)
     on conflict (workspace, channel, ts) do update set thread = excluded.thread, author = excluded.author,
       app = excluded.app, text = excluded.text, edited = excluded.edited, path = excluded.path,
       heard_at = now(), gone_at = null`,
    [
      workspace,
      channel,
      turn.ts,
      turn.thread ?? null,
      turn.author,
      turn.app,
      turn.text,
      edited,
      path ?? null,
    ],
  )
  await askRewrites(tx, place, [path, before?.path ?? undefined])
}

/**
 * Forgets a message's words, and remembers for a while that it is gone. Call under `lockChannel`.
 *
 * @param edited the edit by which it became something to leave out; a message deleted for good has none
 */
export async function dropTurn(tx: Tx, place: ChannelPlace, ts: string, edited?: string): Promise<void> {
  const before = await readKept(tx, place, ts)
  if (before && edited !== undefined && edited < before.edited) return
  await tx.query(
    `insert into turns (workspace, channel, ts, author, app, text, edited, gone_at)
     values ($1, $2, $3, '', false, '', $4, now())
     on conflict (workspace, channel, ts) do update set thread = null, author = '', app = false, text = '',
       edited = greatest(turns.edited, excluded.edited), path = null, gone_at = now()`,
    [place.workspace, place.channel, ts, edited ?? DELETED],
  )
  await askRewrites(tx, place, [before?.path ?? undefined])
}

/**
 * Drops what is kept and was not seen where it should stand: first messages between two time stamps (both exclusive), or
 * the replies of a thread. What was heard since `before` is spared: it may be newer than what was seen.
 */
export async function dropUnseen(
  tx: Tx,
  place: ChannelPlace,
  where: { after: string; until: string | undefined } | { thread: string },
  seen: readonly string[],
  before: Date,
): Promise<void> {
  const inThread = 'thread' in where
  const { rows } = await tx.query<{ ts: string }>(
    `select ts from turns where workspace = $1 and channel = $2 and gone_at is null and heard_at < $3
       and not ts = any($4) and ${inThread ? '(thread = $5 or ts = $5)' : 'thread is null and ts > $5 and ($6::text is null or ts < $6)'}`,
    [
      place.workspace,
      place.channel,
      before,
      [...seen],
      ...(inThread ? [where.thread] : [where.after, where.until ?? null]),
    ],
  )
  for (const { ts } of rows) await dropTurn(tx, place, ts)
}

async function readKept(tx: Tx, place: ChannelPlace, ts: string): Promise<Kept | undefined> {
  const { rows } = await tx.query<Kept>(
    `select path, author, text, edited, gone_at is not null as gone from turns
     where workspace = $1 and channel = $2 and ts = $3`,
    [place.workspace, place.channel, ts],
  )
  return rows[0]
}

/** The document a message is part of. A first message is a thread's as soon as anybody replied. */
async function pathOf(
  tx: Tx,
  place: ChannelPlace,
  turn: Turn,
  threaded: boolean,
  before: string | undefined,
): Promise<string | undefined> {
  const { workspace, channel } = place
  if (turn.thread) {
    const path = threadPath(channel, turn.thread)
    await moveTurn(tx, place, turn.thread, path)
    return path
  }
  const own = threadPath(channel, turn.ts)
  if (threaded || before === own) return own
  const replied = await tx.query(
    `select 1 from turns where workspace = $1 and channel = $2 and thread = $3 and gone_at is null limit 1`,
    [workspace, channel, turn.ts],
  )
  if (replied.rows.length > 0) return own
  if (turn.app) return undefined
  return before ?? (await joinTalk(tx, place, turn.ts))
}

/** The first message of a thread leaves the talk it stood in. */
async function moveTurn(tx: Tx, place: ChannelPlace, ts: string, path: string): Promise<void> {
  const { rows } = await tx.query<{ path: string | null }>(
    `select path from turns where workspace = $1 and channel = $2 and ts = $3 and gone_at is null
       and path is distinct from $4`,
    [place.workspace, place.channel, ts, path],
  )
  const [root] = rows
  if (!root) return
  await tx.query(`update turns set path = $4 where workspace = $1 and channel = $2 and ts = $3`, [
    place.workspace,
    place.channel,
    ts,
    path,
  ])
  await askRewrites(tx, place, [root.path ?? undefined])
}

/** The talk a message belongs to: that of whoever spoke shortly before or after, else one of its own. */
async function joinTalk(tx: Tx, place: ChannelPlace, ts: string): Promise<string> {
  const { workspace, channel } = place
  const at = millisOf(ts)
  const { rows } = await tx.query<{ path: string }>(
    `with near as (
       (select path, ts from turns where workspace = $1 and channel = $2 and ts < $3 and ts > $4
          and path like $2 || '/talk/%' order by ts desc limit 1)
       union all
       (select path, ts from turns where workspace = $1 and channel = $2 and ts > $3 and ts < $5
          and path like $2 || '/talk/%' order by ts limit 1))
     select path from near n
     where (select count(*) from turns t where t.workspace = $1 and t.path = n.path) < $6
     order by ts limit 1`,
    [workspace, channel, ts, tsOf(at - GAP_MS), tsOf(at + GAP_MS), LONGEST_TALK],
  )
  return rows[0]?.path ?? talkPath(channel, ts)
}

async function askRewrites(tx: Tx, place: ChannelPlace, paths: (string | undefined)[]): Promise<void> {
  const asked = [...new Set(paths.filter((path) => path !== undefined))]
  if (asked.length === 0) return
  await tx.query(
    `insert into rewrites (workspace, channel, path) select $1, $2, unnest($3::text[])
     on conflict (workspace, path) do update set version = rewrites.version + 1, asked_at = now()`,
    [place.workspace, place.channel, asked.sort()],
  )
}

/** A document to be made anew; `source` and `name` are its channel's. */
export type Rewrite = ChannelPlace & { path: string; version: string; source: string; name: string }

/** Takes on documents that wait to be made anew, the first asked for first; nobody else takes them for `ms`. */
export async function claimRewrites(
  db: Db,
  workspace: string,
  limit: number,
  ms: number,
): Promise<Rewrite[]> {
  const { rows } = await db.query<Rewrite>(
    `update rewrites r set busy_until = now() + $3 * interval '1 ms'
     from (select w.workspace, w.path, f.source, f.name
           from rewrites w join followed f using (workspace, channel)
           where w.workspace = $1 and w.busy_until <= now() and f.state <> 'left'
           order by w.asked_at limit $2 for update of w skip locked) next
     where r.workspace = next.workspace and r.path = next.path
     returning r.workspace, r.channel, r.path, r.version, next.source, next.name`,
    [workspace, limit, ms],
  )
  return rows
}

/** The document was made; where it was asked for again meanwhile, it is to be made once more. */
export async function endRewrite(db: Db, { workspace, path, version }: Rewrite): Promise<void> {
  await db.query(
    `with ended as (delete from rewrites where workspace = $1 and path = $2 and version = $3 returning 1)
     update rewrites set busy_until = now()
     where workspace = $1 and path = $2 and version <> $3 and not exists (select from ended)`,
    [workspace, path, version],
  )
}

/** What documents are made of, each one's messages in their order. */
export async function readTurns(
  db: Db,
  workspace: string,
  paths: readonly string[],
): Promise<Map<string, Turn[]>> {
  const { rows } = await db.query<{
    path: string
    ts: string
    thread: string | null
    author: string
    app: boolean
    text: string
  }>(
    `select path, ts, thread, author, app, text from turns
     where workspace = $1 and path = any($2) and gone_at is null order by path, ts`,
    [workspace, [...paths]],
  )
  const turns = rows.map(({ thread, ...turn }) => ({ ...turn, ...(thread === null ? {} : { thread }) }))
  return Map.groupBy(turns, (turn) => turn.path)
}

/** Notes how history counts a thread's replies; where it counts others than before, the thread is to be read. */
export async function noteThreads(
  tx: Tx,
  place: ChannelPlace,
  threads: readonly { ts: string; count: number; latest: string; again: boolean }[],
): Promise<void> {
  if (threads.length === 0) return
  await tx.query(
    `insert into threads (workspace, channel, thread, replies, latest, due_at)
     select $1, $2, t.ts, t.count, t.latest, now()
     from jsonb_to_recordset($3) as t (ts text, count int, latest text, again boolean)
     on conflict (workspace, channel, thread) do update set replies = excluded.replies, latest = excluded.latest,
       due_at = case when threads.replies <> excluded.replies or threads.latest <> excluded.latest
         or exists (select from jsonb_to_recordset($3) as a (ts text, again boolean)
                    where a.ts = excluded.thread and a.again)
       then now() else threads.due_at end`,
    [place.workspace, place.channel, asJson(threads)],
  )
}

/** Has a thread read whose beginning we have not heard. */
export async function noteUnknownThread(tx: Tx, place: ChannelPlace, thread: string): Promise<void> {
  await tx.query(
    `insert into threads (workspace, channel, thread, replies, latest, due_at)
     select $1, $2, $3, 0, '', now()
     where not exists (select from turns where workspace = $1 and channel = $2 and ts = $3)
     on conflict do nothing`,
    [place.workspace, place.channel, thread],
  )
}

/** A thread to be read. `due` tells whether it was asked for again meanwhile. */
export type DueThread = ChannelPlace & { thread: string; due: string }

/** Takes on the newest thread that is to be read, of channels that know of it; nobody else takes it for `ms`. */
export async function claimThread(db: Db, workspace: string, ms: number): Promise<DueThread | undefined> {
  const { rows } = await db.query<DueThread>(
    `update threads t set due_at = now() + $2 * interval '1 ms'
     from (select d.workspace, d.channel, d.thread from threads d join followed f using (workspace, channel)
           where d.workspace = $1 and d.due_at <= now() and f.state <> 'left' and f.announced_at is not null
           order by d.thread desc limit 1 for update of d skip locked) next
     where t.workspace = next.workspace and t.channel = next.channel and t.thread = next.thread
     returning t.workspace, t.channel, t.thread, t.due_at::text as due`,
    [workspace, ms],
  )
  return rows[0]
}

/** Keeps a thread that was taken on, and gives it back as it is then; as it was where it was asked for again. */
export async function holdThread(db: Db, thread: DueThread, ms: number): Promise<DueThread> {
  const { rows } = await db.query<{ due: string }>(
    `update threads set due_at = now() + $5 * interval '1 ms' where workspace = $1 and channel = $2 and thread = $3
       and due_at = $4::timestamptz returning due_at::text as due`,
    [thread.workspace, thread.channel, thread.thread, thread.due, ms],
  )
  return { ...thread, due: rows[0]?.due ?? thread.due }
}

/** The thread was read, unless somebody asked for it again meanwhile. */
export async function endThread(tx: Tx, { workspace, channel, thread, due }: DueThread): Promise<void> {
  await tx.query(
    `update threads set due_at = null where workspace = $1 and channel = $2 and thread = $3
       and due_at = $4::timestamptz`,
    [workspace, channel, thread, due],
  )
}

/**
 * Forgets every message of a person; the documents they stood in are made anew. Answers how many messages there were.
 */
export async function forgetTurnsOf(tx: Tx, workspace: string, author: string): Promise<number> {
  const { rows } = await tx.query<{ path: string | null; channel: string }>(
    'delete from turns where workspace = $1 and author = $2 returning path, channel',
    [workspace, author],
  )
  for (const [channel, gone] of Map.groupBy(rows, (row) => row.channel))
    await askRewrites(
      tx,
      { workspace, channel },
      gone.map((row) => row.path ?? undefined),
    )
  return rows.length
}

/**
 * Forgets documents whose last word is older than `floor` in a channel, threads in which nothing was said since, and
 * what has been gone for a day; answers how many messages those were.
 */
export async function pruneTurns(tx: Tx, place: ChannelPlace, floor: string): Promise<number> {
  const { rows } = await tx.query<{ path: string }>(
    `delete from turns t using (select path from turns where workspace = $1 and channel = $2 and path is not null
         group by path having max(ts) < $3) old
     where t.workspace = $1 and t.channel = $2 and t.path = old.path returning t.path`,
    [place.workspace, place.channel, floor],
  )
  await askRewrites(
    tx,
    place,
    rows.map((row) => row.path),
  )
  await tx.query(
    `delete from turns where workspace = $1 and channel = $2
       and (gone_at < now() - interval '1 day' or (path is null and gone_at is null and ts < $3))`,
    [place.workspace, place.channel, floor],
  )
  await tx.query(
    `delete from threads where workspace = $1 and channel = $2 and greatest(thread, latest collate "C") < $3
       and due_at is null`,
    [place.workspace, place.channel, floor],
  )
  return rows.length
}

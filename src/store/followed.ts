/** Channels that are sources, and how far what was said in them is read. */
import type { Db, Tx } from './transaction.ts'
import type { ChannelPlace } from './turns.ts'

export type Followed = ChannelPlace & {
  id: string
  source: string
  name: string
  private: boolean
  state: 'followed' | 'archived' | 'left'
  announced: boolean
  problem: string | null
}

const COLUMNS = `workspace, channel, id, source, name, private, state, announced_at is not null as announced, problem`

export async function listFollowed(
  db: Db,
  workspace: string,
  state?: Followed['state'],
): Promise<Followed[]> {
  const { rows } = await db.query<Followed>(
    `select ${COLUMNS} from followed where workspace = $1 and ($2::text is null or state = $2) order by channel`,
    [workspace, state ?? null],
  )
  return rows
}

/** Whether what is said in a channel is to be kept, for this source where one is named. */
export async function isFollowed(
  db: Db,
  { workspace, channel, source }: ChannelPlace & { source?: string },
): Promise<boolean> {
  const { rows } = await db.query(
    `select 1 from followed where workspace = $1 and channel = $2 and state <> 'left'
       and source = coalesce($3, source)`,
    [workspace, channel, source ?? null],
  )
  return rows.length > 0
}

export type Following = ChannelPlace & {
  source: string
  name: string
  private: boolean
  archived: boolean
  /** How far back it is read, as a message's ts. */
  floor: string
}

/**
 * Begins to follow a channel, or goes on with what is known of it now. Where its source is another, its documents go
 * there; where its name or source is, they are made anew. One that is being forgotten is left alone: it is begun anew
 * when that has ended.
 */
export async function followChannel(tx: Tx, channel: Following): Promise<'new' | 'known'> {
  const { workspace, channel: id, source, name, floor } = channel
  const state = channel.archived ? 'archived' : 'followed'
  const before = await tx.query<Pick<Followed, 'source' | 'name' | 'state'>>(
    'select source, name, state from followed where workspace = $1 and channel = $2 for update',
    [workspace, id],
  )
  const [known] = before.rows
  if (known?.state === 'left') return 'known'
  if (known) {
    await tx.query(
      `update followed set source = $3, name = $4, private = $5, state = $6
       where workspace = $1 and channel = $2`,
      [workspace, id, source, name, channel.private, state],
    )
    if (known.source !== source) await moveConversations(tx, channel)
    if (known.source !== source || known.name !== name)
      await tx.query(
        `insert into rewrites (workspace, channel, path)
         select distinct workspace, channel, path from turns
         where workspace = $1 and channel = $2 and path is not null
         on conflict (workspace, path) do update set version = rewrites.version + 1, asked_at = now()`,
        [workspace, id],
      )
    return 'known'
  }
  const { rowCount } = await tx.query(
    `insert into followed (workspace, channel, source, name, private, state) values ($1, $2, $3, $4, $5, $6)
     on conflict do nothing`,
    [workspace, id, source, name, channel.private, state],
  )
  await tx.query('insert into walks (workspace, channel, floor) values ($1, $2, $3) on conflict do nothing', [
    workspace,
    id,
    floor,
  ])
  return rowCount === 1 ? 'new' : 'known'
}

/** Gives what was made of a channel to the source it is of now. */
async function moveConversations(
  tx: Tx,
  { workspace, channel, source }: Pick<Following, 'workspace' | 'channel' | 'source'>,
): Promise<void> {
  await tx.query(
    `update documents d set source = $3, updated_at = now() where workspace = $1 and ${saidIn('$2')} and source <> $3
       and not exists (select from documents o where o.workspace = $1 and o.source = $3 and o.path = d.path)`,
    [workspace, channel, source],
  )
  await tx.query(`delete from documents where workspace = $1 and ${saidIn('$2')} and source <> $3`, [
    workspace,
    channel,
    source,
  ])
}

/** SQL: whether a document is of what was said in a channel. Its source may have been another when it was made. */
const saidIn = (channel: string) =>
  `(path like ${channel} || '/thread/%' or path like ${channel} || '/talk/%')`

/** Forgets what was made of conversations, whichever source it was kept for. */
export async function forgetConversations(db: Db, workspace: string, paths: string[]): Promise<number> {
  const { rowCount } = await db.query('delete from documents where workspace = $1 and path = any($2)', [
    workspace,
    paths,
  ])
  return rowCount ?? 0
}

/** We may not read the channel any more: what was read of it is to be forgotten. */
export async function leaveChannel(db: Db, { workspace, channel }: ChannelPlace): Promise<void> {
  await db.query(`update followed set state = 'left' where workspace = $1 and channel = $2`, [
    workspace,
    channel,
  ])
}

/** Forgets some documents of a channel that was left, then the rest of it; false while there is more. */
export async function forgetSome(
  db: Db,
  { workspace, channel }: ChannelPlace,
  limit: number,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `delete from documents where id in (select id from documents where workspace = $1 and ${saidIn('$2')} limit $3)`,
    [workspace, channel, limit],
  )
  if ((rowCount ?? 0) > 0) return false
  await db.query('delete from rewrites where workspace = $1 and channel = $2', [workspace, channel])
  await db.query(`delete from followed where workspace = $1 and channel = $2 and state = 'left'`, [
    workspace,
    channel,
  ])
  return true
}

/** A stretch of a channel's history, from `at` (null: now) back to `floor`. */
export type Walk = { floor: string; at: string | null }

/**
 * Takes on a channel of which history is to be read, newest first; nobody else takes it for `ms`. One that has not been
 * told that it is read comes without a walk.
 */
export async function claimChannel(
  db: Db,
  workspace: string,
  ms: number,
): Promise<(Followed & { walk?: Walk }) | undefined> {
  const { rows } = await db.query<Followed & { floor: string | null; at: string | null }>(
    `with next as (
       select f.workspace, f.channel from followed f
       where f.workspace = $1 and f.state <> 'left' and f.busy_until <= now()
         and (f.announced_at is null or exists (select from walks w
           where w.workspace = f.workspace and w.channel = f.channel))
       order by f.busy_until limit 1 for update skip locked)
     update followed f set busy_until = now() + $2 * interval '1 ms' from next
     where f.workspace = next.workspace and f.channel = next.channel
     returning ${COLUMNS.replace(/\b(workspace|channel)\b/g, 'f.$1')},
       (select max(floor) from walks w where w.workspace = f.workspace and w.channel = f.channel) as floor,
       (select at from walks w where w.workspace = f.workspace and w.channel = f.channel
        order by floor desc limit 1) as at`,
    [workspace, ms],
  )
  const [row] = rows
  if (!row) return undefined
  const { floor, at, ...followed } = row
  return { ...followed, ...(followed.announced && floor !== null ? { walk: { floor, at } } : {}) }
}

/** Keeps a channel that was taken on. */
export async function holdChannel(db: Db, { workspace, channel }: ChannelPlace, ms: number): Promise<void> {
  await db.query(
    `update followed set busy_until = now() + $3 * interval '1 ms' where workspace = $1 and channel = $2`,
    [workspace, channel, ms],
  )
}

/** Lets go of a channel, at once or not before `ms` have passed; `problem` says why it could not be read. */
export async function releaseChannel(
  db: Db,
  { workspace, channel }: ChannelPlace,
  { ms = 0, problem = null }: { ms?: number; problem?: string | null } = {},
): Promise<void> {
  await db.query(
    `update followed set busy_until = now() + $3 * interval '1 ms', problem = $4
     where workspace = $1 and channel = $2`,
    [workspace, channel, ms, problem],
  )
}

export async function noteAnnounced(db: Db, { workspace, channel }: ChannelPlace): Promise<void> {
  await db.query(
    'update followed set announced_at = now() where workspace = $1 and channel = $2 and announced_at is null',
    [workspace, channel],
  )
}

/** A walk has come as far as `at`; undefined: to its end. */
export async function moveWalk(
  tx: Tx,
  { workspace, channel }: ChannelPlace,
  floor: string,
  at: string | undefined,
): Promise<void> {
  if (at !== undefined) {
    await tx.query('update walks set at = $4 where workspace = $1 and channel = $2 and floor = $3', [
      workspace,
      channel,
      floor,
      at,
    ])
    return
  }
  await tx.query('delete from walks where workspace = $1 and channel = $2 and floor = $3', [
    workspace,
    channel,
    floor,
  ])
  await tx.query(
    `update followed set walked_at = now() where workspace = $1 and channel = $2
       and not exists (select from walks where workspace = $1 and channel = $2)`,
    [workspace, channel],
  )
}

/**
 * Somebody listens. Where nobody had for `gapMs`, or a channel was not read from end to end for `againMs`, what was said
 * is to be read again, down to where another walk is or else to `floor`. Answers for how many channels.
 */
export async function noteListening(
  tx: Tx,
  workspace: string,
  { gapMs, againMs, floor }: { gapMs: number; againMs: number; floor: (source: string) => string },
): Promise<number> {
  const { rows } = await tx.query<{ channel: string; source: string; below: string | null; fresh: boolean }>(
    `select f.channel, f.source,
       (select at from walks w where w.workspace = f.workspace and w.channel = f.channel
        order by floor desc limit 1) as below,
       exists (select from walks w where w.workspace = f.workspace and w.channel = f.channel and w.at is null) as fresh
     from followed f where f.workspace = $1 and f.state <> 'left'
       and (f.listened_at < now() - $2 * interval '1 ms'
         or f.walked_at < now() - $3 * interval '1 ms' and not exists
           (select from walks w where w.workspace = f.workspace and w.channel = f.channel))
     for update of f`,
    [workspace, gapMs, againMs],
  )
  for (const { channel, source, below, fresh } of rows) {
    if (fresh) continue
    await tx.query(
      'insert into walks (workspace, channel, floor) values ($1, $2, $3) on conflict do nothing',
      [workspace, channel, below ?? floor(source)],
    )
  }
  await tx.query('update followed set listened_at = now() where workspace = $1', [workspace])
  return rows.length
}

/** Keeps how fresh each source is, where it is shown beside those that are read: while history is read, not yet. */
export async function noteFreshness(db: Db, workspace: string): Promise<void> {
  await db.query(
    `insert into sources as s (workspace, name, tried_at, read_at, error)
     select f.workspace, f.source, now(),
       case when count(w.floor) = 0 and bool_and(f.announced_at is not null) then min(f.listened_at) end,
       string_agg(distinct '#' || f.name || ': ' || f.problem, ' ')
     from followed f left join walks w using (workspace, channel)
     where f.workspace = $1 and f.state <> 'left' group by f.workspace, f.source
     on conflict (workspace, name) do update
       set tried_at = excluded.tried_at, read_at = coalesce(excluded.read_at, s.read_at), error = excluded.error`,
    [workspace],
  )
}

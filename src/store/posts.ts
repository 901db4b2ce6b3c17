/** What was said in Slack: an intent before each post, its ts after, so that a restart repeats nothing. */
import type { Db } from './transaction.ts'

/** `posting`: somebody began and has not come back. */
export type Post = { state: 'mine' } | { state: 'posted'; ts: string } | { state: 'posting' }

/** Announces a post. `mine`: the caller posts it now. `owner` is a run or an inbox key, `part` names the message. */
export async function beginPost(db: Db, owner: string, part: string, channel: string): Promise<Post> {
  // The select sees the table as it was before the insert: a row that is found is somebody else's.
  const begun = await db.query(
    `with begun as (
       insert into posts (owner, part, channel) values ($1, $2, $3)
       on conflict (owner, part) do nothing returning true as mine
     )
     select begun.mine, p.ts
     from (select 1) one left join begun on true left join posts p on p.owner = $1 and p.part = $2`,
    [owner, part, channel],
  )
  const row = begun.rows[0]
  if (row?.mine) return { state: 'mine' }
  if (row?.ts) return { state: 'posted', ts: row.ts }
  return { state: 'posting' }
}

/** Takes over a post whose author did not come back, or renews one's own; false where somebody else was quicker. */
export async function adoptPost(db: Db, owner: string, part: string, olderThanMs: number): Promise<boolean> {
  const taken = await db.query(
    `update posts set begun_at = now() where owner = $1 and part = $2 and ts is null
       and begun_at < now() - $3 * interval '1 millisecond'`,
    [owner, part, olderThanMs],
  )
  return taken.rowCount === 1
}

export async function endPost(db: Db, owner: string, part: string, ts: string): Promise<void> {
  await db.query('update posts set ts = $3 where owner = $1 and part = $2', [owner, part, ts])
}

/** Takes the announcement back after a post that surely failed. */
export async function dropPost(db: Db, owner: string, part: string): Promise<void> {
  await db.query('delete from posts where owner = $1 and part = $2 and ts is null', [owner, part])
}

/** A post that was announced; without `ts` where nobody recorded whether it was made. Undefined: never announced. */
export async function findPost(
  db: Db,
  owner: string,
  part: string,
): Promise<{ ts: string | undefined } | undefined> {
  const found = await db.query('select ts from posts where owner = $1 and part = $2', [owner, part])
  const row = found.rows[0]
  return row && { ts: row.ts ?? undefined }
}

/** Notes where something stands now that was announced, or was never announced. */
export async function setPost(
  db: Db,
  post: { owner: string; part: string; channel: string; ts: string },
): Promise<void> {
  await db.query(
    `insert into posts (owner, part, channel, ts) values ($1, $2, $3, $4)
     on conflict (owner, part) do update set ts = excluded.ts`,
    [post.owner, post.part, post.channel, post.ts],
  )
}

/** Forgets a post that was taken away. */
export async function forgetPost(db: Db, owner: string, ts: string): Promise<void> {
  await db.query('delete from posts where owner = $1 and ts = $2', [owner, ts])
}

/** Everything an owner announced, in the order it was: by its part, with the moment it was begun. */
export async function readParts(
  db: Db,
  owner: string,
): Promise<{ part: string; ts: string | undefined; begunAt: Date }[]> {
  const found = await db.query(
    'select part, ts, begun_at from posts where owner = $1 order by begun_at, part',
    [owner],
  )
  return found.rows.map((row) => ({ part: row.part, ts: row.ts ?? undefined, begunAt: row.begun_at }))
}

/** Where everything of an owner was said. */
export async function readPosts(db: Db, owner: string): Promise<{ channel: string; ts: string }[]> {
  const found = await db.query('select channel, ts from posts where owner = $1 and ts is not null', [owner])
  return found.rows.map(({ channel, ts }) => ({ channel, ts }))
}

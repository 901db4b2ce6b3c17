/** Whether somebody listens to a workspace, and what was said while nobody did. */
import type { Db } from './transaction.ts'

/** Somebody listens now. Where nobody did for `gapMs`, what was said since is to be read. */
export async function noteHearing(db: Db, workspace: string, gapMs: number): Promise<void> {
  await db.query(
    `insert into presence as p (workspace) values ($1)
     on conflict (workspace) do update set heard_at = now(), missed_from =
       case when p.heard_at < now() - $2 * interval '1 ms' then least(p.missed_from, p.heard_at) else p.missed_from end`,
    [workspace, gapMs],
  )
}

/** Takes the reading of what was missed for `holdMs`; undefined where nothing was, or somebody else is reading it. */
export async function claimMissed(db: Db, workspace: string, holdMs: number): Promise<Date | undefined> {
  const claimed = await db.query<{ missed_from: Date }>(
    `update presence set reading_until = now() + $2 * interval '1 ms'
     where workspace = $1 and missed_from is not null and reading_until <= now() returning missed_from`,
    [workspace, holdMs],
  )
  return claimed.rows[0]?.missed_from
}

/** Still reading it. */
export async function holdMissed(db: Db, workspace: string, holdMs: number): Promise<void> {
  await db.query(`update presence set reading_until = now() + $2 * interval '1 ms' where workspace = $1`, [
    workspace,
    holdMs,
  ])
}

/** All that was missed from then on was read, but for what another gap has added. */
export async function endMissed(db: Db, workspace: string, from: Date): Promise<void> {
  await db.query(
    `update presence set missed_from = null, reading_until = now()
     where workspace = $1 and missed_from = $2`,
    [workspace, from],
  )
}

/** Threads of runs that are at work or wait, wherever they began: somebody may have answered there. */
export async function readActiveThreads(
  db: Db,
  workspace: string,
): Promise<{ channel: string; thread: string }[]> {
  const found = await db.query<{ channel: string; thread: string }>(
    'select channel, thread from runs where workspace = $1 and active order by created_at limit 200',
    [workspace],
  )
  return found.rows
}

/** What was heard from Slack, kept from before it is acknowledged until it is handled. */
import { Heard, type HeardOf, inboxKey, Made } from '../core/heard.ts'
import { asJson } from './json.ts'
import type { Db } from './transaction.ts'

/** Writes what was heard. `known` where a delivery of the same thing is already there. */
export async function writeInbox(db: Db, heard: Heard): Promise<'stored' | 'known'> {
  const written = await db.query(
    'insert into inbox (key, workspace, heard) values ($1, $2, $3) on conflict (key) do nothing',
    [inboxKey(heard), heard.workspace, asJson(heard)],
  )
  return written.rowCount === 1 ? 'stored' : 'known'
}

/**
 * Marks a row as handled by the caller's transaction, which must do the handling; false where it is handled
 * or somebody else is at it.
 */
export async function claimInbox(tx: Db, key: string): Promise<boolean> {
  const claimed = await tx.query(
    `update inbox set handled_at = now() where key =
       (select key from inbox where key = $1 and handled_at is null for update skip locked)`,
    [key],
  )
  return claimed.rowCount === 1
}

/** What a row holds, handled or not. */
export async function readInbox(
  db: Db,
  key: string,
): Promise<{ heard: Heard; handled: boolean } | undefined> {
  const found = await db.query('select heard, handled_at from inbox where key = $1', [key])
  const row = found.rows[0]
  return row && { heard: Heard.parse(row.heard), handled: row.handled_at !== null }
}

/** Keeps what a prompt made beside what was heard, and gives what is kept: of several, the first. */
export async function keepMade(db: Db, key: string, made: Made): Promise<Made> {
  const kept = await db.query(
    `update inbox set heard = case when heard ? 'made' then heard else jsonb_set(heard, '{made}', $2::jsonb) end
     where key = $1 returning heard -> 'made' as made`,
    [key, asJson(made)],
  )
  return Made.parse(kept.rows[0]?.made)
}

export async function markHandled(tx: Db, key: string): Promise<void> {
  await tx.query('update inbox set handled_at = now() where key = $1', [key])
}

/** Puts a row off after a failure, longer each time, and says how often that has happened. */
export async function putOff(db: Db, key: string): Promise<number> {
  const done = await db.query(
    `update inbox set attempts = attempts + 1, due_at = now() + least(60, power(2, attempts)) * interval '1 second'
     where key = $1 returning attempts`,
    [key],
  )
  return done.rows[0]?.attempts ?? 0
}

/** Messages of a person in a channel that are stored and not handled yet. */
export async function readUnheard(
  db: Db,
  of: { workspace: string; channel: string; user: string },
): Promise<HeardOf<'message'>[]> {
  const found = await db.query(
    `select heard from inbox where workspace = $1 and handled_at is null
       and heard @> jsonb_build_object('kind', 'message', 'channel', $2::text, 'user', $3::text)`,
    [of.workspace, of.channel, of.user],
  )
  return found.rows.flatMap(({ heard }) => {
    const message = Heard.parse(heard)
    return message.kind === 'message' ? [message] : []
  })
}

/** Keys of rows that wait to be handled: their process died, or handling failed. */
export async function readWaiting(db: Db, workspace: string, limit: number): Promise<string[]> {
  const found = await db.query(
    `select key from inbox
     where workspace = $1 and handled_at is null and due_at < now() - interval '2 seconds' order by due_at limit $2`,
    [workspace, limit],
  )
  return found.rows.map((row) => row.key)
}

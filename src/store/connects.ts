/** Ways through a browser: one-time links, and what waits for an authorization server's answer. */
import { createHash } from 'node:crypto'
import type { Place } from './credentials.ts'
import type { Db } from './transaction.ts'

/** A link that was shown to one person. `asker` is that person; `person` is empty where it connects the workspace. */
export type Ticket = Place & { asker: string }

/** Only hashes are kept: what stands in the database opens nothing. */
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

export async function createTicket(db: Db, ticket: string, of: Ticket, ms: number): Promise<void> {
  await db.query(
    `insert into connects (ticket, workspace, server, person, asker, resource, expires_at)
     values ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 millisecond')`,
    [hashOf(ticket), of.workspace, of.server, of.person, of.asker, of.resource, ms],
  )
}

type Row = Ticket & {
  spent: boolean
  expired: boolean
  sealed: string | null
  finished: boolean
  browser: string | null
}

const COLUMNS = `workspace, server, person, asker, resource, state is not null as spent,
  expires_at < now() as expired, sealed, finished_at is not null as finished, browser`

export async function readTicket(db: Db, ticket: string): Promise<Row | undefined> {
  const found = await db.query<Row>(`select ${COLUMNS} from connects where ticket = $1`, [hashOf(ticket)])
  return found.rows[0]
}

/** Uses a link up; false where somebody was quicker. The answer is waited for `ms` from now. */
export async function takeTicket(
  db: Db,
  ticket: string,
  use: { state: string; browser: string; sealed: string },
  ms: number,
): Promise<boolean> {
  const taken = await db.query(
    `update connects set state = $2, browser = $3, sealed = $4, expires_at = now() + $5 * interval '1 millisecond'
     where ticket = $1 and state is null and expires_at > now()`,
    [hashOf(ticket), hashOf(use.state), hashOf(use.browser), use.sealed, ms],
  )
  return taken.rowCount === 1
}

/** What waits for the answer with this state. `mine`: the browser is the one that began. */
export async function readPending(
  db: Db,
  state: string,
  browser: string,
): Promise<(Row & { mine: boolean }) | undefined> {
  const found = await db.query<Row>(`select ${COLUMNS} from connects where state = $1`, [hashOf(state)])
  const row = found.rows[0]
  return row && { ...row, mine: row.browser === hashOf(browser) }
}

/** Takes the answer; false where it was taken before. The verifier is forgotten. */
export async function finishPending(db: Db, state: string): Promise<boolean> {
  const taken = await db.query(
    `update connects set finished_at = now(), sealed = null
     where state = $1 and finished_at is null and expires_at > now()`,
    [hashOf(state)],
  )
  return taken.rowCount === 1
}

/** Forgets links whose time was over an hour ago; until then they can say that it is. */
export async function pruneConnects(db: Db): Promise<void> {
  await db.query(`delete from connects where expires_at < now() - interval '1 hour'`)
}

/** What we are called at an authorization server, sealed; undefined where we are not registered for this address. */
export async function readRegistration(
  db: Db,
  at: { workspace: string; server: string; resource: string; redirect: string },
): Promise<string | undefined> {
  const found = await db.query<{ sealed: string }>(
    `select sealed from registrations where workspace = $1 and server = $2 and resource = $3 and redirect = $4`,
    [at.workspace, at.server, at.resource, at.redirect],
  )
  return found.rows[0]?.sealed
}

export async function saveRegistration(
  db: Db,
  at: { workspace: string; server: string; resource: string; redirect: string },
  sealed: string,
): Promise<void> {
  await db.query(
    `insert into registrations (workspace, server, resource, redirect, sealed) values ($1, $2, $3, $4, $5)
     on conflict (workspace, server) do update set resource = $3, redirect = $4, sealed = $5`,
    [at.workspace, at.server, at.resource, at.redirect, sealed],
  )
}

/** Begins anew at the next Connect: the server does not know us any more. */
export async function dropRegistration(db: Db, workspace: string, server: string): Promise<void> {
  await db.query('delete from registrations where workspace = $1 and server = $2', [workspace, server])
}

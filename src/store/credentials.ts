/** Connected accounts: sealed, one row for each server and person, every change one compare-and-set. */
import type { Db } from './transaction.ts'

/** Whose account, and for what. `person` is empty for the one of the whole workspace; `resource` is the server's address. */
export type Place = { workspace: string; server: string; person: string; resource: string }

export type Credential = {
  /** New for every Connect: another id may be another account. */
  id: string
  version: number
  state: 'connected' | 'expired'
  sealed: string
}

const at = 'workspace = $1 and server = $2 and person = $3 and resource = $4'
const keyOf = (place: Place) => [place.workspace, place.server, place.person, place.resource]

/** The row a sealed text is bound to. */
export function aboutCredential(place: Place): string[] {
  return ['credential', ...keyOf(place)]
}

export async function readCredential(db: Db, place: Place): Promise<Credential | undefined> {
  const found = await db.query<Credential>(
    `select id, version, state, sealed from credentials where ${at}`,
    keyOf(place),
  )
  return found.rows[0]
}

/** A person has connected: what was there before is forgotten. */
export async function saveCredential(db: Db, place: Place, id: string, sealed: string): Promise<void> {
  await db.query(
    `insert into credentials (workspace, server, person, resource, id, sealed) values ($1, $2, $3, $4, $5, $6)
     on conflict (workspace, server, person) do update set resource = $4, id = $5, sealed = $6, version = 1,
       state = 'connected', renewing_until = null, connected_at = now()`,
    [...keyOf(place), id, sealed],
  )
}

/** The turn to renew this very version, for `ms`; false where another process has it or was quicker. */
export async function claimRenewal(db: Db, place: Place, of: Credential, ms: number): Promise<boolean> {
  const claimed = await db.query(
    `update credentials set renewing_until = now() + $7 * interval '1 millisecond'
     where ${at} and id = $5 and version = $6 and state = 'connected'
       and (renewing_until is null or renewing_until < now())`,
    [...keyOf(place), of.id, of.version, ms],
  )
  return claimed.rowCount === 1
}

/** Ends a turn without a result: somebody may try again. */
export async function releaseRenewal(db: Db, place: Place, of: Credential): Promise<void> {
  await db.query(`update credentials set renewing_until = null where ${at} and id = $5 and version = $6`, [
    ...keyOf(place),
    of.id,
    of.version,
  ])
}

/** The next version; false where this one was not the newest any more. */
export async function renewCredential(
  db: Db,
  place: Place,
  of: Credential,
  sealed: string,
): Promise<boolean> {
  const renewed = await db.query(
    `update credentials set sealed = $7, version = version + 1, renewing_until = null
     where ${at} and id = $5 and version = $6`,
    [...keyOf(place), of.id, of.version, sealed],
  )
  return renewed.rowCount === 1
}

/** The same under another key. */
export async function resealCredential(db: Db, place: Place, of: Credential, sealed: string): Promise<void> {
  await db.query(`update credentials set sealed = $7 where ${at} and id = $5 and version = $6`, [
    ...keyOf(place),
    of.id,
    of.version,
    sealed,
  ])
}

/** It is accepted no more, and the person must connect again. */
export async function expireCredential(db: Db, place: Place, of: Credential): Promise<void> {
  await db.query(
    `update credentials set state = 'expired', renewing_until = null where ${at} and id = $5 and version = $6`,
    [...keyOf(place), of.id, of.version],
  )
}

/** Forgets an account and answers what was forgotten, for revocation. */
export async function deleteCredential(db: Db, place: Place): Promise<Credential | undefined> {
  const gone = await db.query<Credential>(
    `delete from credentials where ${at} returning id, version, state, sealed`,
    keyOf(place),
  )
  return gone.rows[0]
}

/** Forgets every account of a workspace, links that wait for one, and what we are called at their servers. */
export async function forgetConnected(db: Db, workspace: string): Promise<void> {
  for (const table of ['credentials', 'connects', 'registrations'])
    await db.query(`delete from ${table} where workspace = $1`, [workspace])
}

/** Who is connected to a server, in one workspace or in any; accounts of whole workspaces first. */
export async function readConnected(
  db: Db,
  of: { server: string; resource: string; workspace: string | undefined },
): Promise<{ workspace: string; person: string }[]> {
  const found = await db.query<{ workspace: string; person: string }>(
    `select workspace, person from credentials
     where server = $1 and resource = $2 and state = 'connected' and ($3::text is null or workspace = $3)
     order by person, workspace limit 20`,
    [of.server, of.resource, of.workspace ?? null],
  )
  return found.rows
}

/** How many are connected to each server, in all workspaces. */
export async function countConnected(
  db: Db,
): Promise<{ server: string; workspaces: number; people: number; expired: number }[]> {
  const found = await db.query<{ server: string; workspaces: number; people: number; expired: number }>(
    `select server, count(*) filter (where person = '' and state = 'connected') as workspaces,
       count(*) filter (where person <> '' and state = 'connected') as people,
       count(*) filter (where state = 'expired') as expired
     from credentials group by server`,
  )
  return found.rows
}

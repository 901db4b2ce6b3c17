/** Who is who and who is in what, as Slack told: kept with when it was asked, and doubted when Slack says it changed. */
import type pg from 'pg'
import type { Kind } from '../core/audience.ts'
import { sure } from './audiences.ts'
import { type Db, inTransaction } from './transaction.ts'

/** Notes that a scope is being asked for, and gives the moment: what Slack then tells is as old as that. */
export async function beginReading(db: Db, workspace: string, scope: string): Promise<string> {
  const { rows } = await db.query<{ at: string }>(
    `insert into scopes (workspace, scope, asked_at) values ($1, $2, clock_timestamp())
     on conflict (workspace, scope) do update set asked_at = excluded.asked_at returning asked_at::text as at`,
    [workspace, scope],
  )
  return rows[0]?.at ?? 'now'
}

/** The database's clock. */
export async function momentOf(db: Db): Promise<string> {
  const { rows } = await db.query<{ at: string }>('select clock_timestamp()::text as at')
  return rows[0]?.at ?? 'now'
}

/** Keeps who is in a scope as Slack told at `at`; an answer older than what is kept is dropped. */
export async function putScope(
  pool: pg.Pool,
  workspace: string,
  scope: string,
  at: string,
  told: { open: boolean; members: readonly string[] },
): Promise<void> {
  const members = [...new Set(told.members)]
  await inTransaction(pool, async (tx) => {
    const taken = await tx.query(
      `update scopes set open = $3, size = $4, known_at = $5 where workspace = $1 and scope = $2
         and coalesce(known_at, '-infinity') < $5::timestamptz`,
      [workspace, scope, told.open, members.length, at],
    )
    if (taken.rowCount !== 1) return
    await tx.query(
      'delete from members where workspace = $1 and scope = $2 and not person = any($3::text[])',
      [workspace, scope, members],
    )
    await tx.query(
      'insert into members (workspace, scope, person) select $1, $2, unnest($3::text[]) on conflict do nothing',
      [workspace, scope, members],
    )
  })
}

/** Slack said that who is in a scope changed: what is kept proves nothing until it is asked for again. */
export async function doubtScope(db: Db, workspace: string, scope: string): Promise<void> {
  await db.query('update scopes set doubted_at = clock_timestamp() where workspace = $1 and scope = $2', [
    workspace,
    scope,
  ])
}

/** Slack told that somebody is new or changed; doubted only where that counts. */
export async function doubtPerson(db: Db, workspace: string, id: string, kind: Kind): Promise<void> {
  await db.query(
    `insert into people as p (workspace, id, kind, doubted_at) values ($1, $2, $3, clock_timestamp())
     on conflict (workspace, id) do update set doubted_at = excluded.doubted_at where p.kind <> excluded.kind`,
    [workspace, id, kind],
  )
}

/** Keeps who people are as Slack told at `at`. */
export async function putPeople(
  db: Db,
  workspace: string,
  at: string,
  people: ReadonlyMap<string, Kind>,
): Promise<void> {
  await db.query(
    `insert into people as p (workspace, id, kind, known_at)
     select $1, id, kind, $4::timestamptz from unnest($2::text[], $3::text[]) as t (id, kind) order by id
     on conflict (workspace, id) do update set kind = excluded.kind, known_at = excluded.known_at
       where coalesce(p.known_at, '-infinity') < excluded.known_at`,
    [workspace, [...people.keys()], [...people.values()], at],
  )
}

/** Tells the planner what is there: an embedded database never looks by itself, and plans six times worse. */
export async function refreshMemberStatistics(db: Db): Promise<void> {
  await db.query('analyze people, scopes, members, audiences')
}

/** All of a workspace's own people were listed at `at`: whoever is not among them is not of the workspace. */
export async function endListing(db: Db, workspace: string, at: string): Promise<void> {
  await db.query(
    `with others as (
       update people set kind = 'external', known_at = $2
       where workspace = $1 and coalesce(known_at, '-infinity') < $2::timestamptz)
     update scopes set known_at = $2 where workspace = $1 and scope = 'everyone'
       and coalesce(known_at, '-infinity') < $2::timestamptz`,
    [workspace, at],
  )
}

/** Which of these scopes are not known lately enough. */
export async function unsureScopes(
  db: Db,
  workspace: string,
  scopes: readonly string[],
  ageMs: number,
): Promise<string[]> {
  const { rows } = await db.query<{ scope: string }>(
    `select w as scope from unnest($2::text[]) w where not exists (
       select from scopes s where s.workspace = $1 and s.scope = w and ${sure('s', '$3')})`,
    [workspace, [...scopes], ageMs],
  )
  return rows.map((row) => row.scope)
}

/**
 * Whether people of other organisations are among the readers, of a channel or the one person; undefined where that is
 * not known lately enough.
 */
export async function hasOutsiders(
  db: Db,
  workspace: string,
  readers: string,
  ages: { scope: number; people: number },
): Promise<boolean | undefined> {
  const { rows } = await db.query<{ outside: boolean }>(
    `select exists (select from members m where m.workspace = $1 and m.scope = $2 and m.person = '*outside') as outside
       from scopes s where s.workspace = $1 and s.scope = $2 and ${sure('s', '$3')}
     union all
     select p.kind = 'external' from people p where p.workspace = $1 and 'user:' || p.id = $2 and ${sure('p', '$4')}`,
    [workspace, readers, ages.scope, ages.people],
  )
  return rows[0]?.outside
}

/** Which readers are not known lately enough: of a channel or a user group its members, of a person the person. */
export async function unsurePeople(
  db: Db,
  workspace: string,
  readers: string,
  ageMs: number,
): Promise<string[]> {
  const { rows } = await db.query<{ person: string }>(
    `with readers as (
       select person from members where workspace = $1 and scope = $2
       union select substr($2, 6) where $2 like 'user:%')
     select r.person from readers r where not exists (
       select from people p where p.workspace = $1 and p.id = r.person and ${sure('p', '$3')})
     order by r.person`,
    [workspace, readers, ageMs],
  )
  return rows.map((row) => row.person)
}

/** Up to `limit` people of whom Slack said that something changed since they were asked for. */
export async function doubtedPeople(db: Db, workspace: string, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select id from people where workspace = $1 and doubted_at >= coalesce(known_at, '-infinity')
     order by doubted_at limit $2`,
    [workspace, limit],
  )
  return rows.map((row) => row.id)
}

/**
 * Takes on up to `limit` scopes of documents that are doubted or were never asked for; with `ages` (in ms) also those
 * asked for longer ago, and `everyone`. Nobody else is given them for half a minute, unless they are doubted anew.
 */
export async function claimDueScopes(
  db: Db,
  workspace: string,
  limit: number,
  ages?: { scope: number; everyone: number },
): Promise<string[]> {
  const { rows } = await db.query<{ scope: string }>(
    `with named as (
       select distinct s as scope from audiences a, unnest(a.scopes) s
       where a.workspace = $1 and s ~ '^(channel|group):' and exists (select from documents d where d.audience = a.id)
       union select 'everyone' where $3::float8 is not null),
     due as (
       select n.scope from named n left join scopes s on s.workspace = $1 and s.scope = n.scope
       where not coalesce(
           ${sure('s', `(case when s.scope = 'everyone' then $3::float8 else $2::float8 end)`)}, false) and ${FREE}
       order by s.doubted_at > s.known_at desc nulls first, s.known_at nulls first limit $4)
     insert into scopes as s (workspace, scope, asked_at) select $1, scope, clock_timestamp() from due
     on conflict (workspace, scope) do update set asked_at = excluded.asked_at where ${FREE}
     returning s.scope`,
    [workspace, ages?.scope ?? TEN_YEARS, ages?.everyone ?? null, limit],
  )
  return rows.map((row) => row.scope)
}

/** In ms. */
const TEN_YEARS = 10 * 365 * 86_400_000

const FREE = `(coalesce(s.asked_at, '-infinity') < now() - interval '30 seconds' or s.asked_at < s.doubted_at)`

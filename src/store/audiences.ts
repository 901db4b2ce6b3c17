/** Audiences: the distinct sets of scopes that documents have, as numbers, and which of them readers may read. */
import type { Db } from './transaction.ts'

/** The number of an audience, made where it is new. The same scopes always get the same number. */
export async function audienceId(db: Db, workspace: string, scopes: readonly string[]): Promise<number> {
  const sorted = [...new Set(scopes)].sort()
  // The update that changes nothing makes the row come back also where another transaction has just written it.
  const { rows } = await db.query<{ id: number }>(
    `insert into audiences (workspace, scopes) values ($1, $2)
     on conflict (workspace, scopes) do update set scopes = excluded.scopes returning id`,
    [workspace, sorted],
  )
  const id = rows[0]?.id
  if (id === undefined) throw new Error('an upsert returned no row')
  return id
}

/** How old what is known may be to count, in ms. `audiences` left out: any age, doubts set aside. */
export type Ages = { readers: number; people: number; audiences?: number | undefined }

/**
 * The audiences that EVERY one of the readers may read: each of them is in one of its scopes. What is not known
 * of the readers, or of a person, or of a scope, proves nothing; `readers` themselves may always read what names
 * them. Empty where there is nothing.
 *
 * The readers of a public channel are its members and every full member, who may open it; whoever is listed as
 * a bot or a closed account reads nothing.
 *
 * @param readers the scope of everybody who can read the reply, as `readersOf` in core/audience gives it
 * @param among only these audiences are looked at; all where it is left out
 */
export async function readableAudiences(
  db: Db,
  workspace: string,
  readers: string,
  ages: Ages,
  among?: readonly number[],
): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(READABLE_AUDIENCES, [
    workspace,
    readers,
    ages.readers,
    ages.people,
    ages.audiences ?? null,
    among ?? null,
  ])
  return rows.map((row) => row.id)
}

/** SQL: whether what is known was asked for lately enough (milliseconds), and after the last doubt. */
export function sure(row: string, age: string): string {
  return `(${row}.known_at > now() - ${age} * interval '1 ms'
    and ${row}.known_at > coalesce(${row}.doubted_at, '-infinity'))`
}

/** SQL: whether a reader is in one of the scopes that count of an audience. */
const INSIDE = `('user:' || r.person = any(a.scopes) or exists (
  select from members m where m.workspace = $1 and m.scope = any(a.scopes) and m.person = r.person))`

/**
 * `readers` are those who are listed one by one; full members who may open a public channel are not listed, and
 * are looked at only where an audience names no public scope and is large enough to hold them.
 */
const READABLE_AUDIENCES = `
  with place as materialized (
    select s.open or s.scope = 'everyone' as open from scopes s
    where s.workspace = $1 and s.scope = $2 and ${sure('s', '$3')}),
  fresh as materialized (
    select s.scope, s.open, s.size from scopes s
    where s.workspace = $1 and s.known_at is not null and ($5::int is null or ${sure('s', '$5')})),
  listed as (
    select m.person from members m where m.workspace = $1 and m.scope = $2 and exists (select from place)
    union all select substr($2, 6) where $2 like 'user:%'),
  readers as materialized (
    select l.person, coalesce(p.kind = 'full' and ${sure('p', '$4')}, false) as full from listed l
    left join people p on p.workspace = $1 and p.id = l.person
    where not coalesce(p.kind in ('bot', 'gone') and ${sure('p', '$4')}, false) or $2 like 'user:%'),
  rest as materialized (select person from readers where not "full"),
  everyone as (
    select p.id as person from people p where p.workspace = $1 and (p.kind = 'full' or not coalesce(${sure('p', '$4')}, false))),
  known as materialized (
    select exists (select from readers) or coalesce((select open from place), false) as readers,
      coalesce((select open from place), false) as open,
      exists (select from scopes s where s.workspace = $1 and s.scope = 'everyone' and ${sure('s', '$4')}) as everyone),
  candidates as materialized (
    select a.id, bool_or(n.scope = $2) as same, bool_or(n.scope = 'everyone' or coalesce(f.open, false)) as open,
      sum(case when n.scope like 'user:%' then 1 else coalesce(f.size, 0) end) as room,
      coalesce(array_agg(n.scope) filter (where n.scope like 'user:%' or f.scope is not null), '{}') as scopes
    from audiences a cross join unnest(a.scopes) as n (scope) left join fresh f on f.scope = n.scope
    where a.workspace = $1 and ($6::int[] is null or a.id = any($6)) group by a.id)
  select a.id from candidates a, known k
  where case
    when a.same then true
    when not k.readers then false
    when not a.open and a.room < (select count(*) from readers) then false
    when exists (select from rest r where not ${INSIDE}) then false
    when a.open then true
    when exists (select from readers r where r.full and not ${INSIDE}) then false
    when not k.open then true
    when not k.everyone or a.room < (select count(*) from people where workspace = $1 and kind = 'full') then false
    else not exists (select from everyone r where not ${INSIDE}) end
  order by a.id`

/** Which of these audiences name a channel or user group that was not asked for lately enough. */
export async function agedAudiences(db: Db, ids: readonly number[], ageMs: number): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(
    `select a.id from audiences a where a.id = any($1::int[]) and exists (
       select from unnest(a.scopes) n left join scopes s on s.workspace = a.workspace and s.scope = n
       where n ~ '^(channel|group):' and not coalesce(${sure('s', '$2')}, false))`,
    [[...ids], ageMs],
  )
  return rows.map((row) => row.id)
}

/** The channels and user groups that these audiences name. */
export async function namedScopes(db: Db, ids: readonly number[]): Promise<string[]> {
  const { rows } = await db.query<{ scope: string }>(
    `select distinct s as scope from audiences, unnest(scopes) s
     where id = any($1::int[]) and s ~ '^(channel|group):' order by s`,
    [[...ids]],
  )
  return rows.map((row) => row.scope)
}

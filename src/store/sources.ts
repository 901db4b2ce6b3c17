/** Sources: who is reading one, and how it went. */
import type { Shelf } from './documents.ts'
import { asJson } from './json.ts'
import type { Db } from './transaction.ts'

/** Files left out for one reason, with some of their paths. */
export type SkippedFor = { why: string; count: number; examples: string[] }

/** What could not be taken apart, by path, with the hash it had then. */
export type Refused = Record<string, { hash: string; why: string }>

/** How a reading ended. */
export type Reading = {
  ms: number
  added: number
  changed: number
  removed: number
  passages: number
  secrets: number
  skipped: SkippedFor[]
  refused: Refused
}

/** A source as it stands. Times are ISO; `documents` and `passages` are what is kept of it now. */
export type SourceState = {
  name: string
  documents: number
  passages: number
  /** Numbers of the audiences its documents have. */
  audiences: number[]
  reading: boolean
  triedAt?: string
  readAt?: string
  ms?: number
  last: Pick<Reading, 'added' | 'changed' | 'removed' | 'secrets'>
  skipped: SkippedFor[]
  error?: string
}

/** Takes a source for `ms` milliseconds; false where somebody else is reading it. */
export async function takeSource(db: Db, shelf: Shelf, owner: string, ms: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into sources as s (workspace, name, held_by, held_until, tried_at)
     values ($1, $2, $3, now() + $4 * interval '1 millisecond', now())
     on conflict (workspace, name) do update
       set held_by = excluded.held_by, held_until = excluded.held_until, tried_at = excluded.tried_at
       where s.held_until is null or s.held_until < now()`,
    [shelf.workspace, shelf.source, owner, ms],
  )
  return rowCount === 1
}

/** Keeps a source taken; false where somebody else took it over. */
export async function holdSource(db: Db, shelf: Shelf, owner: string, ms: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `update sources set held_until = now() + $4 * interval '1 millisecond'
     where workspace = $1 and name = $2 and held_by = $3`,
    [shelf.workspace, shelf.source, owner, ms],
  )
  return rowCount === 1
}

/** Gives a source back, with how reading it went: the sentence of a failure, or nothing where it was stopped. */
export async function leaveSource(
  db: Db,
  shelf: Shelf,
  owner: string,
  outcome: Reading | { error: string } | undefined,
): Promise<void> {
  const of = [shelf.workspace, shelf.source, owner]
  const mine = 'where workspace = $1 and name = $2 and held_by = $3'
  const free = 'held_by = null, held_until = null'
  if (!outcome) await db.query(`update sources set ${free}, tried_at = read_at ${mine}`, of)
  else if ('error' in outcome)
    await db.query(`update sources set ${free}, error = $4 ${mine}`, [...of, outcome.error])
  else {
    const { ms, added, changed, removed, passages, secrets, skipped, refused } = outcome
    await db.query(
      `update sources set ${free}, error = null, read_at = now(), ms = $4, added = $5, changed = $6, removed = $7,
         passages = $8, secrets = $9, skipped = $10, refused = $11 ${mine}`,
      [...of, ms, added, changed, removed, passages, secrets, asJson(skipped), asJson(refused)],
    )
  }
}

/** What could not be taken apart the last time. */
export async function readRefused(db: Db, shelf: Shelf): Promise<Refused> {
  const { rows } = await db.query<{ refused: Refused }>(
    'select refused from sources where workspace = $1 and name = $2',
    [shelf.workspace, shelf.source],
  )
  return rows[0]?.refused ?? {}
}

/** How long ago each source was last tried, in ms; one that never was is missing. */
export async function sinceTried(db: Db, workspace: string): Promise<Map<string, number>> {
  const { rows } = await db.query<{ name: string; ms: number }>(
    `select name, extract(epoch from now() - tried_at)::float8 * 1000 as ms
     from sources where workspace = $1 and tried_at is not null`,
    [workspace],
  )
  return new Map(rows.map(({ name, ms }) => [name, ms]))
}

/** Every source of a workspace that was tried or has documents, by name. */
export async function listSources(db: Db, workspace: string): Promise<SourceState[]> {
  const { rows } = await db.query<Row>(
    `with kept as (
       select d.source as name, count(distinct d.id)::int as documents, count(p.id)::int as passages,
         array_agg(distinct d.audience) as audiences
       from documents d left join passages p on p.document = d.id where d.workspace = $1 group by d.source)
     select name, coalesce(k.documents, 0) as documents, coalesce(k.passages, 0) as passages,
       coalesce(k.audiences, '{}') as audiences, coalesce(s.held_until > now(), false) as reading,
       s.tried_at, s.read_at, s.ms, coalesce(s.added, 0) as added, coalesce(s.changed, 0) as changed,
       coalesce(s.removed, 0) as removed, coalesce(s.secrets, 0) as secrets, coalesce(s.skipped, '[]') as skipped,
       s.error
     from (select * from sources where workspace = $1) s full join kept k using (name) order by name`,
    [workspace],
  )
  return rows.map(asState)
}

/** Forgets how sources went that are not named any more. */
export async function forgetSources(db: Db, workspace: string, named: string[]): Promise<void> {
  await db.query('delete from sources where workspace = $1 and not name = any($2)', [workspace, named])
}

type Row = {
  name: string
  documents: number
  passages: number
  audiences: number[]
  reading: boolean
  tried_at: Date | null
  read_at: Date | null
  ms: number | null
  added: number
  changed: number
  removed: number
  secrets: number
  skipped: SkippedFor[]
  error: string | null
}

function asState({
  tried_at,
  read_at,
  ms,
  added,
  changed,
  removed,
  secrets,
  error,
  ...row
}: Row): SourceState {
  return {
    ...row,
    last: { added, changed, removed, secrets },
    ...(tried_at === null ? {} : { triedAt: tried_at.toISOString() }),
    ...(read_at === null ? {} : { readAt: read_at.toISOString() }),
    ...(ms === null ? {} : { ms }),
    ...(error === null ? {} : { error }),
  }
}

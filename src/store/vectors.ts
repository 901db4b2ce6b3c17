/** Vectors of passages: which table serves, which vectors are missing, who is making them, keeping them. */
import type pg from 'pg'
import { toSql } from 'pgvector'
import { type EmbeddingModel, nearness, toUnit } from '../core/embedding.ts'
import { asJson } from './json.ts'
import { type Db, inTransaction, type Tx } from './transaction.ts'
import { indexEmbedded } from './vector-index.ts'

/**
 * The vectors of one model, of all workspaces: `table (passage uuid primary key, document uuid, embedding)`.
 *
 * - `embedding` has `dimensions` finite numbers and length 1, so that `<=>` and `<#>` order alike; it is never null.
 * - A row lives as long as its passage: deleting passages or documents deletes it. Its passage's text never changes.
 * - `document` is the passage's and has an index; the audience stands in the document, and is joined.
 * - A row is there or not; claims and refusals lie elsewhere.
 * - The name is made of a number and needs no quoting.
 */
export type VectorTable = EmbeddingModel & {
  id: number
  table: string
  type: 'vector' | 'halfvec'
  dimensions: number
}

/** `building` is not asked yet, `serving` is, `retired` is kept for a while in case of going back. */
export type ModelState = 'building' | 'serving' | 'retired'

/** Nearer than this, two vectors of the same text are the same model's; what a server computes varies by less. */
const SAME = 0.99

const COLUMNS = `m.id, 'emb_' || m.id as "table", m.type, m.name, m.revision, m.dimensions,
  coalesce(to_jsonb(m.languages), '"all"') as languages, m.origin`

/** The table that answers a workspace's questions now; undefined before the first vector. Ask again each time. */
export async function servingTable(db: Db, workspace: string): Promise<VectorTable | undefined> {
  const { rows } = await db.query<VectorTable>(
    `select ${COLUMNS} from workspace_models w join embedding_models m on m.id = w.model
     where w.workspace = $1 and w.state = 'serving'`,
    [workspace],
  )
  return rows[0]
}

/** Every model a workspace has vectors of, the serving one first. */
export async function listVectorTables(
  db: Db,
  workspace: string,
): Promise<(VectorTable & { state: ModelState; since: Date })[]> {
  const { rows } = await db.query<VectorTable & { state: ModelState; since: Date }>(
    `select ${COLUMNS}, w.state, w.since from workspace_models w join embedding_models m on m.id = w.model
     where w.workspace = $1 order by array_position(array['serving', 'building', 'retired'], w.state), m.id`,
    [workspace],
  )
  return rows
}

/**
 * The table of a model, made where there is none, and what the workspace does with it now: it serves where none
 * did, else it is built beside the one that does. A model that was being built before is given up.
 * `probe` is the model's vector of a text that is always the same: where it differs from the one kept, a server
 * has another model under the old name, and that is another table.
 */
export async function useModel(
  pool: pg.Pool,
  workspace: string,
  model: EmbeddingModel,
  probe: number[],
): Promise<VectorTable & { state: ModelState }> {
  return await inTransaction(pool, async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtextextended('quorum vectors', 0))`)
    const id = (await findModel(tx, model, probe)) ?? (await createTable(tx, model, probe))
    await tx.query('update embedding_models set languages = $2, origin = $3 where id = $1', [
      id,
      model.languages === 'all' ? null : model.languages,
      model.origin === null ? null : asJson(model.origin),
    ])
    await tx.query(
      `update workspace_models set state = 'retired', since = now()
       where workspace = $1 and model <> $2 and state = 'building'`,
      [workspace, id],
    )
    await tx.query(
      `insert into workspace_models as w (workspace, model, state)
       select $1, $2, case when exists (select from workspace_models where workspace = $1 and state = 'serving')
         then 'building' else 'serving' end
       on conflict (workspace, model) do update set state = excluded.state, since = now()
         where w.state = 'retired'`,
      [workspace, id],
    )
    const used = (await listVectorTables(tx, workspace)).find((one) => one.id === id)
    if (!used) throw new Error('a model that was just written is not there')
    return used
  })
}

/** From now on this table serves, and the one before is retired. One statement: nobody sees none or two. */
export async function switchTo(db: Db, workspace: string, { id }: Pick<VectorTable, 'id'>): Promise<void> {
  await db.query(
    `update workspace_models set since = now(), state = case when model = $2 then 'serving' else 'retired' end
     where workspace = $1 and (model = $2 or state = 'serving') and not (model = $2 and state = 'serving')`,
    [workspace, id],
  )
}

/**
 * Drops tables that every workspace has retired at least `graceMs` ago; answers the names of their models. Where
 * passages are in use without a pause, none is dropped this time.
 */
export async function dropRetired(pool: pg.Pool, graceMs: number): Promise<string[]> {
  try {
    return await inTransaction(pool, (tx) => dropOld(tx, graceMs))
  } catch (error) {
    if ((error as { code?: string }).code === LOCK_NOT_AVAILABLE) return []
    throw error
  }
}

const LOCK_NOT_AVAILABLE = '55P03'

async function dropOld(tx: Tx, graceMs: number): Promise<string[]> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('quorum vectors', 0))`)
  const { rows } = await tx.query<{ id: number; name: string }>(
    `select m.id, m.name from embedding_models m where not exists (
         select from workspace_models w where w.model = m.id
           and (w.state <> 'retired' or w.since > now() - $1 * interval '1 ms'))`,
    [graceMs],
  )
  if (rows.length === 0) return []
  // Whoever reads passages is waited for, and makes everybody behind us wait: rather another time.
  await tx.query(`set local lock_timeout = '2s'`)
  for (const { id } of rows) {
    await tx.query(`drop table emb_${id}`)
    await tx.query('delete from embedding_models where id = $1', [id])
  }
  return rows.map((row) => row.name)
}

async function findModel(tx: Tx, model: EmbeddingModel, probe: number[]): Promise<number | undefined> {
  const { rows } = await tx.query<{ id: number; probe: number[] }>(
    `select id, probe from embedding_models where name = $1 and revision = $2 and dimensions = $3`,
    [model.name, model.revision, probe.length],
  )
  return rows.find((row) => nearness(row.probe, probe) > SAME)?.id
}

async function createTable(tx: Tx, model: EmbeddingModel, probe: number[]): Promise<number> {
  const type = await columnType(tx, probe.length)
  const { rows } = await tx.query<{ id: number }>(
    `insert into embedding_models (name, revision, dimensions, type, probe) values ($1, $2, $3, $4, $5) returning id`,
    [model.name, model.revision, probe.length, type, probe],
  )
  const id = rows[0]?.id
  if (!id) throw new Error('an insert returned no row')
  await tx.query(
    `create table emb_${id} (
       passage uuid primary key references passages on delete cascade,
       document uuid not null,
       embedding ${type}(${probe.length}) not null)`,
  )
  // In the row itself where a page has room for it: an exact scan reads every one of them.
  if (bytesOf(type, probe.length) < 7_500)
    await tx.query(`alter table emb_${id} alter column embedding set storage plain`)
  await tx.query(`create index emb_${id}_document on emb_${id} (document)`)
  await indexEmbedded(tx, { table: `emb_${id}`, type, dimensions: probe.length })
  return id
}

/** Half the size, and no worse in what is found; but slow in WebAssembly, and unknown to pgvector before 0.7. */
async function columnType(tx: Tx, dimensions: number): Promise<VectorTable['type']> {
  const { rows } = await tx.query<{ half: boolean; embedded: boolean }>(
    `select to_regtype('halfvec') is not null as half, version() like '%PGlite%' as embedded`,
  )
  const [at] = rows
  return at?.half && (!at.embedded || dimensions > LONGEST_INDEXED) ? 'halfvec' : 'vector'
}

/** An index holds no longer vectors of whole numbers of 4 bytes. */
const LONGEST_INDEXED = 2_000

function bytesOf(type: VectorTable['type'], dimensions: number): number {
  return dimensions * (type === 'halfvec' ? 2 : 4)
}

/** A passage that somebody has taken on to embed. */
export type Unembedded = { passage: string; title: string; heading: string; text: string }

/** Before every passage there is. */
export const FIRST = '00000000-0000-0000-0000-000000000000'

/**
 * Takes on up to `limit` passages of a workspace behind the passage `after` that have no vector in a table, in
 * the order of their ids. Nobody else gets them for `claimMs`; after that, or after {@link releaseVectors}, they are
 * up for the next one. Whoever goes on behind the last one each time reads every passage once.
 */
export async function claimUnembedded(
  db: Db,
  { id, table }: Pick<VectorTable, 'id' | 'table'>,
  {
    workspace,
    limit,
    claimMs,
    after = FIRST,
  }: { workspace: string; limit: number; claimMs: number; after?: string },
): Promise<Unembedded[]> {
  const { rows } = await db.query<Unembedded>(
    `with wanted as (
      select p.id from passages p
        join documents d on d.id = p.document and d.workspace = $4
        left join vector_claims c on c.passage = p.id and c.model = $1
      where p.id > $5 and (c.passage is null or ${ABANDONED})
        and not exists (select from ${table} v where v.passage = p.id)
      order by p.id limit $2 for no key update of p skip locked),
    claimed as (
      insert into vector_claims as c (passage, model, claimed_until)
      select id, $1, now() + $3 * interval '1 ms' from wanted
      on conflict (passage, model) do update set claimed_until = excluded.claimed_until where ${ABANDONED}
      returning passage)
    select c.passage, d.title, p.heading, p.text
    from claimed c join passages p on p.id = c.passage join documents d on d.id = p.document
    order by p.id`,
    [id, limit, claimMs, workspace, after],
  )
  return rows
}

const ABANDONED = '(c.refused is null and c.claimed_until < now())'

/** Keeps vectors that were claimed; those of passages that are gone by now, or have one already, are dropped. */
export async function putVectors(
  db: Db,
  { id, table, type }: Pick<VectorTable, 'id' | 'table' | 'type'>,
  vectors: { passage: string; values: number[] }[],
): Promise<void> {
  const rows = vectors.map(({ passage, values }) => ({ passage, embedding: toSql(toUnit(values)) }))
  await db.query(
    `with made as (select passage, embedding from jsonb_to_recordset($2) as x (passage uuid, embedding text)),
    alive as (select p.id, p.document from passages p join made on made.passage = p.id for key share of p),
    done as (delete from vector_claims where model = $1 and passage in (select passage from made))
    insert into ${table} (passage, document, embedding)
    select alive.id, alive.document, made.embedding::${type} from alive join made on made.passage = alive.id
    on conflict (passage) do nothing`,
    [id, asJson(rows)],
  )
}

/** Notes that the model does not take a passage, so that nobody tries it again until its text changes. */
export async function refuseVector(
  db: Db,
  { id }: Pick<VectorTable, 'id'>,
  passage: string,
  why: string,
): Promise<void> {
  await db.query(
    `update vector_claims set refused = $3, claimed_until = null where model = $1 and passage = $2`,
    [id, passage, why.replaceAll('\0', '').toWellFormed().slice(0, 500)],
  )
}

/** Keeps claimed passages from others for another while. */
export async function renewClaims(
  db: Db,
  { id }: Pick<VectorTable, 'id'>,
  passages: string[],
  claimMs: number,
): Promise<void> {
  await db.query(
    `update vector_claims set claimed_until = now() + $3 * interval '1 ms'
     where model = $1 and passage = any($2) and claimed_until is not null`,
    [id, passages, claimMs],
  )
}

/** Gives claimed passages back. */
export async function releaseVectors(
  db: Db,
  { id }: Pick<VectorTable, 'id'>,
  passages: string[],
): Promise<void> {
  await db.query('delete from vector_claims where model = $1 and passage = any($2) and refused is null', [
    id,
    passages,
  ])
}

/** Another answer than before where documents have come or changed in between, mostly; cheaper than counting. */
export async function lastChange(db: Db, workspace: string): Promise<string> {
  const { rows } = await db.query<{ at: string | null }>(
    'select max(updated_at)::text as at from documents where workspace = $1',
    [workspace],
  )
  return rows[0]?.at ?? ''
}

/** Whether a workspace has anything to embed at all. */
export async function hasPassages(db: Db, workspace: string): Promise<boolean> {
  const { rows } = await db.query(
    'select 1 from documents d where workspace = $1 and exists (select from passages where document = d.id) limit 1',
    [workspace],
  )
  return rows.length > 0
}

/** How far a table has come in a workspace: passages with a vector, without any, and those the model does not take. */
export async function countVectors(
  db: Db,
  { id, table }: Pick<VectorTable, 'id' | 'table'>,
  workspace: string,
): Promise<{ made: number; missing: number; refused: number }> {
  const { rows } = await db.query<{ made: number; missing: number; refused: number }>(
    `select count(v.passage)::int as made, count(c.refused)::int as refused,
       (count(*) - count(v.passage) - count(c.refused))::int as missing
     from passages p join documents d on d.id = p.document and d.workspace = $2
       left join ${table} v on v.passage = p.id
       left join vector_claims c on c.passage = p.id and c.model = $1 and c.refused is not null and v.passage is null`,
    [id, workspace],
  )
  return rows[0] ?? { made: 0, missing: 0, refused: 0 }
}

/** Whether any passage of a workspace lacks its vector, and the model did not refuse it. Ends with the first it finds. */
export async function lacksVectors(
  db: Db,
  { id, table }: Pick<VectorTable, 'id' | 'table'>,
  workspace: string,
): Promise<boolean> {
  const { rows } = await db.query<{ lacks: boolean }>(
    `select exists (select from passages p join documents d on d.id = p.document and d.workspace = $2
       where not exists (select from ${table} v where v.passage = p.id)
         and not exists (select from vector_claims c
           where c.passage = p.id and c.model = $1 and c.refused is not null)) as lacks`,
    [id, workspace],
  )
  return rows[0]?.lacks ?? false
}

/** Of so many rows as are new since the planner was told what is there it is told again, as a share of all. */
const DRIFT = 0.1

/**
 * Tells the planner what is there where `made` new vectors change that much: an embedded database never looks by
 * itself, and plans 100 times worse.
 */
export async function refreshVectorStatistics(
  db: Db,
  { table }: Pick<VectorTable, 'table'>,
  made: number,
): Promise<void> {
  const { rows } = await db.query<{ known: number }>(
    'select reltuples::float8 as known from pg_class where oid = to_regclass($1)',
    [table],
  )
  const known = Math.max(0, rows[0]?.known ?? 0)
  if (made > known * DRIFT) await db.query(`analyze ${table}, vector_claims`)
}

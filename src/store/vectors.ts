/** Vectors of passages: which are missing, who is making them, keeping them. */
import { toSql } from 'pgvector'
import { asJson } from './json.ts'
import type { Db } from './transaction.ts'

/** A passage that somebody has taken on to embed. */
export type Unembedded = { passage: string; title: string; heading: string; text: string }

/**
 * Takes on up to `limit` passages of a workspace that have no vector of the model. Nobody else gets them for `claimMs`;
 * after that, or after {@link releaseVectors}, they are up for the next one.
 */
export async function claimUnembedded(
  db: Db,
  model: string,
  { workspace, limit, claimMs }: { workspace: string; limit: number; claimMs: number },
): Promise<Unembedded[]> {
  const { rows } = await db.query<Unembedded>(
    `with wanted as (
      select p.id, p.document from passages p
        join documents d on d.id = p.document and d.workspace = $4
        left join vectors v on v.passage = p.id and v.model = $1
      where v.passage is null or ${ABANDONED}
      limit $2 for no key update of p skip locked),
    claimed as (
      insert into vectors as v (passage, document, model, claimed_until)
      select id, document, $1, now() + $3 * interval '1 ms' from wanted
      on conflict (passage, model) do update set claimed_until = excluded.claimed_until where ${ABANDONED}
      returning passage)
    select c.passage, d.title, p.heading, p.text
    from claimed c join passages p on p.id = c.passage join documents d on d.id = p.document
    order by d.source, d.path, p.n`,
    [model, limit, claimMs, workspace],
  )
  return rows
}

const ABANDONED = `(v.embedding is null and v.refused is null and v.claimed_until < now())`

/** Keeps vectors that were claimed; those of passages that are gone by now are dropped. */
export async function putVectors(
  db: Db,
  model: string,
  vectors: { passage: string; values: number[] }[],
): Promise<void> {
  const rows = vectors.map(({ passage, values }) => ({
    passage,
    dimensions: values.length,
    embedding: toSql(values),
  }))
  await db.query(
    `update vectors v set embedding = x.embedding::vector, dimensions = x.dimensions, claimed_until = null,
       refused = null
     from jsonb_to_recordset($2) as x (passage uuid, dimensions int, embedding text)
     where v.model = $1 and v.passage = x.passage`,
    [model, asJson(rows)],
  )
}

/** Notes that the model does not take a passage, so that nobody tries it again until its text changes. */
export async function refuseVector(db: Db, model: string, passage: string, why: string): Promise<void> {
  await db.query(
    `update vectors set refused = $3, claimed_until = null
     where model = $1 and passage = $2 and embedding is null`,
    [model, passage, why.replaceAll('\0', '').toWellFormed().slice(0, 500)],
  )
}

/** Gives claimed passages back. */
export async function releaseVectors(db: Db, model: string, passages: string[]): Promise<void> {
  await db.query(
    `delete from vectors
     where model = $1 and passage = any($2) and embedding is null and refused is null`,
    [model, passages],
  )
}

/** How far the model has come in a workspace: passages with a vector, without any, and those it does not take. */
export async function countVectors(
  db: Db,
  model: string,
  workspace: string,
): Promise<{ made: number; missing: number; refused: number }> {
  const { rows } = await db.query<{ made: number; missing: number; refused: number }>(
    `select count(v.embedding)::int as made, count(v.refused)::int as refused,
       (count(*) - count(v.embedding) - count(v.refused))::int as missing
     from passages p join documents d on d.id = p.document and d.workspace = $2
       left join vectors v on v.passage = p.id and v.model = $1`,
    [model, workspace],
  )
  return rows[0] ?? { made: 0, missing: 0, refused: 0 }
}

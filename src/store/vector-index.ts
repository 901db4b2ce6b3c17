/** The index that vectors are found by where there are too many to compare all. */
import type pg from 'pg'
import type { Db } from './transaction.ts'
import type { VectorTable } from './vectors.ts'

/**
 * An embedded database has the index from the first vector on: each adds to it in a few milliseconds, where building
 * it later would hold up everybody. A server builds it beside its other work, once it is worth it: at so many vectors it
 * takes four seconds to build, and a search a quarter of the time.
 */
const WORTH = 10_000
/** Beyond, a denser graph: it takes longer to build, and misses less. */
const LARGE = 500_000
/** What pgvector can index of each type. */
const LONGEST = { vector: 2_000, halfvec: 4_000 }

type Indexed = Pick<VectorTable, 'table' | 'type' | 'dimensions'>

export function indexName({ table }: Pick<VectorTable, 'table'>): string {
  return `${table}_near`
}

/** SQL for the index of a table. */
function indexOf({ table, type }: Indexed, how: { concurrently: boolean; rows: number }): string {
  const [m, breadth] = how.rows > LARGE ? [24, 128] : [16, 128]
  return `create index ${how.concurrently ? 'concurrently ' : ''}if not exists ${indexName({ table })} on ${table}
    using hnsw (embedding ${type}_cosine_ops) with (m = ${m}, ef_construction = ${breadth})`
}

/** The index of a table that was just made, where the database is the embedded one. */
export async function indexEmbedded(db: Db, table: Indexed): Promise<void> {
  const { rows } = await db.query<{ embedded: boolean }>(`select version() like '%PGlite%' as embedded`)
  if (rows[0]?.embedded && table.dimensions <= LONGEST[table.type])
    await db.query(indexOf(table, { concurrently: false, rows: 0 }))
}

/**
 * Builds the index of a table on a server where there are enough vectors and none is there; searches and writes go
 * on meanwhile. Several may call it: one builds. `worth` is how many vectors are enough, for tests.
 *
 * @returns whether it was built now
 */
export async function indexVectors(pool: pg.Pool, table: Indexed, worth = WORTH): Promise<boolean> {
  if (table.dimensions > LONGEST[table.type]) return false
  const { rows } = await pool.query<{
    rows: number
    valid: boolean | null
    busy: boolean
    embedded: boolean
  }>(
    `select c.reltuples::int as rows, i.indisvalid as valid, version() like '%PGlite%' as embedded,
       exists (select from pg_stat_progress_create_index b where b.relid = c.oid) as busy
     from pg_class c left join pg_index i on i.indexrelid = to_regclass($2) where c.oid = to_regclass($1)`,
    [table.table, indexName(table)],
  )
  const [at] = rows
  if (!at || at.embedded || at.busy || at.valid || at.rows < worth) return false
  // What a build that was killed leaves behind is never used, and in the way.
  if (at.valid === false) await pool.query(`drop index concurrently if exists ${indexName(table)}`)
  await pool.query(indexOf(table, { concurrently: true, rows: at.rows }))
  return true
}

/** Statements that are asked often and take long to plan: planned once a connection. */
import { createHash } from 'node:crypto'
import pg from 'pg'
import type { Db } from './transaction.ts'

/** The statement is not there, is there already, or was planned for other tables: said by poolers between us. */
const UNPREPARED = new Set(['26000', '42P05', '0A000'])

/** As `db.query`; where a pooler gives the next statement to another connection, without preparing. */
export async function queryPrepared<Row extends pg.QueryResultRow>(
  db: Db,
  text: string,
  values: unknown[],
): Promise<pg.QueryResult<Row>> {
  const name = createHash('sha256').update(text).digest('hex').slice(0, 32)
  try {
    return await (db as Pick<pg.ClientBase, 'query'>).query<Row>({ name, text, values })
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || !UNPREPARED.has(error.code ?? '')) throw error
    return await db.query<Row>(text, values)
  }
}

/** A vector as pgvector reads it in PostgreSQL's binary format: text of a few hundred numbers takes longer to read than to compare. */
export function vectorBytes(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + values.length * 4)
  bytes.writeUInt16BE(values.length)
  for (const [at, value] of values.entries()) bytes.writeFloatBE(value, 4 + at * 4)
  return bytes
}

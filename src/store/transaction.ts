/** Work that happens wholly or not at all. */
import pg from 'pg'

/** What can be queried: the pool, or the transaction one is in. */
export type Db = {
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string,
    values?: unknown[],
  ): Promise<pg.QueryResult<Row>>
}

/** A transaction in progress; valid until the function it was passed to returns. */
export type Tx = Db

/** Serialization failure, deadlock: PostgreSQL undid the work and asks for another try. */
const again = new Set(['40001', '40P01'])
const attempts = 4

/**
 * Runs `work` in a transaction: commits what it did when it returns, rolls back when it throws.
 *
 * `work` may run up to four times, because PostgreSQL may ask for another try: it must do nothing outside of
 * the transaction that cannot be done twice. It must use `tx`, never the pool: on the embedded database the
 * pool has one connection, and waiting for a second one never ends.
 */
export async function inTransaction<T>(pool: pg.Pool, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptOnce(pool, work)
    } catch (error) {
      const code = error instanceof pg.DatabaseError ? error.code : undefined
      if (attempt === attempts || !again.has(code ?? '')) throw error
    }
  }
}

async function attemptOnce<T>(pool: pg.Pool, work: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  // Without a listener a connection that breaks while it is ours would end the process.
  const noted = () => {}
  client.on('error', noted)
  let broken: Error | undefined
  try {
    await client.query('begin')
    const result = await work(client)
    const done = await client.query('commit')
    if (done.command !== 'COMMIT') throw new Error('A statement of the transaction failed and was ignored')
    return result
  } catch (error) {
    await client.query('rollback').catch((cause: Error) => {
      broken = cause
    })
    throw error
  } finally {
    client.off('error', noted)
    client.release(broken)
  }
}

/** Model servers that get no new calls, so that every process knows. */
import type { Db } from './transaction.ts'

/** The addresses that are drained, and since when. */
export async function readDrains(db: Db): Promise<Map<string, Date>> {
  const found = await db.query<{ url: string; since: Date }>('select url, since from drains')
  return new Map(found.rows.map(({ url, since }) => [url, since]))
}

export async function drain(db: Db, urls: readonly string[]): Promise<void> {
  await db.query('insert into drains (url) select unnest($1::text[]) on conflict do nothing', [urls])
}

export async function undrain(db: Db, urls: readonly string[]): Promise<void> {
  await db.query('delete from drains where url = any($1)', [urls])
}

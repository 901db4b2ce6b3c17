/** Brings the database to the shape this version of the code expects. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { Fault } from '../core/fault.ts'
import { type Db, inTransaction } from './transaction.ts'

const ours = fileURLToPath(new URL('../../migrations', import.meta.url))

type Migration = { number: number; name: string; sql: string; sha256: string }
type Applied = { number: number; name: string; sha256: string }

/**
 * Applies the files `NNNN_name.sql` of `dir` that the database has not seen, in order, each in a transaction
 * of its own, and returns their names. Several starters may call it at once: they take turns, each file is
 * applied once.
 *
 * Throws `Fault('store-migration')` naming the file where a number is missing or doubled, where a file that
 * was applied has changed or is gone, and where a file fails; what was applied before it stays.
 */
export async function migrate(pool: pg.Pool, dir: string = ours): Promise<string[]> {
  const files = await readMigrations(dir)
  await inTransaction(pool, async (tx) => {
    await takeTurn(tx)
    await tx.query(`create table if not exists migrations (
      number int primary key, name text not null, sha256 text not null, applied timestamptz not null default now())`)
  })
  const done: string[] = []
  for (;;) {
    const name = await inTransaction(pool, (tx) => applyNext(tx, files))
    if (!name) return done
    done.push(name)
  }
}

/**
 * Names of the files of `dir` that are not applied yet; changes nothing.
 * Throws as `migrate` does where files and database disagree.
 */
export async function pending(pool: pg.Pool, dir: string = ours): Promise<string[]> {
  const files = await readMigrations(dir)
  const exists = await pool.query(`select to_regclass('migrations') is not null as found`)
  const applied = exists.rows[0]?.found ? await readApplied(pool) : []
  compare(files, applied)
  return files.slice(applied.length).map((file) => file.name)
}

const CURE =
  ' Install pgvector on the server and let a superuser run in this database: create extension vector'

/** Waits until no other starter migrates; holds until the transaction ends, so it works behind a pooler. */
async function takeTurn(tx: Db): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('quorum migrations', 0))`)
}

async function readApplied(db: Db): Promise<Applied[]> {
  const { rows } = await db.query<Applied>('select number, name, sha256 from migrations order by number')
  return rows
}

async function applyNext(tx: Db, files: Migration[]): Promise<string | undefined> {
  await takeTurn(tx)
  const applied = await readApplied(tx)
  compare(files, applied)
  const file = files[applied.length]
  if (!file) return
  const before = await currentTransaction(tx)
  try {
    await tx.query(file.sql)
  } catch (cause) {
    const why = (cause as Error).message
    const cure = why.includes('extension "vector"') ? CURE : ''
    throw new Fault('store-migration', `${file.name} failed: ${why}.${cure}`, { cause })
  }
  if ((await currentTransaction(tx)) !== before) {
    throw new Fault('store-migration', `${file.name} ends the transaction that it runs in.`)
  }
  await tx.query('insert into migrations (number, name, sha256) values ($1, $2, $3)', [
    file.number,
    file.name,
    file.sha256,
  ])
  return file.name
}

async function currentTransaction(tx: Db): Promise<string | undefined> {
  const { rows } = await tx.query<{ id: string }>('select pg_current_xact_id()::text as id')
  return rows[0]?.id
}

/** The applied ones must be the first of the files, unchanged. */
function compare(files: Migration[], applied: Applied[]): void {
  for (const row of applied) {
    const file = files[row.number - 1]
    if (!file || file.name !== row.name) {
      const why = 'it was removed or renamed, or a newer version of Quorum has used this database'
      throw new Fault('store-migration', `${row.name} is applied but is not among the migrations: ${why}.`)
    }
    if (file.sha256 !== row.sha256) {
      const cure = 'Restore it and put the change into a new file.'
      throw new Fault('store-migration', `${row.name} was changed after it was applied. ${cure}`)
    }
  }
}

async function readMigrations(dir: string): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (name, at) => {
      const number = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1] ?? Number.NaN)
      if (Number.isNaN(number)) {
        throw new Fault('store-migration', `${name} must be named like 0001_what_it_does.sql`)
      }
      if (number !== at + 1) {
        const found = number > at + 1 ? 'is missing' : 'is there twice'
        const which = String(Math.min(number, at + 1)).padStart(4, '0')
        throw new Fault('store-migration', `Number ${which} ${found} among the migrations (at ${name})`)
      }
      const sql = await readFile(path.join(dir, name), 'utf8')
      return { number, name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

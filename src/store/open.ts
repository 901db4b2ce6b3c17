/** Opens the store: PostgreSQL where there is a server, the embedded database where there is none. */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { openEmbedded } from './embedded.ts'
import { openServer } from './server.ts'
import { types } from './values.ts'

/** Where the store writes what an operator should know; pino's loggers fit. */
export type StoreLog = {
  info(about: object, message: string): void
  warn(about: object, message: string): void
  error(about: object, message: string): void
}

export type Store = AsyncDisposable & {
  pool: pg.Pool
  kind: 'server' | 'embedded'
  /**
   * Waits up to 3 s for what is in flight and ends the connections; an embedded database is checkpointed and
   * stopped, and rolls back what was not committed. May be called twice.
   */
  close(): Promise<void>
}

export type StoreSettings = {
  /** A PostgreSQL URL; undefined opens the embedded database. */
  databaseUrl?: string | undefined
  /** Where embedded engines keep their files; the database gets `store/` in it. */
  dataDir: string
  log?: StoreLog | undefined
  /** Connections to a server at most; 10 where undefined. */
  connections?: number | undefined
  /** How long to wait for a server that does not answer yet, in ms; 30 s where undefined. */
  patienceMs?: number | undefined
}

/**
 * Opens the store and answers when it can be queried.
 *
 * Throws `Fault('store-unreachable')` where the server does not answer in time or refuses us, and
 * `Fault('store-locked')` where another process has the embedded database open.
 */
export async function openStore(settings: StoreSettings): Promise<Store> {
  if (settings.databaseUrl) {
    const pool = await openServer({ ...settings, databaseUrl: settings.databaseUrl })
    return asStore('server', pool, async () => {})
  }
  const embedded = await openEmbedded({
    dir: path.join(settings.dataDir, 'store'),
    broke: (error) =>
      settings.log?.error({ reason: error.message }, 'the embedded database broke and is started again'),
  })
  const pool = new pg.Pool({
    host: embedded.host,
    port: embedded.port,
    user: 'postgres',
    database: 'postgres',
    max: 1,
    idleTimeoutMillis: 0,
    // Only a transaction that waits for itself takes this long: it used the pool where it had to use `tx`.
    connectionTimeoutMillis: 60_000,
    types,
  })
  pool.on('error', (error) =>
    settings.log?.warn({ reason: error.message }, 'the connection to the embedded database broke'),
  )
  return asStore('embedded', pool, embedded.close)
}

/** How long a query in flight may hold up the end. */
const longestEndMs = 3_000

function asStore(kind: Store['kind'], pool: pg.Pool, stop: () => Promise<void>): Store {
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= Promise.race([pool.end(), sleep(longestEndMs, undefined, { ref: false })]).then(stop)
    return closing
  }
  return { pool, kind, close, [Symbol.asyncDispose]: close }
}

/** Connects to a PostgreSQL server, and waits for one that is still starting. */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Fault } from '../core/fault.ts'
import type { StoreLog } from './open.ts'
import { types } from './values.ts'

type ServerSettings = {
  databaseUrl: string
  log?: StoreLog | undefined
  connections?: number | undefined
  patienceMs?: number | undefined
}

/** What passes by itself: nothing listens, the name is not known yet, or the server is starting or full. */
const passing = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['ENOENT', 'EPIPE', '57P03', '57P01', '53300', '08006', '08001', '08P01'],
])

/**
 * A pool on the server, after it has answered once.
 * Throws `Fault('store-unreachable')`: at once where waiting cannot help (a wrong password, no such database),
 * else after `patienceMs`.
 */
export async function openServer(settings: ServerSettings): Promise<pg.Pool> {
  const address = describeAddress(settings.databaseUrl)
  const pool = new pg.Pool({
    connectionString: settings.databaseUrl,
    max: settings.connections ?? 10,
    connectionTimeoutMillis: Math.min(10_000, settings.patienceMs ?? 10_000),
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'quorum',
    types,
  })
  pool.on('error', () => {})
  try {
    await waitForAnswer(pool, address, settings)
    tellOutages(pool, address, settings.log)
    return pool
  } catch (error) {
    await pool.end()
    throw error
  }
}

/** Says once that the server is away, however many connections that breaks, and once that it is back. */
function tellOutages(pool: pg.Pool, address: string, log: StoreLog | undefined): void {
  let away = false
  const broke = (error: unknown) => {
    if (away || !isAway(error)) return
    away = true
    log?.warn({ reason: reason(error) }, `${address} is away; what needs it waits`)
  }
  const worked = () => {
    if (away) log?.info({}, `${address} is back`)
    away = false
  }
  pool.on('error', broke)
  pool.on('release', (error) => (error ? broke(error) : worked()))
  const connect = pool.connect.bind(pool)
  type Done = Parameters<typeof connect>[0]
  pool.connect = ((done?: Done) => {
    if (!done) {
      return connect().catch((error) => {
        broke(error)
        throw error
      })
    }
    return connect((error, client, release) => {
      if (error) broke(error)
      done(error, client, release)
    })
  }) as typeof pool.connect
}

async function waitForAnswer(pool: pg.Pool, address: string, settings: ServerSettings): Promise<void> {
  const end = Date.now() + (settings.patienceMs ?? 30_000)
  let told = ''
  for (let pause = 100; ; pause = Math.min(pause * 2, 3_000)) {
    try {
      await pool.query('select 1')
      return
    } catch (cause) {
      const retry = isAway(cause)
      if (!retry || Date.now() + pause > end) {
        throw new Fault('store-unreachable', `${address} cannot be used: ${reason(cause)}`, { retry, cause })
      }
      if (told !== reason(cause)) settings.log?.warn({ reason: reason(cause) }, `waiting for ${address}`)
      told = reason(cause)
      await sleep(pause)
    }
  }
}

/** Whether this is the server being away, not yet there or full: something that passes by itself. */
export function isAway(error: unknown): boolean {
  const parts = error instanceof AggregateError ? error.errors : [error]
  return parts.some(
    (part: { code?: string; message?: string } | undefined) =>
      passing.has(part?.code ?? '') || /timeout|terminated/i.test(part?.message ?? ''),
  )
}

function reason(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reason).join('; ')
  return error instanceof Error ? error.message : String(error)
}

/** The database in words, without user and password. */
function describeAddress(databaseUrl: string): string {
  let url: URL
  try {
    url = new URL(databaseUrl)
  } catch {
    // No cause: the driver's error would carry the whole address, password included.
    throw new Fault(
      'store-unreachable',
      'DATABASE_URL is not an address such as postgres://user:password@host/name',
    )
  }
  const host = url.hostname || url.searchParams.get('host') || 'localhost'
  const name = decodeURIComponent(url.pathname.slice(1)) || url.username || 'postgres'
  return `the database "${name}" at ${host}:${url.port || 5432}`
}

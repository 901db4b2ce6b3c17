/** Connections to Valkey or Redis that survive its absence. */
import { Redis } from 'ioredis'
import { Fault } from '../core/fault.ts'

/** Where the queue writes what an operator should know; pino's loggers fit. */
export type QueueLog = {
  info(about: object, message: string): void
  warn(about: object, message: string): void
}

type Settings = { log?: QueueLog | undefined; patienceMs?: number | undefined }

/** Refusals that waiting does not cure. */
const refused = /^(WRONGPASS|NOAUTH|NOPERM|ERR (invalid password|AUTH)|ERR invalid DB index|ERR DB index)/i

const options = {
  connectTimeout: 10_000,
  keepAlive: 10_000,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, 2_000) * (0.5 + Math.random() / 2),
  // A master that became a replica refuses writes: find the new one.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
}

/**
 * A connection for adding: a command fails at once while the server is away, and after 5 s without an answer.
 * Answers when connected; throws `Fault('queue-unreachable')` at once where the server refuses us, else after
 * `patienceMs`. Later it reconnects by itself, and says so once per outage.
 */
export async function connectProducer(url: string, settings: Settings): Promise<Redis> {
  const client = new Redis(url, {
    ...options,
    connectionName: 'quorum',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 5_000,
  })
  let last: Error | undefined
  client.on('error', (error) => {
    last = error
  })
  try {
    await waitForReady(client, url, settings, () => last)
  } catch (error) {
    client.disconnect()
    throw error
  }
  let away = false
  client.on('close', () => {
    if (away || client.status === 'end') return
    away = true
    settings.log?.warn({ reason: last?.message }, `${describeRedis(url)} is away; what waits is kept`)
  })
  client.on('ready', () => {
    if (away) settings.log?.info({}, `${describeRedis(url)} is back`)
    away = false
  })
  return client
}

/** A connection for taking: its commands wait for as long as the server is away. */
export function connectConsumer(url: string): Redis {
  const client = new Redis(url, { ...options, connectionName: 'quorum', maxRetriesPerRequest: null })
  client.on('error', () => {})
  return client
}

function waitForReady(
  client: Redis,
  url: string,
  settings: Settings,
  last: () => Error | undefined,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const fail = (retry: boolean) => {
    const why = last()?.message ?? 'it does not answer'
    reject(
      new Fault('queue-unreachable', `${describeRedis(url)} cannot be used: ${why}`, {
        retry,
        cause: last(),
      }),
    )
  }
  const limit = setTimeout(fail, settings.patienceMs ?? 30_000, true)
  let told = false
  const away = (error: Error) => {
    if (refused.test(error.message)) return fail(false)
    if (!told) settings.log?.warn({ reason: error.message }, `waiting for ${describeRedis(url)}`)
    told = true
  }
  client.on('error', away)
  client.once('ready', resolve)
  return promise.finally(() => {
    clearTimeout(limit)
    client.off('error', away)
    client.off('ready', resolve)
  })
}

/** The server in words, without user and password. */
export function describeRedis(url: string): string {
  const [, host] = /^rediss?:\/\/(?:[^@/]*@)?([^/?#]+)/.exec(url) ?? []
  if (!host)
    throw new Fault('queue-unreachable', 'REDIS_URL is not an address such as redis://:password@host:6379')
  return `the queue at ${host}`
}

/** Connections to Valkey or Redis that outlive its absence. */
import { Fault } from '../core/fault.ts'
import { type Address, type Client, createClient, describeAddress } from './address.ts'

/** Where the queue writes what an operator should know; pino's loggers fit. */
export type QueueLog = {
  info(about: object, message: string): void
  warn(about: object, message: string): void
}

type Settings = { log?: QueueLog | undefined; patienceMs?: number | undefined }

/** Refusals that waiting does not cure. */
const refused = /^(WRONGPASS|NOAUTH|NOPERM|ERR (invalid password|AUTH|Client sent AUTH|.*DB index))/i

/**
 * A connection for adding: a command fails at once while the server is away, and after 5 s without an answer.
 * Answers when connected; throws `Fault('queue-unreachable')` at once where the server refuses us, else after
 * `patienceMs`. Later it reconnects by itself, and says so once per outage.
 */
export async function connectProducer(address: Address, settings: Settings): Promise<Client> {
  const client = createClient(address, {
    connectionName: 'quorum',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 5_000,
  })
  let reason: string | undefined
  client.on('error', (error: Error) => {
    reason = error.message
  })
  const name = describeAddress(address)
  try {
    await waitForReady(client, name, settings)
  } catch (error) {
    client.disconnect()
    throw error
  }
  let away = false
  client.on('close', () => {
    if (away) return
    away = true
    settings.log?.warn({ reason }, `${name} is away; what waits is in the store`)
  })
  client.on('ready', () => {
    if (away) settings.log?.info({}, `${name} is back`)
    away = false
    reason = undefined
  })
  return client
}

/** Ends a connection for good, and says nothing about it. */
export function disconnect(client: Client): void {
  client.removeAllListeners('close')
  // A second time would start a timer that holds the process for 2 s.
  if (client.status !== 'end') client.disconnect()
}

/**
 * A connection for taking: its commands wait for as long as the server is away. `all` holds it and the copies
 * that were made of it, which would otherwise look for the server forever.
 */
export function connectConsumer(address: Address): { client: Client; all: Set<Client> } {
  const client = createClient(address, { connectionName: 'quorum', maxRetriesPerRequest: null })
  const all = new Set<Client>([client])
  client.on('error', () => {})
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => Client
  Object.assign(client, {
    duplicate: (...args: unknown[]) => {
      const copy = duplicate(...args)
      copy.on('error', () => {})
      all.add(copy)
      return copy
    },
  })
  return { client, all }
}

function waitForReady(client: Client, name: string, settings: Settings): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let last: Error | undefined
  const fail = (retry: boolean) => {
    const why = last?.message ?? 'it does not answer'
    reject(new Fault('queue-unreachable', `${name} cannot be used: ${why}`, { retry, cause: last }))
  }
  const limit = setTimeout(fail, settings.patienceMs ?? 30_000, true)
  const away = (error: Error) => {
    if (!last && !refused.test(error.message)) {
      settings.log?.warn({ reason: error.message }, `waiting for ${name}`)
    }
    last = error
    if (refused.test(error.message)) fail(false)
  }
  client.on('error', away)
  client.once('ready', resolve)
  return promise.finally(() => {
    clearTimeout(limit)
    client.off('error', away)
    client.off('ready', resolve)
  })
}

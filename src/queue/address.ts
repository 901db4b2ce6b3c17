/** Which Valkey or Redis is meant by an address. */
import { Cluster, Redis } from 'ioredis'
import { Fault } from '../core/fault.ts'

/**
 * - `redis://[user:password@]host[:port][/number]`, or `rediss://` for TLS; also a path of a Unix socket
 * - `redis+sentinel://[user:password@]host:port,host:port/master[/number]`: user and password are the server's
 * - `redis+cluster://[user:password@]host:port,host:port`
 *
 * With `rediss+…` the last two use TLS too. What is not a letter or digit in user and password is written as
 * in every URL, `%40` for `@`.
 */
export type Address = {
  kind: 'single' | 'sentinel' | 'cluster'
  url: string
  nodes: { host: string; port: number }[]
  tls: boolean
  login: { username?: string; password?: string }
  master: string
  db: number
}

/** One connection, or one to each node of a cluster. */
export type Client = Redis | Cluster

/** What both kinds of client are told. */
type ClientOptions = {
  connectionName: string
  maxRetriesPerRequest: number | null
  enableOfflineQueue?: boolean
  commandTimeout?: number
}

const form = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?[^#]*)?$/

/** Throws `Fault('queue-unreachable')` where it is no address; the message does not repeat it. */
export function readAddress(url: string): Address {
  if (url.startsWith('/')) return { ...single, url, nodes: [{ host: url, port: 0 }] }
  const [, scheme, kind, login, hosts, rest = ''] = form.exec(url) ?? []
  const path = rest.split('/')
  if (!hosts || (kind === 'sentinel' && !path[0])) {
    const forms = 'redis://:password@host:6379 or redis+sentinel://host:26379,host:26379/master'
    throw new Fault('queue-unreachable', `REDIS_URL is not an address such as ${forms}`)
  }
  const port = kind === 'sentinel' ? 26379 : 6379
  return {
    kind: (kind as 'sentinel' | 'cluster' | undefined) ?? 'single',
    url,
    nodes: hosts.split(',').map((node) => readNode(node, port)),
    tls: scheme === 'rediss',
    login: readLogin(login),
    master: kind === 'sentinel' ? decodeURIComponent(path[0] as string) : '',
    db: Number(kind === 'sentinel' ? path[1] : path[0]) || 0,
  }
}

const single = { kind: 'single' as const, tls: false, login: {}, master: '', db: 0 }

function readNode(node: string, otherwise: number): { host: string; port: number } {
  const [, host = node, port] = /^(.*?)(?::(\d+))?$/.exec(node) ?? []
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? otherwise) }
}

function readLogin(login = ''): Address['login'] {
  if (!login) return {}
  const [username = '', password = ''] = login.split(':').map(decodeURIComponent)
  return { ...(username && { username }), ...(password && { password }) }
}

/** The server in words, without user and password. */
export function describeAddress(address: Address): string {
  const nodes = address.nodes.map(({ host, port }) => (port ? `${host}:${port}` : host))
  return `the queue at ${nodes.join(', ')}`
}

/** Soon at first, at most every 2 s, and not all at once. */
const retryPause = (attempt: number) => Math.min(50 * 2 ** attempt, 2_000) * (0.5 + Math.random() / 2)

const lasting = {
  connectTimeout: 10_000,
  keepAlive: 10_000,
  retryStrategy: retryPause,
  // A master that became a replica refuses writes: find the new one.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
}

/** A client that connects by itself, and again after every break. */
export function createClient(address: Address, options: ClientOptions): Client {
  const { kind, nodes, login, master, db } = address
  const tls = address.tls ? { tls: {} } : {}
  if (kind === 'single') return new Redis(address.url, { ...lasting, ...options })
  if (kind === 'sentinel') {
    const sentinel = { sentinels: nodes, name: master, sentinelRetryStrategy: retryPause, db }
    const tlsToo = address.tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}
    return new Redis({ ...lasting, ...options, ...login, ...tls, ...tlsToo, ...sentinel })
  }
  const { connectionName, maxRetriesPerRequest, enableOfflineQueue = true, commandTimeout } = options
  const each = { ...lasting, ...login, ...tls, connectionName, maxRetriesPerRequest }
  return new Cluster(nodes, {
    clusterRetryStrategy: retryPause,
    enableOfflineQueue,
    redisOptions: commandTimeout ? { ...each, commandTimeout } : each,
  })
}

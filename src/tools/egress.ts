/**
 * The guard of everything that leaves for a tool server over HTTP, OAuth included. It looks at the very address
 * that is connected to, after the name was resolved, so that no name can lead elsewhere between look and leap.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { Agent, buildConnector, type RequestInit as UndiciInit, fetch as undiciFetch } from 'undici'
import { hostFits } from '../core/addresses.ts'
import { Fault } from '../core/fault.ts'
import { type AddressKind, addressKind } from './address.ts'
import { capped } from './capped.ts'

/** How long a connection may take to be made, in milliseconds. */
const CONNECT_MS = 10_000
const MAX_HOPS = 5
/** Largest body that is read, in bytes, where nothing else is said. */
const MAX_BYTES = 1024 * 1024

/** All addresses of a name. */
export type Lookup = (hostname: string) => Promise<{ address: string; family: number }[]>

/** Whom a request goes to, and how far it may go. */
export type Guard = {
  /** The server's name in mcp.json, for sentences. */
  server: string
  /** Its address in mcp.json: writing it there lists this host and port, private or not. */
  url: URL
  /** The only hosts it may be reached at, as rules of policy.yaml write them; any public one where left out. */
  egress?: readonly string[] | undefined
  lookup?: Lookup
}

export type GuardedFetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/** Headers that may go along to another origin; any other may carry a secret. */
const HARMLESS = new Set(['accept', 'accept-language', 'mcp-protocol-version'])

/**
 * A `fetch` that reaches allowed hosts at allowed addresses only; what it refuses is a Fault `tool-refused` whose
 * sentence names host, address and what to list. Redirects are followed up to five times, each guarded again:
 * within an origin as they are, to another only without a body and without any header that may carry a secret.
 *
 * @param options.maxBytes largest body, or largest single event of a stream, that is read
 * @param options.timeoutMs how long the whole answer may take
 */
export function guardedFetch(
  guard: Guard,
  options: { maxBytes?: number; timeoutMs?: number; onOversized?: () => void } = {},
): GuardedFetch {
  const { maxBytes = MAX_BYTES, timeoutMs, onOversized = () => {} } = options
  const dispatcher = new Agent({ connect: guardedConnect(guard), allowH2: false })

  async function once(url: URL, init: RequestInit): Promise<Response> {
    try {
      const sent = { ...init, redirect: 'manual', dispatcher } as unknown as UndiciInit
      return (await undiciFetch(url.href, sent)) as unknown as Response
    } catch (error) {
      throw refusalIn(error) ?? error
    }
  }

  return async (to, init = {}) => {
    const late = timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)]
    const signals = [...(init.signal ? [init.signal] : []), ...late]
    let url = new URL(String(to))
    let sent: RequestInit = signals.length > 0 ? { ...init, signal: AbortSignal.any(signals) } : init
    for (let hop = 0; ; hop++) {
      const response = await once(url, sent)
      const next = redirectOf(response, url)
      const leave = (init.redirect ?? 'follow') !== 'follow'
      if (!next || (leave && reads(sent))) return capped(response, maxBytes, onOversized)
      const onward = follow(sent, response.status, url, next)
      if (leave) return capped(response, maxBytes, onOversized)
      await response.body?.cancel()
      if (hop === MAX_HOPS) throw refuse(`${url.host} redirects more than ${MAX_HOPS} times`)
      sent = onward
      url = next
    }
  }
}

function reads(sent: RequestInit): boolean {
  return /^(GET|HEAD)$/i.test(sent.method ?? 'GET')
}

function redirectOf(response: Response, from: URL): URL | undefined {
  const location = response.headers.get('location')
  if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return undefined
  return URL.canParse(location, from.href) ? new URL(location, from.href) : undefined
}

/** What is sent to where a redirect points. */
function follow(sent: RequestInit, status: number, from: URL, to: URL): RequestInit {
  const redirects = `${from.host} redirects to ${to.protocol}//${to.host}`
  if (!/^https?:$/.test(to.protocol) || to.username !== '' || to.password !== '') {
    throw refuse(`${redirects}, which is no plain web address`)
  }
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw refuse(`${redirects}, which is not encrypted`)
  }
  if (!reads(sent) && status < 307) throw refuse(`${redirects} in a way that loses what was sent`)
  if (from.origin === to.origin) return sent
  if (!reads(sent)) {
    throw refuse(
      `${redirects}, which was not followed; if the server lives there, write that address into mcp.json`,
    )
  }
  const headers = [...new Headers(sent.headers)].filter(([name]) => HARMLESS.has(name))
  return { ...sent, headers: Object.fromEntries(headers) }
}

/** Connects to addresses that were looked at, never to a name. */
function guardedConnect(guard: Guard): buildConnector.connector {
  const plain = (pinned?: Awaited<ReturnType<Lookup>>) =>
    buildConnector({
      timeout: CONNECT_MS,
      allowH2: false,
      ...(pinned && {
        lookup: (_name: string, wanted: { all?: boolean }, done: (...answer: unknown[]) => void) => {
          const [first] = pinned
          if (wanted.all) done(null, pinned)
          else done(null, first?.address, first?.family)
        },
      }),
    } as buildConnector.BuildOptions)
  return (target, done) => {
    const host = target.hostname.replace(/^\[|\]$/g, '')
    const port = Number(target.port || (target.protocol === 'https:' ? 443 : 80))
    looked(guard, host, port).then(
      (pinned) => plain(isIP(host) ? undefined : pinned)(target, done),
      (error: Error) => done(error, null),
    )
  }
}

/**
 * The addresses of a host, each looked at.
 *
 * @throws Fault tool-refused where the host, or one of its addresses, is not allowed
 */
async function looked(guard: Guard, host: string, port: number): ReturnType<Lookup> {
  const { server, url, egress } = guard
  const listed = (egress ?? []).filter((entry) => hostFits(entry, { host, port }))
  if (egress && listed.length === 0) {
    const hosts = egress.length > 0 ? egress.join(', ') : 'none'
    throw refuse(
      `${host}:${port} is not among the hosts policy.yaml lists under egress for ${server} (${hosts})`,
    )
  }
  const own = egress === undefined && host === bareHost(url) && port === portOf(url)
  const exact = own || listed.some((entry) => !entry.startsWith('*.'))
  const resolve = guard.lookup ?? ((name: string) => lookup(name, { all: true }))
  const family = isIP(host)
  const found = family > 0 ? [{ address: host, family }] : await resolve(host)
  for (const { address } of found) {
    const kind = addressKind(address)
    if (kind === 'public' || (exact && kind === 'private')) continue
    throw refuse(closed(server, host, port, address, kind))
  }
  if (found.length === 0) throw refuse(`${host} has no address`)
  return found
}

function closed(server: string, host: string, port: number, address: string, kind: AddressKind): string {
  const leads = address === host ? `${host}:${port} is` : `${host}:${port} leads to ${address},`
  if (kind === 'special') return `${leads} a link-local or reserved address, which ${server} may not reach`
  return `${leads} a private address; if ${server} may reach it, list "${host}:${port}" under egress in policy.yaml`
}

function refuse(why: string): Fault {
  return new Fault('tool-refused', why)
}

/** The refusal of the guard inside what `fetch` throws. */
function refusalIn(error: unknown): Fault | undefined {
  for (let inner = error, depth = 0; inner instanceof Error && depth < 5; depth++) {
    if (inner instanceof Fault) return inner
    inner = inner.cause
  }
  return undefined
}

function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80))
}

/** The pages that a sitemap lists, read as documents: one at a time, as their site wants it. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SourceDocument } from '../core/chunk.ts'
import { Fault } from '../core/fault.ts'
import { matches } from '../core/pattern.ts'
import { decodeText } from './decode.ts'
import { type Entry, skip, type Unreadable } from './entry.ts'
import { BINARY, formatOfType } from './format.ts'
import { ROBOT, readHead } from './page-head.ts'
import { openReader, type Reader } from './reader.ts'
import { readRobotsTxt } from './robots.ts'
import { LARGEST_SITEMAP, type Listed, readSitemap } from './sitemap.ts'

/**
 * Gets something of the web; a redirect is an answer. Throws where it does not come: a `Fault` where it must not be
 * asked for, in a sentence. It sees to it that nothing takes too long.
 */
export type WebFetch = (
  url: string,
  init: { headers: Record<string, string>; signal?: AbortSignal },
) => Promise<Response>

export type WebSite = {
  sitemap: string
  include?: readonly string[] | undefined
  exclude: readonly string[]
  maxPages: number
  /** Hosts beside the sitemap's on which pages may stand, with a port where it is not the usual one. */
  hosts: readonly string[]
}

/** What is remembered of a page from the last reading, so that it need not be sent again. */
export type Seen = { etag?: string; modified?: string; path: string; fingerprint: string; date?: string }

export type WebReader = {
  fetch: WebFetch
  seen(url: string): Promise<Seen | undefined>
  remember(url: string, seen: Seen): Promise<void>
  signal?: AbortSignal | undefined
  /** Between two requests to one host at least, in ms; 1 s where left out. robots.txt may ask for more. */
  pauseMs?: number
}

const LARGEST_PAGE = 10 * 1024 * 1024
/** What of robots.txt is read; the standard asks for as much. */
const LARGEST_ROBOTS = 500 * 1024
const MOST_SITEMAPS = 200
const MOST_HOPS = 5
const LONGEST_URL = 1_000
/** The longest pause that robots.txt gets, and that a busy site gets once, in ms. */
const LONGEST_PAUSE_MS = 30_000
/** So many pages in a row that did not come: the site is away. */
const MOST_FAILURES = 5
const AGENT = `${ROBOT}/1 (a team's assistant, reading what sitemap and robots.txt offer)`
const READABLE = /^(text\/(html|plain|markdown|x-markdown)|application\/(xhtml\+xml|pdf))$/

/**
 * Reads a site's pages in the order of its sitemap. A page that answers 404, 410, 401 or 403, that asks not to be
 * indexed or is no text, is not there; one that does not come at all stays as it is kept. Pages of one canonical
 * address are one.
 *
 * @throws Fault `source-unreadable` where the sitemap or robots.txt does not come, or page after page
 */
export async function* readWeb(site: WebSite, reader: WebReader): AsyncGenerator<Entry> {
  const hosts = new Set([new URL(site.sitemap).host, ...site.hosts])
  const visit = openVisits(reader, hosts)
  await using parts = openReader({ signal: reader.signal })
  const known = new Set<string>()
  let failures = 0
  for await (const listed of listPages(site, visit)) {
    if ('skipped' in listed) {
      yield listed
      continue
    }
    const read = await readPage(listed, { visit, reader, parts, hosts })
    failures = 'failed' in read ? failures + 1 : 0
    if (failures === MOST_FAILURES) throw unreadable(site.sitemap, 'page after page does not come')
    if ('failed' in read) yield skip(listed.url, read.failed, true)
    else if ('found' in read && known.has(read.found.path)) continue
    else {
      if ('found' in read) known.add(read.found.path)
      yield read
    }
  }
}

function unreadable(url: string, why: string): Fault {
  return new Fault('source-unreadable', `The pages of ${url} cannot be read: ${why}.`)
}

/** The pages that are to be read, from all sitemaps that the first one leads to. */
async function* listPages(
  site: WebSite,
  visit: Visits,
): AsyncGenerator<Listed | Extract<Entry, { skipped: unknown }>> {
  const waiting = [site.sitemap]
  const opened = new Set<string>()
  const offered = new Set<string>()
  while (waiting.length > 0) {
    const at = waiting.shift() ?? ''
    const url = addressOf(at, site.sitemap)
    if (!url || opened.has(url.href)) continue
    opened.add(url.href)
    // Which pages a sitemap that is not read would have told of is not known, so none may be forgotten for that.
    if (opened.size > MOST_SITEMAPS)
      throw unreadable(site.sitemap, `it leads to more than ${MOST_SITEMAPS} sitemaps`)
    const sitemap = await openSitemap(url.href, visit)
    if ('why' in sitemap) throw unreadable(url.href, sitemap.why)
    waiting.push(...sitemap.sitemaps)
    for (const { url: raw, ...rest } of sitemap.pages) {
      const page = addressOf(raw, url.href)
      if (!page || offered.has(page.href) || !wanted(page.href, site)) continue
      offered.add(page.href)
      if (offered.size > site.maxPages) {
        yield skip(page.href, `\`maxPages\` is ${site.maxPages}; this page and what follows it is not read`)
        return
      }
      yield { url: page.href, ...rest }
    }
  }
}

function addressOf(text: string, base: string): URL | undefined {
  if (!URL.canParse(text, base)) return undefined
  const url = new URL(text, base)
  url.hash = ''
  return /^https?:$/.test(url.protocol) && url.username === '' && url.href.length <= LONGEST_URL
    ? url
    : undefined
}

function wanted(url: string, { include, exclude }: WebSite): boolean {
  const among = (patterns: readonly string[]) => patterns.some((pattern) => matches(pattern, url))
  return (include === undefined || among(include)) && !among(exclude)
}

async function openSitemap(url: string, visit: Visits) {
  const answer = await visit(url, {}, LARGEST_SITEMAP)
  if ('why' in answer) return answer
  if (answer.response.status !== 200) return { why: `its sitemap answers ${answer.response.status}` }
  try {
    return await readSitemap(answer.bytes)
  } catch (error) {
    return { why: `its sitemap is broken: ${(error as Error).message}` }
  }
}

type Reading = { visit: Visits; reader: WebReader; parts: Reader; hosts: ReadonlySet<string> }

async function readPage(
  { url, modified }: Listed,
  { visit, reader, parts, hosts }: Reading,
): Promise<Entry | { failed: string }> {
  const seen = await reader.seen(url)
  const answer = await visit(url, conditions(seen), LARGEST_PAGE)
  if ('why' in answer) return answer.away ? { failed: answer.why } : skip(url, answer.why)
  const { response, bytes, final } = answer
  const { status } = response
  if (status === 304 && seen)
    return { found: { ...foundOf(seen), read: again(url, seen.path, visit, parts) } }
  if (status >= 500 || status === 429 || status === 304)
    return { failed: `it does not come: the server answers ${status}` }
  if (status !== 200) return skip(url, `the server answers ${status}`)
  const type = typeOf(response)
  if (!READABLE.test(type)) return skip(url, `it is ${type || 'of no known type'}, not a page of text`)
  const { unwanted, canonical } = headOf(type, bytes, final, response)
  if (unwanted) return skip(url, 'it asks not to be indexed')
  const path = canonical && hosts.has(new URL(canonical).host) ? canonical : final
  if (path.length > LONGEST_URL) return skip(url, `its address is longer than ${LONGEST_URL} characters`)
  const now = seenOf(response, { path, bytes, modified })
  await reader.remember(url, now)
  return { found: { ...foundOf(now), read: () => take({ path, response, bytes }, parts) } }
}

function conditions(seen: Seen | undefined): Record<string, string> {
  return {
    ...(seen?.etag ? { 'if-none-match': seen.etag } : {}),
    ...(seen?.modified ? { 'if-modified-since': seen.modified } : {}),
  }
}

/** Opened at its first words, which browsers look for. */
function foundOf({ path, fingerprint, date }: Seen) {
  return { path, link: `${path}#:~:text={text}`, fingerprint, ...(date ? { date } : {}) }
}

function seenOf(
  { headers }: Response,
  { path, bytes, modified: listed }: { path: string; bytes: Uint8Array; modified: string | undefined },
): Seen {
  const etag = headers.get('etag')
  const modified = headers.get('last-modified')
  const time = modified ? new Date(modified) : undefined
  const date = listed ?? (time && !Number.isNaN(time.getTime()) ? time.toISOString().slice(0, 10) : undefined)
  return {
    path,
    fingerprint: createHash('sha256').update(bytes).digest('hex'),
    ...(etag ? { etag } : {}),
    ...(modified ? { modified } : {}),
    ...(date ? { date } : {}),
  }
}

/** A page that has not changed, and is to be taken apart all the same: asked for once more, without conditions. */
function again(url: string, path: string, visit: Visits, parts: Reader) {
  return async (): Promise<SourceDocument | Unreadable> => {
    const answer = await visit(url, {}, LARGEST_PAGE)
    if ('why' in answer) return { why: answer.why }
    const { response, bytes } = answer
    if (response.status !== 200) return { why: `the server answers ${response.status}` }
    return take({ path, response, bytes }, parts)
  }
}

async function take(
  { path, response, bytes }: { path: string; response: Response; bytes: Uint8Array },
  parts: Reader,
): Promise<SourceDocument | Unreadable> {
  const format = formatOfType(typeOf(response)) ?? 'text'
  if (BINARY.has(format)) return parts.read({ file: path, format, content: bytes })
  const text = textOf(response, bytes)
  return text === undefined ? { why: 'it is no text' } : parts.read({ file: path, format, content: text })
}

function typeOf({ headers }: Response): string {
  return headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
}

/** Text in the encoding that the server or the page names, else in the one it looks like. */
function textOf({ headers }: Response, bytes: Uint8Array): string | undefined {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 2_000))
  const [, named = ''] =
    /charset=["']?([\w-]+)/i.exec(headers.get('content-type') ?? '') ??
    /<meta[^>]+charset=["']?([\w-]+)/i.exec(head) ??
    []
  if (named === '' || /^utf-?8$/i.test(named)) return decodeText(bytes)
  try {
    return new TextDecoder(named).decode(bytes)
  } catch {
    return decodeText(bytes)
  }
}

function headOf(type: string, bytes: Uint8Array, url: string, { headers }: Response) {
  const html = /html/.test(type) ? new TextDecoder('latin1').decode(bytes.subarray(0, 256 * 1024)) : ''
  return readHead(html, url, headers.get('x-robots-tag'))
}

type Visited =
  | { response: Response; bytes: Uint8Array; final: string }
  /** `away`: it may come another time. */
  | { why: string; away: boolean }
type Visits = (url: string, headers: Record<string, string>, maxBytes: number) => Promise<Visited>

/** Requests in the manner a site wants: what robots.txt allows, and with a pause before the next one to a host. */
function openVisits({ fetch, signal, pauseMs = 1_000 }: WebReader, hosts: ReadonlySet<string>): Visits {
  const rules = new Map<string, Promise<Rules>>()
  const freeAt = new Map<string, number>()
  let last: Promise<unknown> = Promise.resolve()

  /** One at a time, also where a page is asked for once more while the next one is looked for. */
  function request(
    url: URL,
    headers: Record<string, string>,
    maxBytes: number,
    ms: number,
  ): Promise<Visited> {
    const visited = last.then(() => requestAlone(url, headers, maxBytes, ms))
    last = visited.catch(() => {})
    return visited
  }

  async function requestAlone(
    url: URL,
    headers: Record<string, string>,
    maxBytes: number,
    ms: number,
  ): Promise<Visited> {
    await pause((freeAt.get(url.host) ?? 0) - performance.now(), signal)
    try {
      const init = { headers: { 'user-agent': AGENT, ...headers }, ...(signal ? { signal } : {}) }
      const response = await fetch(url.href, init)
      const bytes = await bodyOf(response, maxBytes)
      if (!bytes) return { why: `it is larger than ${maxBytes / 1024 / 1024} MB`, away: false }
      return { response, bytes, final: url.href }
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof Fault) return { why: error.message, away: false }
      return { why: `it does not come: ${reasonOf(error)}`, away: true }
    } finally {
      freeAt.set(url.host, performance.now() + ms)
    }
  }

  function robotsOf({ origin }: URL): Promise<Rules> {
    const known = rules.get(origin) ?? readRobots(origin, hosts, (at) => request(at, {}, LARGEST_ROBOTS, 0))
    rules.set(origin, known)
    return known
  }

  async function once(url: URL, headers: Record<string, string>, maxBytes: number): Promise<Visited> {
    if (!hosts.has(url.host))
      return { why: `it is on ${url.host}, which \`hosts\` does not name`, away: false }
    const robots = await robotsOf(url)
    if (robots.refused) return robots.refused
    if (!robots.allows(url.pathname + url.search))
      return { why: 'robots.txt asks not to read it', away: false }
    const ms = Math.max(pauseMs, robots.pauseMs)
    const visited = await request(url, headers, maxBytes, ms)
    if (!('response' in visited) || ![429, 503].includes(visited.response.status)) return visited
    await pause(retryAfter(visited.response), signal)
    return request(url, headers, maxBytes, ms)
  }

  return async (first, headers, maxBytes) => {
    let url = new URL(first)
    for (let hop = 0; ; hop++) {
      const visited = await once(url, headers, maxBytes)
      const to = 'response' in visited ? redirectOf(visited.response) : undefined
      if (to === undefined) return visited
      const next = addressOf(to, url.href)
      if (!next) return { why: 'it leads to what is no web address', away: false }
      if (hop === MOST_HOPS) return { why: `it leads on more than ${MOST_HOPS} times`, away: false }
      url = next
    }
  }
}

/** The body of an answer; undefined where it is larger than it may be. */
async function bodyOf(response: Response, most: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > most) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function redirectOf({ status, headers }: Response): string | undefined {
  return [301, 302, 303, 307, 308].includes(status) ? (headers.get('location') ?? undefined) : undefined
}

type Rules = { allows(path: string): boolean; pauseMs: number; refused?: { why: string; away: boolean } }

/** By RFC 9309: no such file allows everything; a server that does not say so allows nothing. */
async function readRobots(
  origin: string,
  hosts: ReadonlySet<string>,
  get: (url: URL) => Promise<Visited>,
): Promise<Rules> {
  let answer = await get(new URL('/robots.txt', origin))
  for (let hop = 0; hop < MOST_HOPS; hop++) {
    const to = 'response' in answer ? redirectOf(answer.response) : undefined
    const next = to && addressOf(to, origin)
    if (!next || !hosts.has(next.host)) break
    answer = await get(next)
  }
  const all: Rules = { allows: () => true, pauseMs: 0 }
  const refused = (why: string, away: boolean) => ({
    ...all,
    refused: { why: `robots.txt of ${new URL(origin).host} does not come (${why})`, away },
  })
  if ('why' in answer) return refused(answer.why, answer.away)
  const { status } = answer.response
  if (status >= 500 || status === 429) return refused(`the server answers ${status}`, true)
  if (status !== 200) return all
  const robots = readRobotsTxt(new TextDecoder().decode(answer.bytes), ROBOT)
  return { allows: robots.allows, pauseMs: Math.min((robots.delay ?? 0) * 1000, LONGEST_PAUSE_MS) }
}

function retryAfter({ headers }: Response): number {
  const value = headers.get('retry-after') ?? ''
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_PAUSE_MS) : 1_000
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, signal ? { signal } : {})
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return 'it takes too long'
  return error.cause instanceof Error ? error.cause.message || error.message : error.message
}

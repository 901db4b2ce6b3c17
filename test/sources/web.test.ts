import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { webFetch } from '../../src/doors/web.ts'
import type { Entry } from '../../src/sources/entry.ts'
import { readWeb, type Seen, type WebSite } from '../../src/sources/web.ts'

type Page = (request: IncomingMessage, response: ServerResponse) => void
type Site = Record<
  string,
  Page | string | { type?: string; status?: number; headers?: Record<string, string>; body?: string | Buffer }
>

let server: Server
let origin: string
let site: Site
let asked: { url: string; at: number; headers: IncomingMessage['headers'] }[]
let memory: Map<string, Seen>

beforeEach(async () => {
  site = {}
  asked = []
  memory = new Map()
  server = createServer((request, response) => {
    const url = request.url ?? '/'
    asked.push({ url, at: performance.now(), headers: request.headers })
    const page = Object.hasOwn(site, url) ? site[url] : undefined
    if (typeof page === 'function') return page(request, response)
    if (page === undefined) return response.writeHead(404).end()
    const {
      type = 'text/html; charset=utf-8',
      status = 200,
      headers = {},
      body = '',
    } = typeof page === 'string' ? { body: page } : page
    response.writeHead(status, { 'content-type': type, ...headers }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const sitemap = (...paths: string[]) =>
  `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${paths
    .map((path) => `<url><loc>${path.startsWith('http') ? path : origin + path}</loc></url>`)
    .join('')}</urlset>`
const index = (...paths: string[]) =>
  `<sitemapindex>${paths.map((path) => `<sitemap><loc>${origin}${path}</loc></sitemap>`).join('')}</sitemapindex>`
const html = (title: string, words: string, head = '') =>
  `<html><head><title>${title}</title>${head}</head><body><main><h1>${title}</h1><p>${words}</p></main></body></html>`

/** Everything a reading gives, each page's words or why it was skipped, by its path on the site. */
async function read(more: Partial<WebSite> = {}, pauseMs = 0): Promise<Record<string, string>> {
  const seen: Record<string, string> = {}
  const from: WebSite = { sitemap: `${origin}/sitemap.xml`, exclude: [], maxPages: 100, hosts: [], ...more }
  const reader = {
    fetch: webFetch('site', [new URL(from.sitemap).host, ...from.hosts]),
    seen: async (url: string) => memory.get(url),
    remember: async (url: string, page: Seen) => void memory.set(url, page),
    pauseMs,
  }
  for await (const entry of readWeb(from, reader)) seen[pathOf(entry)] = await tell(entry)
  return seen
}

const pathOf = (entry: Entry) =>
  ('found' in entry ? entry.found.path : entry.skipped.path).replace(origin, '')
async function tell(entry: Entry): Promise<string> {
  if ('skipped' in entry) return `${entry.skipped.unsure ? 'unsure' : 'skipped'}: ${entry.skipped.why}`
  const document = await entry.found.read()
  return 'why' in document ? `broken: ${document.why}` : document.text.replace(/\s+/g, ' ').trim()
}

test('pages of all sitemaps, packed ones too, as text with their addresses', async () => {
  site['/sitemap.xml'] = index('/a.xml', '/b.xml.gz', '/sitemap.xml')
  site['/a.xml'] = sitemap('/one', '/two.md', '/one#again')
  site['/b.xml.gz'] = { type: 'application/gzip', body: gzipSync(sitemap('/three', '/picture')) }
  site['/one'] = html('One', 'The kettle is in the kitchen.', '<style>p{}</style>')
  site['/two.md'] = { type: 'text/markdown', body: '# Two\n\nThe safe is *not* there.' }
  site['/three'] = { type: 'text/plain', body: 'Plain words.' }
  site['/picture'] = { type: 'image/png', body: 'x' }
  expect(await read()).toEqual({
    '/one': expect.stringMatching(/One The kettle is in the kitchen\./),
    '/two.md': '# Two The safe is *not* there.',
    '/three': 'Plain words.',
    '/picture': 'skipped: it is image/png, not a page of text',
  })
})

test('what is included and excluded, and no more than is wanted', async () => {
  site['/sitemap.xml'] = sitemap('/docs/a', '/docs/b', '/blog/c', '/docs/private/d', '/docs/e')
  for (const path of ['/docs/a', '/docs/b', '/blog/c', '/docs/private/d', '/docs/e'])
    site[path] = html(path, 'x')
  const found = await read({ include: [`${origin}/docs/*`], exclude: ['*/private/*'], maxPages: 2 })
  expect(Object.keys(found)).toEqual(['/docs/a', '/docs/b', '/docs/e'])
  expect(found['/docs/e']).toMatch(/^skipped: `maxPages` is 2/)
  expect(asked.map(({ url }) => url)).not.toContain('/docs/private/d')
})

test('robots.txt is obeyed, and asked for once', async () => {
  site['/robots.txt'] = {
    type: 'text/plain',
    body: 'User-agent: *\nDisallow: /\n\nUser-agent: quorum\nDisallow: /secret\nAllow: /secret/but$\n',
  }
  site['/sitemap.xml'] = sitemap('/open', '/secret/plan', '/secret/but', '/leads')
  for (const path of ['/open', '/secret/plan', '/secret/but']) site[path] = html(path, 'words')
  site['/leads'] = { status: 302, headers: { location: '/secret/plan' } }
  const found = await read()
  expect(found['/open']).toMatch(/words/)
  expect(found['/secret/but']).toMatch(/words/)
  expect(found['/secret/plan']).toBe('skipped: robots.txt asks not to read it')
  expect(found['/leads']).toBe('skipped: robots.txt asks not to read it')
  const urls = asked.map(({ url }) => url)
  expect(urls.filter((url) => url === '/robots.txt')).toHaveLength(1)
  expect(urls).not.toContain('/secret/plan')
})

test('a site whose robots.txt does not come is not read at all', async () => {
  site['/robots.txt'] = { status: 503, headers: { 'retry-after': '0' } }
  site['/sitemap.xml'] = sitemap('/open')
  site['/open'] = html('Open', 'words')
  await expect(read()).rejects.toThrow(/robots\.txt of .* does not come \(the server answers 503\)/)
})

test('one request at a time, with the pause that is asked for', async () => {
  site['/robots.txt'] = { type: 'text/plain', body: 'User-agent: *\nCrawl-delay: 0.2' }
  site['/sitemap.xml'] = sitemap('/a', '/b')
  site['/a'] = html('A', 'x')
  site['/b'] = html('B', 'x')
  await read()
  const times = asked.filter(({ url }) => url !== '/robots.txt').map(({ at }) => at)
  for (const [n, at] of times.slice(1).entries()) expect(at - (times[n] ?? 0)).toBeGreaterThanOrEqual(190)
  expect(asked[0]?.headers['user-agent']).toMatch(/^quorum\/1 /)
})

test('a page that has not changed is not sent again, and can be read all the same', async () => {
  let sent = 0
  site['/sitemap.xml'] = sitemap('/page')
  site['/page'] = (request, response) => {
    if (request.headers['if-none-match'] === '"v1"') return response.writeHead(304).end()
    sent += 1
    response.writeHead(200, {
      'content-type': 'text/html',
      etag: '"v1"',
      'last-modified': 'Tue, 03 Nov 2026 10:00:00 GMT',
    })
    response.end(html('Page', 'words'))
  }
  const before = await read()
  expect(sent).toBe(1)
  expect(memory.get(`${origin}/page`)).toMatchObject({ etag: '"v1"', date: '2026-11-03' })
  expect(await read()).toEqual(before)
  expect(sent).toBe(2) // The second time because it was taken apart.
})

test('what asks not to be indexed is not; pages of one address are one', async () => {
  site['/sitemap.xml'] = sitemap('/a', '/b', '/c?utm=1', '/c', '/d')
  site['/a'] = html('A', 'x', '<meta name="ROBOTS" content="noindex, follow">')
  site['/b'] = { headers: { 'x-robots-tag': 'otherbot: noindex, nofollow' }, body: html('B', 'words') }
  site['/c?utm=1'] = html('C', 'words', '<link rel="canonical" href="/c">')
  site['/c'] = html('C', 'words', '<link rel="canonical" href="/c">')
  site['/d'] = { headers: { 'x-robots-tag': 'noindex' }, body: html('D', 'x') }
  const found = await read()
  expect(Object.keys(found).sort()).toEqual(['/a', '/b', '/c', '/d'])
  expect([found['/a'], found['/d']]).toEqual(Array(2).fill('skipped: it asks not to be indexed'))
})

test('gone is gone; away is as it was', async () => {
  site['/sitemap.xml'] = sitemap('/gone', '/lost', '/closed', '/broken', '/cut', '/well')
  site['/gone'] = { status: 410 }
  site['/closed'] = { status: 403 }
  site['/broken'] = { status: 500 }
  site['/cut'] = (request) => request.socket.destroy()
  site['/well'] = html('Well', 'words')
  expect(await read()).toEqual({
    '/gone': 'skipped: the server answers 410',
    '/lost': 'skipped: the server answers 404',
    '/closed': 'skipped: the server answers 403',
    '/broken': 'unsure: it does not come: the server answers 500',
    '/cut': expect.stringMatching(/^unsure: it does not come: /),
    '/well': expect.stringMatching(/words/),
  })
})

test('a busy site is given the time it asks for, once', async () => {
  let times = 0
  site['/sitemap.xml'] = sitemap('/busy')
  site['/busy'] = (_, response) => {
    if (times++ === 0) return response.writeHead(429, { 'retry-after': '1' }).end()
    response.writeHead(200, { 'content-type': 'text/html' }).end(html('Busy', 'words'))
  }
  expect((await read())['/busy']).toMatch(/words/)
})

test('a site that is away ends the reading, and so does a sitemap that does not come', async () => {
  const paths = Array.from({ length: 20 }, (_, n) => `/p${n}`)
  site['/sitemap.xml'] = sitemap(...paths)
  for (const path of paths) site[path] = { status: 502 }
  await expect(read()).rejects.toThrow('page after page does not come')
  expect(asked.length).toBeLessThan(10)
  site['/sitemap.xml'] = index('/part.xml')
  site['/part.xml'] = { status: 500 }
  await expect(read()).rejects.toThrow('its sitemap answers 500')
})

test('other hosts only where they are named, private ones by no way around', async () => {
  const { port } = new URL(origin)
  site['/sitemap.xml'] = sitemap(
    `http://localhost:${port}/elsewhere`,
    '/leads',
    '/metadata',
    'ftp://x.example/y',
  )
  site['/elsewhere'] = html('Else', 'words')
  site['/leads'] = { status: 301, headers: { location: `http://localhost:${port}/elsewhere` } }
  site['/metadata'] = { status: 302, headers: { location: 'http://192.0.2.7/x' } }
  const found = await read()
  expect(found['/leads']).toBe(`skipped: it is on localhost:${port}, which \`hosts\` does not name`)
  expect(found['/metadata']).toBe('skipped: it is on 192.0.2.7, which `hosts` does not name')
  expect(asked.map(({ url }) => url)).not.toContain('/elsewhere')
  const named = await read({ hosts: [`localhost:${port}`, '192.0.2.7'] })
  expect(named[`http://localhost:${port}/elsewhere`]).toMatch(/words/)
  expect(named['/metadata']).toMatch(/^skipped: .*192\.0\.2\.7.* is not among the hosts/)
})

test('redirects are followed to where they end, and no ring of them', async () => {
  site['/sitemap.xml'] = sitemap('/old', '/ring')
  site['/old'] = { status: 301, headers: { location: '/new' } }
  site['/new'] = html('New', 'words')
  site['/ring'] = { status: 302, headers: { location: '/ring' } }
  const found = await read()
  expect(found['/new']).toMatch(/words/)
  expect(found['/ring']).toBe('skipped: it leads on more than 5 times')
})

test('a farm of sitemaps has an end; a page has a size; an encoding is heeded', {
  timeout: 60_000,
}, async () => {
  site['/sitemap.xml'] = sitemap('/huge', '/latin')
  site['/huge'] = { body: Buffer.alloc(11 * 1024 * 1024, 'a ') }
  site['/latin'] = {
    type: 'text/html; charset=iso-8859-1',
    body: Buffer.from(html('Käse', 'Grüße'), 'latin1'),
  }
  const found = await read()
  expect(found['/huge']).toBe('skipped: it is larger than 10 MB')
  expect(found['/latin']).toMatch(/Grüße/)
  let made = 0
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/robots.txt') return response.writeHead(404).end()
    made += 1
    response.end(index(`/s${made}.xml`, `/t${made}.xml`))
  })
  // As where a sitemap does not come: nothing that was read before is forgotten.
  await expect(read()).rejects.toThrow(/it leads to more than 200 sitemaps/)
  expect(made).toBeLessThanOrEqual(201)
})

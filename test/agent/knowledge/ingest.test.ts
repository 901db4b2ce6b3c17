import { rename, rm, symlink, utimes } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { follow, type IngestContext, ingest } from '../../../src/agent/knowledge/ingest.ts'
import { readAll } from '../../../src/agent/knowledge/upkeep.ts'
import { Fault } from '../../../src/core/fault.ts'
import { FUSION } from '../../../src/core/fuse.ts'
import { Source } from '../../../src/core/home.ts'
import { webFetch } from '../../../src/doors/web.ts'
import { readPlain } from '../../../src/sources/plain.ts'
import type { Store } from '../../../src/store/open.ts'
import { recallPassages } from '../../../src/store/passages.ts'
import { audiencesNaming, openFiles } from '../../support/knowledge.ts'
import { openTestStore } from '../../support/store.ts'

let store: Store
let context: IngestContext
beforeAll(async () => {
  store = await openTestStore()
  context = { pool: store.pool, home: '/' }
})
afterAll(() => store.close())
beforeEach(async () => {
  await store.pool.query('delete from documents')
})

const source = (directory: string, more: Partial<Source> = {}) => Source.parse({ directory, ...more })
const read = (directory: string, more: Partial<Source> = {}) =>
  ingest(context, 'T1', 'handbook', source(directory, more))
const find = async (query: string, scopes = ['everyone']) =>
  await recallPassages(store.pool, {
    workspace: 'T1',
    audiences: await audiencesNaming(store.pool, 'T1', scopes),
    query,
    limit: 50,
    strategy: 'any-word',
    language: 'en',
    fusion: FUSION,
  })
const titles = async (query: string, scopes?: string[]) =>
  (await find(query, scopes)).map((hit) => hit.title).sort()
/** The rows as they lie there: what was not touched has the same `xmin`. */
const rows = async () =>
  (
    await store.pool.query(
      `select d.path, d.xmin::text as written, array_agg(p.id || ' ' || p.xmin::text order by p.n) as passages
       from documents d left join passages p on p.document = d.id group by d.id order by d.path`,
    )
  ).rows

test('a second run touches only what changed, and removes what is gone', async () => {
  await using files = await openFiles({
    'a.md': '# Apples\n\nred fruit',
    'b.md': '# Bananas\n\nyellow fruit\n\n## Peel\n\nslippery',
    'c.txt': 'cherries are fruit',
  })
  expect(await read(files.dir)).toMatchObject({ added: 3, changed: 0, unchanged: 0, removed: 0, passages: 4 })
  expect(await titles('fruit')).toEqual(['Apples', 'Bananas', 'C'])

  const before = await rows()
  expect(await read(files.dir)).toMatchObject({ added: 0, changed: 0, unchanged: 3, removed: 0, passages: 0 })
  expect(await rows()).toEqual(before)

  await files.write('b.md', '# Bananas\n\nyellow fruit, now brown\n\n## Peel\n\nslippery')
  await files.write('d.md', '# Dates\n\nsweet fruit')
  await rm(path.join(files.dir, 'c.txt'))
  expect(await read(files.dir)).toMatchObject({ added: 1, changed: 1, unchanged: 1, removed: 1, passages: 2 })
  expect(await titles('fruit')).toEqual(['Apples', 'Bananas', 'Dates'])
  const after = await rows()
  expect(after[0]).toEqual(before[0])
  const idOf = (passage: string | undefined) => passage?.split(' ')[0]
  expect(idOf(after[1]?.passages[1])).toBe(idOf(before[1]?.passages[1]))
})

test('another date or link changes the document, not its passages', async () => {
  await using files = await openFiles({ 'run books/a&b.md': 'fruit' })
  await read(files.dir, { link: 'https://wiki/{path}?v={path}' })
  expect((await find('fruit'))[0]).toMatchObject({
    link: 'https://wiki/run%20books/a%26b.md?v=run%20books/a%26b.md',
    date: '2026-05-02',
  })
  const day = new Date('2026-06-01T00:00:00Z')
  await utimes(path.join(files.dir, 'run books/a&b.md'), day, day)
  expect(await read(files.dir)).toMatchObject({ changed: 1, passages: 0 })
  const [hit] = await find('fruit')
  expect(hit?.date).toBe('2026-06-01')
  expect(hit?.link).toBeUndefined()
})

test('a narrower audience holds even where the directory cannot be read any more', async () => {
  await using files = await openFiles({ 'a.md': 'fruit' })
  await read(files.dir)
  expect(await read(files.dir, { audience: ['C1'] })).toMatchObject({ changed: 1, unchanged: 0 })
  expect(await titles('fruit')).toEqual([])
  expect(await titles('fruit', ['channel:C1'])).toEqual(['A'])
  await rename(files.dir, `${files.dir}-gone`)
  await expect(read(files.dir, { audience: ['C2'] })).rejects.toMatchObject({ code: 'source-unreadable' })
  expect(await titles('fruit', ['channel:C1'])).toEqual([])
  expect(await titles('fruit', ['channel:C2'])).toEqual(['A'])
  await rename(`${files.dir}-gone`, files.dir)
})

test('nothing is removed because a directory is missing or suddenly empty', async () => {
  await using files = await openFiles({ 'a.md': 'fruit', 'b.md': 'fruit' })
  await read(files.dir)
  await rm(path.join(files.dir, 'a.md'))
  await rm(path.join(files.dir, 'b.md'))
  await expect(read(files.dir)).rejects.toThrow('2 were read from it before')
  expect(await titles('fruit')).toEqual(['A', 'B'])
  await rm(files.dir, { recursive: true })
  await expect(read(files.dir)).rejects.toBeInstanceOf(Fault)
  expect(await titles('fruit')).toEqual(['A', 'B'])
})

test('an empty directory that was never read is nothing to complain about', async () => {
  await using files = await openFiles({})
  expect(await read(files.dir)).toMatchObject({ added: 0, removed: 0, skipped: [] })
})

test('a file that turned into something else is skipped and no longer recalled', async () => {
  await using files = await openFiles({ 'a.md': 'fruit', 'b.md': 'fruit' })
  await using elsewhere = await openFiles({ 'secret.md': 'secret fruit' })
  await read(files.dir)
  await rm(path.join(files.dir, 'b.md'))
  await symlink(path.join(elsewhere.dir, 'secret.md'), path.join(files.dir, 'b.md'))
  const done = await read(files.dir)
  expect(done).toMatchObject({ unchanged: 1, removed: 1 })
  expect(done.skipped).toEqual([{ path: 'b.md', why: 'it is a link that leads out of the directory' }])
  expect(await titles('fruit secret')).toEqual(['A'])
})

test('several at once leave what one would leave', async () => {
  await using files = await openFiles(
    Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [`p${n}.md`, `# Page ${n}\n\nfruit\n\n## More\n\nseeds`]),
    ),
  )
  await Promise.all([read(files.dir), read(files.dir), read(files.dir)])
  const { rows: counts } = await store.pool.query(
    'select (select count(*) from documents)::int as documents, (select count(*) from passages)::int as passages',
  )
  expect(counts).toEqual([{ documents: 12, passages: 24 }])
  expect(await read(files.dir)).toMatchObject({ unchanged: 12, passages: 0 })
})

test('ended in the middle, it is taken up again', async () => {
  const pages = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`p${n}.md`, `fruit ${n}`]))
  await using files = await openFiles(pages)
  const stop = new AbortController()
  const halted = { ...context, onProgress: ({ added }: { added: number }) => added > 0 && stop.abort() }
  await expect(ingest(halted, 'T1', 'handbook', source(files.dir), stop.signal)).rejects.toThrow(/abort/i)
  const kept = await rows()
  expect(kept.length).toBeGreaterThan(0)
  expect(kept.length).toBeLessThan(60)
  const done = await read(files.dir)
  expect(done).toMatchObject({ added: 60 - kept.length, unchanged: kept.length, removed: 0 })
  expect(await rows()).toHaveLength(60)
})

test('any sequence of changes ends where a first reading of the last state would', async () => {
  const state = fc.dictionary(
    fc.constantFrom('a.md', 'b.md', 'c.txt', 'sub/d.md', 'sub/e.md'),
    fc.constantFrom('# T\n\none', '# T\n\ntwo', '# U\n\none\n\n## H\n\ntwo\n\n## H\n\none', ''),
    { minKeys: 1 },
  )
  const kept = async (workspace: string) =>
    (
      await store.pool.query(
        `select d.path, d.title, p.n, p.heading, p.text, p.start_at, p.end_at, p.terms
         from documents d left join passages p on p.document = d.id where d.workspace = $1 order by d.path, p.n`,
        [workspace],
      )
    ).rows
  await fc.assert(
    fc.asyncProperty(fc.array(state, { minLength: 2, maxLength: 4 }), async (states) => {
      await store.pool.query('delete from documents')
      for (const files of states) {
        await using dir = await openFiles(files)
        await ingest(context, 'T1', 'x', source(dir.dir))
        if (files !== states.at(-1)) continue
        await ingest(context, 'T2', 'x', source(dir.dir))
      }
      expect(await kept('T1')).toEqual(await kept('T2'))
    }),
    { numRuns: 6 },
  )
}, 180_000)

test('all sources are read, one that fails stops no other, and what is not named any more is forgotten', async () => {
  await using one = await openFiles({ 'a.md': 'fruit' })
  await using two = await openFiles({ 'b.md': 'fruit' })
  await readAll(context, 'T1', { one: source(one.dir), two: source(two.dir) })
  expect(await titles('fruit')).toEqual(['A', 'B'])
  const result = await readAll(context, 'T1', { broken: source('/nowhere/at/all'), two: source(two.dir) })
  expect(result.forgotten).toBe(1)
  expect(result.sources.broken).toBeInstanceOf(Fault)
  expect(result.sources.two).toMatchObject({ unchanged: 1 })
  expect(await titles('fruit')).toEqual(['B'])
})

test('a relative directory is below the home', async () => {
  await using files = await openFiles({ 'knowledge/a.md': 'fruit' })
  const done = await ingest({ ...context, home: files.dir }, 'T1', 'handbook', source('./knowledge'))
  expect(done.added).toBe(1)
})

test('single documents are kept as somebody tells of them, each with its own link', async () => {
  const shelf = { workspace: 'T1', source: 'talk' }
  const thread = (path: string, text: string, more: object = {}) => ({
    path,
    fingerprint: text,
    read: async () => readPlain(path, text),
    ...more,
  })
  const own = { link: 'https://slack/p1', date: '2026-05-04' }
  const first = await follow(context, shelf, { audience: ['C1'] }, [
    thread('C1/1', 'fruit for all', own),
    thread('C1/2', 'fruit too'),
  ])
  expect(first).toMatchObject({ added: 2, passages: 2 })
  expect(await find('fruit for all', ['channel:C1'])).toMatchObject([{ link: own.link, date: own.date }, {}])
  expect(await find('fruit')).toEqual([])

  const again = await follow(context, shelf, { audience: ['C2'] }, [thread('C1/1', 'fruit for all', own)])
  expect(again).toMatchObject({ changed: 1, removed: 0, passages: 0 })
  expect(await find('fruit', ['channel:C1'])).toHaveLength(1)
  expect(await find('fruit', ['channel:C2'])).toHaveLength(1)

  const broken = { ...thread('C1/1', 'x'), read: async () => ({ why: 'it is not readable' }) }
  expect(await follow(context, shelf, { audience: ['C2'] }, [broken])).toMatchObject({
    removed: 1,
    skipped: [{ path: 'C1/1', why: 'it is not readable' }],
  })
})

test('a citation opens at the lines it is of, also after they moved', async () => {
  await using files = await openFiles({ 'a.md': '# A\n\nfruit\n\n## B\n\nseeds\nof fruit' })
  const link = 'https://host/{path}#L{lines}'
  const links = async () => (await find('fruit')).map((hit) => hit.link).sort()
  await read(files.dir, { link })
  expect(await links()).toEqual(['https://host/a.md#L3-3', 'https://host/a.md#L7-8'])
  expect(await read(files.dir, { link })).toMatchObject({ unchanged: 1 })
  await files.write('a.md', '# A\n\n\n\nfruit\n\n## B\n\nseeds\nof fruit')
  expect(await read(files.dir, { link })).toMatchObject({ changed: 1, passages: 0 })
  expect(await links()).toEqual(['https://host/a.md#L5-5', 'https://host/a.md#L9-10'])
  expect(await read(files.dir, { link: 'https://other/{path}#L{line}' })).toMatchObject({
    changed: 1,
    passages: 0,
  })
  expect(await links()).toEqual(['https://other/a.md#L5', 'https://other/a.md#L9'])
})

test('of a site only pages that its sitemap still lists are remembered, once all of it was read', async () => {
  let listed = ['/a.txt', '/b.txt']
  const server = createServer((request, response) => {
    const origin = `http://${request.headers.host}`
    if (request.url === '/robots.txt') return response.writeHead(404).end()
    if (request.url === '/sitemap.xml')
      return listed.length === 0
        ? response.writeHead(500).end()
        : response.end(listed.map((page) => origin + page).join('\n'))
    response.writeHead(200, { 'content-type': 'text/plain', etag: '"1"' }).end(`words of ${request.url}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const site = Source.parse({ web: { sitemap: `${origin}/sitemap.xml` } })
  const remembered = async () => {
    await ingest({ ...context, web: webFetch }, 'T1', 'site', site).catch(() => {})
    const { rows } = await store.pool.query<{ url: string }>('select url from pages order by 1')
    return rows.map(({ url }) => url.replace(origin, ''))
  }
  expect(await remembered()).toEqual(['/a.txt', '/b.txt'])
  listed = []
  expect(await remembered()).toEqual(['/a.txt', '/b.txt'])
  listed = ['/b.txt']
  expect(await remembered()).toEqual(['/b.txt'])
  await new Promise((resolve) => server.close(resolve))
}, 60_000)

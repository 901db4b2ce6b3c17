import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readFront } from '../../src/home/front.ts'
import { formatLock } from '../../src/home/lock.ts'
import { readHome } from '../../src/home/read.ts'
import { openTools } from '../../src/tools/open.ts'
import { acceptInto, holdAgainst } from '../../src/tools/pins.ts'
import { makeTemporary } from '../support/temporary.ts'

const HOME = join(import.meta.dirname, '../../src/demo/home')
const HANDBOOK = join(HOME, 'handbook')

type Page = { path: string; front: Record<string, unknown>; body: string }

async function readPages(): Promise<Page[]> {
  const names = (await readdir(HANDBOOK, { recursive: true })).filter((name) => name.endsWith('.md'))
  return Promise.all(
    names.toSorted().map(async (path) => {
      const { front, body } = readFront(await readFile(join(HANDBOOK, path), 'utf8'))
      expect(front.errors, path).toEqual([])
      return { path, front: front.value as Record<string, unknown>, body }
    }),
  )
}

/** The anchors of a page, made from its headings as GitHub makes them. */
const anchorsOf = (body: string) =>
  [...body.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )

const words = (text: string) => text.split(/\s+/).filter((word) => /\w/.test(word)).length

test('the home of the demo can be read with what the demo sets, and only with that', async () => {
  const env = {
    QUORUM_NODE: process.execPath,
    QUORUM_MODULES: '/app/node_modules',
    QUORUM_SCRATCH: '/data/scratch',
    QUORUM_HANDBOOK_URL: 'http://127.0.0.1:1/handbook',
  }
  const home = await readHome(HOME, env)
  expect(Object.keys(home.servers)).toEqual(['filesystem', 'memory'])
  expect(home.servers.filesystem).toMatchObject({ command: process.execPath, cwd: '/data/scratch' })
  expect(home.sources.handbook).toEqual({
    directory: HANDBOOK,
    audience: 'everyone',
    link: 'http://127.0.0.1:1/handbook/{path}#{heading}',
  })
  await expect(readHome(HOME, {})).rejects.toThrow('QUORUM_SCRATCH is not set')
})

test('the tools of the demo are accepted as its servers list them, as the command would write it', async () => {
  await using scratch = await makeTemporary()
  const env = {
    PATH: process.env.PATH,
    QUORUM_NODE: process.execPath,
    QUORUM_MODULES: join(import.meta.dirname, '../../node_modules'),
    QUORUM_SCRATCH: scratch.dir,
    QUORUM_HANDBOOK_URL: 'http://127.0.0.1:1/handbook',
  }
  const { servers, written, lock, policy } = await readHome(HOME, env)
  await using tools = openTools(servers, { env, cwd: HOME, policy, written })
  let again = lock
  for (const { server, config, tools: listed, why } of await tools.listed()) {
    expect(why, server).toBeUndefined()
    expect(holdAgainst(lock, server, config, listed).withdrawn, server).toEqual([])
    again = acceptInto(again, server, config, listed)
  }
  expect(again && formatLock(again)).toBe(await readFile(join(HOME, 'tools.lock.json'), 'utf8'))
  const changes = Object.values(lock?.servers ?? {}).flatMap(({ tools: pins }) =>
    Object.entries(pins).flatMap(([name, pin]) => (pin.effect === 'write' ? [name] : [])),
  )
  expect(changes.every((name) => /^(add|create|delete|edit|move|write)_/.test(name))).toBe(true)
  expect(changes).toHaveLength(10)
})

describe('the handbook', async () => {
  const pages = await readPages()

  test('has about forty pages of a readable length', () => {
    expect(pages.length).toBeGreaterThanOrEqual(40)
    for (const { path, body } of pages) {
      const most = path === 'glossary.md' ? 800 : 600
      expect(words(body), path).toBeGreaterThanOrEqual(200)
      expect(words(body), path).toBeLessThanOrEqual(most)
    }
  })

  test('says of every page what it is called, when it was changed and who keeps it', () => {
    const people = pages.find(({ path }) => path === 'README.md')?.body ?? ''
    for (const { path, front, body } of pages) {
      expect(Object.keys(front), path).toEqual(['title', 'updated', 'owner'])
      expect(body.split('\n')[0], path).toBe(`# ${front.title}`)
      expect(front.updated, path).toMatch(/^202[3-6]-\d\d-\d\d$/)
      expect(people, path).toContain(`| ${front.owner} |`)
    }
  })

  test('has no link that leads nowhere', () => {
    for (const { path, body } of pages) {
      for (const [, target = ''] of body.matchAll(/\]\(([^)]+)\)/g)) {
        const [file = '', anchor] = target.split('#')
        const page = pages.find((one) => one.path === normalize(join(dirname(path), file)))
        expect(page, `${path} → ${target}`).toBeDefined()
        if (anchor) expect(anchorsOf(page?.body ?? ''), `${path} → ${target}`).toContain(anchor)
      }
    }
  })

  test('can be reached page by page from its first one', () => {
    const reached = new Set(['README.md'])
    for (const path of reached) {
      const body = pages.find((page) => page.path === path)?.body ?? ''
      for (const [, target = ''] of body.matchAll(/\]\(([^)#]+)/g))
        reached.add(normalize(join(dirname(path), target)))
    }
    expect([...reached].toSorted()).toEqual(pages.map(({ path }) => path))
  })

  test.each([
    ['runbooks/roll-back-a-deploy.md', 'How to roll back', 'skipper rollback berth-api --env prod --to'],
    ['on-call/rota.md', 'Who is on call this week', 'Ben Okafor is on call as primary'],
    ['people/holidays.md', 'How many days', 'Everybody gets 28 days of paid holiday a year'],
    ['on-call/severity-levels.md', 'SEV2', 'SEV2 means that an important function is broken'],
  ])('answers from %s under %s', (path, heading, sentence) => {
    const body = pages.find((page) => page.path === path)?.body ?? ''
    const section = body.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
    expect(section).toContain(sentence)
  })

  test('holds a rota in which weeks follow each other and each primary is secondary next', () => {
    const body = pages.find(({ path }) => path === 'on-call/rota.md')?.body ?? ''
    const rows = [...body.matchAll(/^\| (\d+) \| (\d+ \w+ \d+) \| ([^|]+) \| ([^|]+) \|/gm)]
    expect(rows.length).toBeGreaterThanOrEqual(8)
    for (const [index, row] of rows.entries()) {
      const monday = Date.parse(`${row[2]} UTC`)
      expect(new Date(monday).getUTCDay(), row[0]).toBe(1)
      const before = rows[index - 1]
      if (before === undefined) continue
      expect(row[4]).toBe(before[3])
      expect(monday - Date.parse(`${before[2]} UTC`)).toBe(7 * 24 * 3600 * 1000)
    }
  })
})

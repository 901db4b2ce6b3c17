import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LockFile } from '../../src/core/lock.ts'
import { formatLock, writeLock } from '../../src/home/lock.ts'
import { readLockOf } from '../../src/home/read.ts'
import { acceptTools } from '../../src/tools/accept.ts'
import { acceptInto, holdAgainst } from '../../src/tools/pins.ts'
import { tryHome } from '../support/home.ts'
import { makeTemporary } from '../support/temporary.ts'

const CONFIG = 'a'.repeat(64)
const listed = (tools: { name: string; description: string }[]) =>
  acceptTools(
    'mail',
    'run',
    tools.map((tool) => ({ ...tool, inputSchema: { type: 'object' as const } })),
  ).tools
const LINES = `{
  "servers": {
    "mail": {
      "config": "${CONFIG}",
      "tools": {}
    }
  },
  "version": 1
}
`

async function problems(text: string): Promise<string[]> {
  const tried = await tryHome({ 'tools.lock.json': text })
  return 'lines' in tried ? tried.lines : []
}

test('what is wrong with a lock is said by file and line', async () => {
  expect(await problems(LINES)).toEqual([])
  expect(await problems(LINES.replace('"config"', '"confg"'))).toContainEqual(
    expect.stringMatching(/^tools\.lock\.json:4: unknown key "confg"; did you mean "config"/),
  )
  expect(await problems(LINES.replace(CONFIG, 'abc'))).toEqual([
    expect.stringMatching(/^tools\.lock\.json:4: .*SHA-256/),
  ])
  expect(await problems(LINES.replace('"version": 1', '"version": 2'))).toEqual([
    expect.stringMatching(/^tools\.lock\.json:8: /),
  ])
  expect((await problems(LINES.slice(0, 40)))[0]).toMatch(/^tools\.lock\.json:\d+: /)
  expect((await problems(''))[0]).toMatch(/^tools\.lock\.json/)
  expect((await problems(`${LINES.slice(0, 10)}<<<<<<< ours\n`))[0]).toMatch(/^tools\.lock\.json:\d+: /)
})

test('names of the environment in a definition stay what they are', async () => {
  await using place = await makeTemporary()
  const lock = acceptInto(
    undefined,
    'mail',
    CONFIG,
    listed([{ name: 'send', description: `Sends to \${HOME}.` }]),
  )
  await writeLock(place.dir, lock)
  expect((await readLockOf(place.dir))?.servers.mail?.tools.send?.definition.description).toContain('HOME}')
})

test('any lock that is written reads back the same and accepts the same; order makes no difference', async () => {
  await using place = await makeTemporary()
  const name = fc.constantFrom(
    'send',
    'read',
    'drop',
    'toString',
    '__proto__',
    'constructor',
    '0',
    '10',
    'a.b',
  )
  const tools = fc.uniqueArray(fc.record({ name, description: fc.string({ unit: 'binary' }) }), {
    selector: (tool) => tool.name,
    maxLength: 5,
  })
  await fc.assert(
    fc.asyncProperty(tools, async (some) => {
      const lock = acceptInto(undefined, 'mail', CONFIG, listed(some))
      await writeLock(place.dir, lock)
      const read = await readLockOf(place.dir)
      expect(holdAgainst(read, 'mail', CONFIG, listed(some))).toMatchObject({
        tools: listed(some).map((tool) => ({ name: tool.name })),
        withdrawn: [],
      })
      const turned = acceptInto(undefined, 'mail', CONFIG, listed(some.toReversed()))
      expect(formatLock(turned)).toBe(await readFile(join(place.dir, 'tools.lock.json'), 'utf8'))
      expect(LockFile.safeParse(JSON.parse(formatLock(lock))).success).toBe(true)
    }),
    { numRuns: 60 },
  )
  expect(await readdir(place.dir)).toEqual(['tools.lock.json'])
})

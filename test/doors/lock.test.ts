import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Lock } from '../../src/core/lock.ts'
import { watchLock } from '../../src/doors/lock.ts'
import { writeLock } from '../../src/home/lock.ts'
import { acceptTools } from '../../src/tools/accept.ts'
import { acceptInto } from '../../src/tools/pins.ts'
import { makeTemporary } from '../support/temporary.ts'

const lockOf = (...names: string[]): Lock => {
  const tools = names.map((name) => ({ name, inputSchema: { type: 'object' as const } }))
  return acceptInto(undefined, 'mail', 'a'.repeat(64), acceptTools('mail', 'run', tools).tools)
}

/** Puts a text in the place of the file at once, as git and editors do. */
async function put(file: string, text: string): Promise<void> {
  await writeFile(`${file}.draft`, text)
  await rename(`${file}.draft`, file)
}

async function watched(first: Lock | undefined) {
  const place = await makeTemporary()
  if (first) await writeLock(place.dir, first)
  const lines: string[] = []
  const watch = watchLock(
    { dir: place.dir, lock: first },
    (level, message, fields) => void lines.push(`${level} ${message} ${JSON.stringify(fields)}`),
    20,
  )
  const names = () => Object.keys(watch.lock()?.servers.mail?.tools ?? {}).join()
  return {
    dir: place.dir,
    file: join(place.dir, 'tools.lock.json'),
    lines,
    watch,
    becomes: (wanted: string) => expect.poll(names, { timeout: 5_000 }).toBe(wanted),
    names,
    async [Symbol.asyncDispose]() {
      watch[Symbol.dispose]()
      await place.remove()
    },
  }
}

test('a lock that is written, changed, replaced or removed counts without a restart', async () => {
  await using place = await watched(undefined)
  expect(place.names()).toBe('')
  await writeLock(place.dir, lockOf('send'))
  await place.becomes('send')
  await put(place.file, JSON.stringify(lockOf('read')))
  await place.becomes('read')
  await put(place.file, JSON.stringify(lockOf('read', 'send')))
  await place.becomes('read,send')
  await rm(place.file)
  await place.becomes('')
  expect(place.watch.lock()).toBeUndefined()
  expect(place.lines.every((line) => line.startsWith('info accepted tools were read again'))).toBe(true)
})

test('a change between the reading of the home and the first look is seen', async () => {
  await using place = await makeTemporary()
  await writeLock(place.dir, lockOf('send'))
  using watch = watchLock({ dir: place.dir, lock: lockOf('send', 'drop') }, () => {}, 60_000)
  await expect
    .poll(() => Object.keys(watch.lock()?.servers.mail?.tools ?? {}), { timeout: 5_000 })
    .toEqual(['send'])
})

test('a file that is wrong leaves what was accepted before, is told once by file and line, and may be mended', async () => {
  await using place = await watched(lockOf('send'))
  await put(place.file, '{\n  "version": 1,\n  "servers": {},\n  "tolls": {}\n}\n')
  await expect.poll(() => place.lines.length, { timeout: 5_000 }).toBe(1)
  expect(place.lines[0]).toMatch(/^error .*those of before still hold.*tools\.lock\.json:4: unknown key/)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(place.lines).toHaveLength(1)
  expect(place.names()).toBe('send')
  await put(place.file, '{"version": 1, "serv')
  await expect.poll(() => place.lines.length, { timeout: 5_000 }).toBe(2)
  expect(place.names()).toBe('send')
  await writeLock(place.dir, lockOf('read'))
  await place.becomes('read')
})

test('nothing is said where nothing changed', async () => {
  await using place = await watched(lockOf('send'))
  await writeLock(place.dir, lockOf('send'))
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(place.lines).toEqual([])
})

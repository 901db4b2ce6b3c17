import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { Home } from '../../src/core/home.ts'
import { followSources } from '../../src/doors/reading.ts'
import { readHome } from '../../src/home/read.ts'
import { makeHome } from '../support/home.ts'

const TWO =
  'sources:\n  a:\n    directory: a\n    audience: everyone\n  b:\n    directory: b\n    audience: everyone\n'
const ONE = TWO.slice(0, TWO.indexOf('  b:'))

async function open(files: Record<string, string>) {
  const made = await makeHome(files)
  const changes: string[][] = []
  const errors: string[] = []
  const sources = followSources(
    await readHome(made.dir, {}),
    (level, message) => {
      if (level === 'error') errors.push(message)
    },
    (now: Home['sources']) => changes.push(Object.keys(now)),
  )
  const write = (name: string, text: string) => writeFile(path.join(made.dir, name), text)
  const remove = (name: string) => rm(path.join(made.dir, name))
  return {
    ...{ sources, changes, errors, write, remove },
    async [Symbol.asyncDispose]() {
      sources[Symbol.dispose]()
      await made.remove()
    },
  }
}

test('sources.yaml counts as it is when two looks agree: away or cut short for a moment changes nothing', async () => {
  await using at = await open({ 'sources.yaml': TWO })
  await at.sources.look()
  await at.remove('sources.yaml')
  await at.sources.look()
  await at.write('sources.yaml', ONE)
  await at.sources.look()
  await at.write('sources.yaml', TWO)
  await at.sources.look()
  await at.sources.look()
  expect(at.changes).toEqual([])
  await at.write('sources.yaml', ONE)
  await at.sources.look()
  await at.sources.look()
  await at.sources.look()
  expect(at.changes).toEqual([['a']])
  expect(Object.keys(at.sources.now())).toEqual(['a'])
  await at.remove('sources.yaml')
  await at.sources.look()
  await at.sources.look()
  expect(at.changes).toEqual([['a'], []])
})

test('a change is not lost because another file is wrong at that moment, which is told once', async () => {
  await using at = await open({ 'sources.yaml': TWO })
  await at.write('policy.yaml', 'nonsense: true\n')
  await at.write('sources.yaml', ONE)
  for (let n = 0; n < 3; n++) await at.sources.look()
  expect([at.changes, at.errors.length]).toEqual([[], 1])
  await at.write('policy.yaml', '')
  await at.sources.look()
  await at.sources.look()
  expect(at.changes).toEqual([['a']])
})

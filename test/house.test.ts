/** The floors of the house: calls go down, and a room never imports a room beside it or above it. */
import { readdirSync, readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'

const src = path.resolve(import.meta.dirname, '../src')
const FLOORS: Record<string, number> = {
  core: 0,
  slack: 1,
  queue: 1,
  models: 1,
  tools: 1,
  store: 1,
  sources: 1,
  home: 1,
  telemetry: 1,
  web: 1,
  agent: 2,
  doors: 3,
}
const FORBIDDEN = /(^|[/-])(utils?|helpers?|common|shared|manager|service|types)(\.|\/|-|$)/

/** Every import of a file, with what it names. Page scripts of the demo are the browser's, not the house's. */
async function readImports() {
  const found: { file: string; target: string }[] = []
  for await (const file of glob('**/*.ts', { cwd: src })) {
    const text = readFileSync(path.join(src, file), 'utf8')
    for (const match of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g))
      found.push({ file, target: match[1] ?? '' })
  }
  return found
}

function roomOf(file: string): string {
  return file.includes(path.sep) ? (file.split(path.sep)[0] ?? '') : ''
}

test('every room has a floor, and no file a name that says nothing', async () => {
  const rooms = new Set<string>()
  for await (const file of glob('**/*.ts', { cwd: src })) {
    rooms.add(roomOf(file))
    expect(file).not.toMatch(FORBIDDEN)
  }
  expect([...rooms].filter((room) => room !== '' && room !== 'demo' && !(room in FLOORS))).toEqual([])
})

test('calls go down', async () => {
  const imports = await readImports()
  expect(imports.length).toBeGreaterThan(200)
  const wrong = imports.flatMap(({ file, target }) => {
    if (!target.startsWith('.')) return []
    const room = roomOf(file)
    const other = roomOf(path.relative(src, path.resolve(src, path.dirname(file), target)))
    if (room === other || room === '') return []
    if (room === 'demo') return [`${file} imports ${other}: the demo imports nothing of the product`]
    if (other === 'demo') return room === 'doors' ? [] : [`${file} imports the demo`]
    if ((FLOORS[room] ?? 9) > (FLOORS[other] ?? 9)) return []
    return [`${file} imports ${other}`]
  })
  expect(wrong).toEqual([])
})

test('the ground floor imports only zod', async () => {
  const outside = (await readImports()).filter((i) => roomOf(i.file) === 'core' && !i.target.startsWith('.'))
  expect([...new Set(outside.map((i) => i.target))]).toEqual(['zod'])
})

test('only doors read the environment', async () => {
  const readers: string[] = []
  for await (const file of glob('**/*.ts', { cwd: src })) {
    if (roomOf(file) === 'doors' || roomOf(file) === 'demo') continue
    if (readFileSync(path.join(src, file), 'utf8').includes('process.env')) readers.push(file)
  }
  expect(readers).toEqual([])
})

test('migrations are numbered one after another', () => {
  const names = readdirSync(path.resolve(src, '../migrations')).sort()
  const numbers = names.map((name) => Number(name.slice(0, 4)))
  expect(numbers).toEqual(names.map((_, i) => i + 1))
})

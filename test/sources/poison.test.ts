/** Files that break, fill or hold up whoever reads them: each costs one clear line. */
import { execFileSync } from 'node:child_process'
import { appendFile, symlink, truncate } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readDirectory } from '../../src/sources/directory.ts'
import type { Unreadable } from '../../src/sources/entry.ts'
import { openReader, type Raw, type Reader } from '../../src/sources/reader.ts'
import { openFiles } from '../support/knowledge.ts'
import { docxParts, makeDocx, makePdf, makePdfBomb, makeZip } from '../support/office.ts'

let reader: Reader
beforeAll(() => {
  reader = openReader({ textMs: 60_000, binaryMs: 60_000, memoryMb: 150 })
})
afterAll(() => reader[Symbol.asyncDispose]())

const whyNot = async (raw: Raw) => ((await reader.read(raw)) as Unreadable).why
const docx = (content: Buffer) => whyNot({ file: 'a.docx', format: 'docx', content })
const pdf = (content: Buffer) => whyNot({ file: 'a.pdf', format: 'pdf', content })

const LOCKED =
  '/Encrypt << /Filter /Standard /V 1 /R 2 /O (12345678901234567890123456789012) /U (12345678901234567890123456789012) /P -1 >> /ID [(a) (b)]'

test('a Word document that unpacks to gigabytes is not unpacked, even where it lies about it', {
  timeout: 180_000,
}, async () => {
  const bomb = { ...docxParts(''), 'word/document.xml': Buffer.alloc(300_000_000, '<w:p>') }
  expect(await docx(makeZip(bomb))).toBe('it unpacks to more than 200 MB')
  expect(await docx(makeZip(bomb, 1_000))).toMatch(/more than 150 MB|broken/)
})

test('what is no Word document, or no PDF, or broken, or locked, is told', { timeout: 180_000 }, async () => {
  expect(await docx(Buffer.from('PK\x03\x04 not really'))).toBe('it is not a Word document, or broken')
  expect(await docx(makeZip({ 'a.txt': 'a' }))).toBe('it is not a Word document, or broken')
  expect(await docx(Buffer.from('d0cf11e0a1b11ae1', 'hex'))).toBe(
    'it is protected by a password, or an old Word file',
  )
  expect(await docx(Buffer.from(''))).toMatch(/./)
  expect(await pdf(Buffer.from('%PDF-1.7 no'))).toBe('it is not a PDF, or broken')
  expect(await pdf(makePdf([['x']]).subarray(0, 250))).toBe('it is not a PDF, or broken')
  expect(await pdf(makePdf([['x']], { more: LOCKED }))).toBe('it is protected by a password')
  expect(await pdf(makePdf([[]]))).toBe('it holds no text; it may be a scan')
})

test('a PDF that unpacks to gigabytes is given up, and the next file is read', {
  timeout: 180_000,
}, async () => {
  expect(await pdf(makePdfBomb(400_000_000))).toBe('it takes more than 150 MB to read')
  const next = await reader.read({ file: 'a.pdf', format: 'pdf', content: makePdf([['well']]) })
  expect(next).toMatchObject({ text: expect.stringContaining('well') })
})

test('HTML nested without end, and entities that multiply, cost their limit at most', {
  timeout: 180_000,
}, async () => {
  const html = (content: string, by = reader) => by.read({ file: 'a.html', format: 'html', content })
  await using impatient = openReader({ textMs: 2_000, memoryMb: 150 })
  expect(await html('<div>'.repeat(300_000), impatient)).toMatchObject({ why: expect.stringMatching(/^it /) })
  const laughs = `<!DOCTYPE html [<!ENTITY a "ha"><!ENTITY b "${'&a;'.repeat(100)}">]><p>${'&b;'.repeat(100)}</p>`
  const document = await html(laughs)
  expect('why' in document || document.text.length < 1_000).toBe(true)
  expect(await html('<p>well</p>')).toMatchObject({ text: 'well\n\n' })
})

test('who does not want it any more is not kept waiting, and nothing is said of the file', {
  timeout: 180_000,
}, async () => {
  const stop = new AbortController()
  await using one = openReader({ textMs: 170_000, signal: stop.signal })
  const html: Raw = { file: 'a.html', format: 'html', content: '<div>'.repeat(300_000) }
  const reading = one.read(html)
  setTimeout(() => stop.abort(new Error('never mind')), 500)
  await expect(reading).rejects.toThrow('never mind')
  await expect(one.read(html)).rejects.toThrow('never mind')
})

test('two gigabytes are not read, pipes and rings are not followed, and the rest is read', {
  timeout: 180_000,
}, async () => {
  await using files = await openFiles({
    'good.md': '# Good',
    'huge.md': '',
    'huge.pdf': '',
    'binary.md': Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0]),
    'data.min.js': 'x',
    'machine.js': `x=${'1+'.repeat(20_000)}1`,
    '.env': 'TOKEN=x',
    'keys/id_rsa': 'x',
    'well.docx': makeDocx(['text']),
  })
  await truncate(path.join(files.dir, 'huge.md'), 2 ** 31)
  await truncate(path.join(files.dir, 'huge.pdf'), 2 ** 31)
  await symlink('ring.md', path.join(files.dir, 'ring.md'))
  await symlink('.env', path.join(files.dir, 'innocent.md'))
  execFileSync('mkfifo', [path.join(files.dir, 'pipe.md')])
  const before = process.memoryUsage.rss()
  const found: string[] = []
  const skipped: string[] = []
  for await (const entry of readDirectory(files.dir)) {
    if ('found' in entry) found.push(entry.found.path)
    if ('skipped' in entry) skipped.push(`${entry.skipped.path}: ${entry.skipped.why}`)
  }
  expect(found).toEqual(['good.md', 'well.docx'])
  expect(skipped).toEqual([
    '.env: it is a file for secrets, by its name',
    'binary.md: it is not text, or in an encoding I do not know',
    'data.min.js: it is generated',
    'huge.md: it is larger than 2 MB',
    'huge.pdf: it is larger than 50 MB',
    'innocent.md: it is a link to what is not read',
    'keys/id_rsa: it is a file for secrets, by its name',
    'machine.js: it is written for machines: its lines are thousands of characters long',
    'pipe.md: it is not a file',
    'ring.md: it is a link to nowhere',
  ])
  expect(process.memoryUsage.rss() - before).toBeLessThan(300_000_000)
})

test('a file that grows while it is read is left for the next time', { timeout: 180_000 }, async () => {
  await using files = await openFiles({ 'log.txt': 'x'.repeat(1_900_000) })
  const file = path.join(files.dir, 'log.txt')
  let growing = true
  const grow = async () => {
    while (growing) await appendFile(file, 'y')
  }
  const writing = grow()
  const entries: unknown[] = []
  for (let tries = 0; tries < 20 && entries.length === 0; tries++)
    for await (const entry of readDirectory(files.dir))
      if ('skipped' in entry && entry.skipped.unsure) entries.push(entry.skipped)
  growing = false
  await writing
  expect(entries).toEqual([{ path: 'log.txt', why: 'it changed while it was read', unsure: true }])
})

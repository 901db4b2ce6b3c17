import { chmod, mkdir, symlink, truncate, utimes } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { Fault } from '../../src/core/fault.ts'
import { readDirectory } from '../../src/sources/directory.ts'
import type { Entry } from '../../src/sources/entry.ts'
import type { Wanted } from '../../src/sources/file.ts'
import { openFiles } from '../support/knowledge.ts'

async function read(dir: string, wanted?: Wanted) {
  const entries: Entry[] = []
  for await (const entry of readDirectory(dir, wanted)) entries.push(entry)
  const files = entries.flatMap((entry) => ('found' in entry ? [entry.found] : []))
  const skipped = entries.flatMap((entry) => ('skipped' in entry ? [entry.skipped] : []))
  return { files, paths: files.map((file) => file.path), skipped }
}

test('files are read in the order of their paths; what hides or belongs to tools is passed over', async () => {
  await using files = await openFiles({
    'b.md': '# B',
    'a/z.markdown': 'z',
    'a/notes.txt': 'notes',
    'a/image.png': 'no',
    '.git/x.md': 'no',
    '.hidden.md': 'no',
    'node_modules/x/README.md': 'no',
    'UPPER.MD': 'yes',
  })
  const { paths, skipped } = await read(files.dir)
  expect(paths).toEqual(['UPPER.MD', 'a/notes.txt', 'a/z.markdown', 'b.md'])
  expect(skipped).toEqual([{ path: 'a/image.png', why: '.png is not a format that is read', unsure: false }])
})

test('the date is the one the file says, else the file system', async () => {
  await using files = await openFiles({
    'said.md': '---\nupdated: 2026-03-04\ndate: 2020-01-01\n---\ntext',
    'time.md': '---\ndate: 2026-03-04T10:00:00Z\n---\ntext',
    'nonsense.md': '---\ndate: 2026-02-31\n---\ntext',
    'silent.md': 'text',
    'plain.txt': '---\ndate: 2020-01-01\n---\n',
  })
  const { files: found } = await read(files.dir)
  expect(Object.fromEntries(found.map((file) => [file.path, file.date]))).toEqual({
    'said.md': '2026-03-04',
    'time.md': '2026-03-04',
    'nonsense.md': '2026-05-02',
    'silent.md': '2026-05-02',
    'plain.txt': '2026-05-02',
  })
})

test('a file of the year 60000 has no date', async () => {
  await using files = await openFiles({ 'late.md': 'text' })
  const late = new Date('+060000-01-01T00:00:00Z')
  await utimes(path.join(files.dir, 'late.md'), late, late)
  const [file] = (await read(files.dir)).files
  if (file?.date !== undefined) expect(file.date).toMatch(/^\d{4}-\d{2}-\d{2}$/)
})

test('what is no document is named with the reason; what is not wanted is not', async () => {
  await using files = await openFiles({
    'latin.md': Buffer.from('Die Größe', 'latin1'),
    'noise.md': Buffer.from([1, 2, 3, 4]),
    'large.md': '',
    'empty.md': '',
    'drafts/a.md': 'a',
    'drafts/large.md': '',
  })
  await truncate(path.join(files.dir, 'large.md'), 2 * 1024 * 1024 + 1)
  await truncate(path.join(files.dir, 'drafts/large.md'), 2 * 1024 * 1024 + 1)
  const wanted = await read(files.dir, { exclude: ['drafts/**'] })
  expect(wanted.skipped).toEqual([
    { path: 'large.md', why: 'it is larger than 2 MB', unsure: false },
    { path: 'noise.md', why: 'it is not text, or in an encoding I do not know', unsure: false },
  ])
  expect(wanted.paths).toEqual(['empty.md', 'latin.md'])
  expect((await read(files.dir, { include: ['drafts/*'] })).paths).toEqual(['drafts/a.md'])
})

test('links are followed within the directory and never out of it, and rings end', async () => {
  await using outside = await openFiles({ 'secret.md': 'secret', 'more/secret.md': 'secret' })
  await using files = await openFiles({ 'real/page.md': 'page' })
  const link = (to: string, at: string) => symlink(to, path.join(files.dir, at))
  await link('real/page.md', 'alias.md')
  await link('..', 'real/ring')
  await link('.', 'self')
  await link(path.join(outside.dir, 'secret.md'), 'out.md')
  await link(path.join(outside.dir, 'more'), 'outdir')
  await link(`${files.dir}/real/../../${path.basename(outside.dir)}/secret.md`, 'sly.md')
  await link('nowhere.md', 'dangling.md')
  const { paths, skipped } = await read(files.dir)
  expect(paths).toEqual(['alias.md', 'real/page.md'])
  expect(skipped.map((file) => `${file.path}: ${file.why}`)).toEqual([
    'dangling.md: it is a link to nowhere',
    'out.md: it is a link that leads out of the directory',
    'outdir: it is a link that leads out of the directory',
    'sly.md: it is a link that leads out of the directory',
  ])
})

test('a directory that is not there, or is a file, is a fault', async () => {
  await using files = await openFiles({ 'a.md': 'a' })
  for (const place of ['none', 'a.md']) {
    const reading = read(path.join(files.dir, place))
    await expect(reading).rejects.toBeInstanceOf(Fault)
    await expect(reading).rejects.toMatchObject({ code: 'source-unreadable' })
  }
})

test.skipIf(process.getuid?.() === 0)('what cannot be read just now is said to be unsure', async () => {
  await using files = await openFiles({ 'locked.md': 'a', 'dir/b.md': 'b' })
  await chmod(path.join(files.dir, 'locked.md'), 0)
  await chmod(path.join(files.dir, 'dir'), 0)
  const { skipped } = await read(files.dir)
  await chmod(path.join(files.dir, 'dir'), 0o755)
  expect(skipped).toEqual([
    { path: 'dir/', why: 'the directory cannot be read: permission denied', unsure: true },
    { path: 'locked.md', why: 'it cannot be read: permission denied', unsure: true },
  ])
})

test('an empty directory holds nothing', async () => {
  await using files = await openFiles({})
  await mkdir(path.join(files.dir, 'sub'))
  expect(await read(files.dir)).toMatchObject({ files: [], skipped: [] })
})

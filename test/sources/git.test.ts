/** Git checkouts: tracked files with the commits they are of, and repositories that are fetched. */
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { Fault } from '../../src/core/fault.ts'
import {
  countCheckout,
  fetchCheckout,
  isAddress,
  readCheckout,
  removeOtherCheckouts,
} from '../../src/sources/git.ts'
import { openFiles } from '../support/knowledge.ts'
import { makeTemporary } from '../support/temporary.ts'

function git(dir: string, args: string[], date = '2026-05-04T12:00:00Z'): string {
  const who = ['-c', 'user.name=Ana', '-c', 'user.email=ana@example.com', '-c', 'init.defaultBranch=main']
  const env = {
    PATH: process.env.PATH,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_DATE: date,
    GIT_CONFIG_GLOBAL: '/dev/null',
  }
  return execFileSync('git', [...who, ...args], {
    cwd: dir,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim()
}

async function openRepository(files: Record<string, string>) {
  const repository = await openFiles(files)
  git(repository.dir, ['init', '--quiet'])
  git(repository.dir, ['add', '.'])
  git(repository.dir, ['commit', '--quiet', '-m', 'first'])
  return repository
}

async function read(dir: string, options: Parameters<typeof readCheckout>[1] = {}) {
  const found: { path: string; date?: string | undefined; link?: string | undefined }[] = []
  const skipped: string[] = []
  for await (const entry of readCheckout(dir, options)) {
    if ('found' in entry)
      found.push({ path: entry.found.path, date: entry.found.date, link: entry.found.link })
    if ('skipped' in entry) skipped.push(`${entry.skipped.path}: ${entry.skipped.why}`)
  }
  return { found, skipped, paths: found.map((one) => one.path) }
}

test('tracked files are read, with the day and the commit that changed them last', async () => {
  await using repository = await openRepository({
    '.gitignore': 'built/\n',
    'docs/a.md': '# A',
    'docs/b.md': '# B',
    'src/x.ts': 'export const x = 1\n',
    'built/out.md': '# built',
  })
  const { dir } = repository
  const first = git(dir, ['rev-parse', 'HEAD'])
  await writeFile(path.join(dir, 'docs/b.md'), '# B, again')
  git(dir, ['commit', '--quiet', '-am', 'second'], '2026-06-01T12:00:00Z')
  const second = git(dir, ['rev-parse', 'HEAD'])
  await writeFile(path.join(dir, 'untracked.md'), '# not yet')

  const link = 'https://host/blob/{commit}/{path}#L{line}'
  expect((await read(dir, { link })).found).toEqual([
    { path: 'docs/a.md', date: '2026-05-04', link: `https://host/blob/${first}/{path}#L{line}` },
    { path: 'docs/b.md', date: '2026-06-01', link: `https://host/blob/${second}/{path}#L{line}` },
    { path: 'src/x.ts', date: '2026-05-04', link: `https://host/blob/${first}/{path}#L{line}` },
  ])
  expect((await read(path.join(dir, 'docs'))).paths).toEqual(['a.md', 'b.md'])
  expect((await read(dir, { include: ['docs/**'], exclude: ['docs/b.md'] })).paths).toEqual(['docs/a.md'])
  expect(await countCheckout(dir, { include: ['docs/**'] })).toBe(2)
})

test('a repository cannot have anything run, or lead out of itself; what was taken away is gone', async () => {
  await using outside = await openFiles({
    'secret.md': 'secret',
    'hook.sh': '#!/bin/sh\ntouch "$(dirname "$0")/ran"\n',
  })
  await using repository = await openRepository({ 'a.md': 'a', 'b.md': 'b', '.env': 'X=1', id_rsa: 'x' })
  const { dir } = repository
  await chmod(path.join(outside.dir, 'hook.sh'), 0o755)
  git(dir, ['config', 'core.fsmonitor', path.join(outside.dir, 'hook.sh')])
  git(dir, ['config', 'core.hooksPath', outside.dir])
  await symlink(path.join(outside.dir, 'secret.md'), path.join(dir, 'link.md'))
  git(dir, ['-c', 'core.fsmonitor=false', 'add', 'link.md'])
  await rm(path.join(dir, 'b.md'))
  const { paths, skipped } = await read(dir)
  expect(paths).toEqual(['a.md'])
  expect(skipped).toEqual([
    '.env: it is a file for secrets, by its name',
    'b.md: it cannot be read: it is not there',
    'id_rsa: it is a file for secrets, by its name',
    'link.md: it is a link that leads out of the directory',
  ])
  expect(await readdir(outside.dir)).not.toContain('ran')
})

test('a repository is fetched, and fetched again, also after it was rewritten', async () => {
  await using place = await makeTemporary()
  await using origin = await openRepository({ 'a.md': '# A' })
  const url = `file://${origin.dir}`
  const dir = await fetchCheckout(place.dir, { url })
  expect((await read(dir)).paths).toEqual(['a.md'])

  await writeFile(path.join(origin.dir, 'b.md'), '# B')
  git(origin.dir, ['add', '.'])
  git(origin.dir, ['commit', '--quiet', '--amend', '-m', 'another first'])
  await writeFile(path.join(dir, '.git', 'index.lock'), 'of a process that died')
  expect(await fetchCheckout(place.dir, { url })).toBe(dir)
  expect((await read(dir)).paths).toEqual(['a.md', 'b.md'])

  git(origin.dir, ['switch', '--quiet', '-c', 'drafts'])
  await writeFile(path.join(origin.dir, 'c.md'), '# C')
  git(origin.dir, ['add', '.'])
  git(origin.dir, ['commit', '--quiet', '-m', 'draft'])
  const drafts = await fetchCheckout(place.dir, { url, branch: 'drafts' })
  expect(drafts).not.toBe(dir)
  expect((await read(drafts)).paths).toEqual(['a.md', 'b.md', 'c.md'])

  await rm(path.join(dir, '.git', 'HEAD'))
  expect(await fetchCheckout(place.dir, { url })).toBe(dir)
  expect((await read(dir)).paths).toContain('a.md')
})

test('a checkout that has grown is made anew, without what is gone from the repository', async () => {
  await using place = await makeTemporary()
  await using origin = await openRepository({ 'a.md': 'kept', 'b.md': 'secret' })
  const url = `file://${origin.dir}`
  const dir = await fetchCheckout(place.dir, { url })
  const secret = git(origin.dir, ['rev-parse', 'HEAD:b.md']).trim()
  git(origin.dir, ['rm', '--quiet', 'b.md'])
  git(origin.dir, ['commit', '--quiet', '--amend', '-m', 'without'])
  const packs = path.join(dir, '.git', 'objects', 'pack')
  for (let n = 0; n < 50; n++) await writeFile(path.join(packs, `pack-${n}.pack`), '')
  expect(await fetchCheckout(place.dir, { url })).toBe(dir)
  expect((await read(dir)).paths).toEqual(['a.md'])
  expect((await readdir(packs)).filter((file) => file.endsWith('.pack')).length).toBeLessThan(5)
  expect(git(dir, ['rev-list', '--all', '--objects'])).not.toContain(secret)
})

test('checkouts of repositories that are named no more are removed', async () => {
  await using place = await makeTemporary()
  await using origin = await openRepository({ 'a.md': '# A' })
  const url = `file://${origin.dir}`
  const [all, main] = [
    await fetchCheckout(place.dir, { url }),
    await fetchCheckout(place.dir, { url, branch: 'main' }),
  ]
  await mkdir(path.join(place.dir, 'of-somebody-else'))
  await removeOtherCheckouts(place.dir, [{ url, branch: 'main' }])
  expect((await readdir(place.dir)).sort()).toEqual([path.basename(main), 'of-somebody-else'].sort())
  expect(all).not.toBe(main)
  await removeOtherCheckouts(path.join(place.dir, 'nowhere'), [])
})

test('what cannot be fetched is one sentence without the password, and what was there stays', async () => {
  await using place = await makeTemporary()
  const refused = fetchCheckout(place.dir, { url: 'https://ana:s3cret-word@localhost:9/x.git' })
  await expect(refused).rejects.toBeInstanceOf(Fault)
  await expect(refused).rejects.toThrow(/^https:\/\/localhost:9\/x\.git cannot be fetched: /)
  await expect(refused).rejects.not.toThrow(/s3cret/)
  await expect(fetchCheckout(place.dir, { url: 'file:///nowhere/at/all' })).rejects.toThrow(
    /cannot be fetched/,
  )
  await using origin = await openRepository({ 'a.md': '# A' })
  const url = `file://${origin.dir}`
  const dir = await fetchCheckout(place.dir, { url })
  await rm(path.join(origin.dir, '.git'), { recursive: true })
  await expect(fetchCheckout(place.dir, { url })).rejects.toThrow(/cannot be fetched/)
  expect((await read(dir)).paths).toEqual(['a.md'])
})

test('what is no checkout is told', async () => {
  await using files = await openFiles({ 'a.md': 'a' })
  await expect(read(files.dir)).rejects.toThrow(/cannot be read as a Git checkout: not a git repository/)
  await expect(read('/nowhere/at/all')).rejects.toThrow(/cannot be read as a Git checkout/)
  expect(['https://host/x.git', 'git@host:x.git', 'ssh://host/x', 'file:///x'].every(isAddress)).toBe(true)
  expect(['../x', '/x', 'x', 'http://host/x', 'ext::sh -c x'].some(isAddress)).toBe(false)
})

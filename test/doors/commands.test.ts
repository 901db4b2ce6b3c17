import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { runCommand, startCommand } from '../support/command.ts'
import { makeTemporary } from '../support/temporary.ts'

test('a first home, knowledge read and searched, before any workspace is connected', async () => {
  await using place = await makeTemporary()
  const run = (...args: string[]) => runCommand(args, { cwd: place.dir, env: { LOG_LEVEL: 'warn' } })
  expect(await run('init', 'home')).toMatchObject({ code: 0 })
  await mkdir(path.join(place.dir, 'pages'))
  await writeFile(path.join(place.dir, 'pages', 'tide.md'), '# Tides\n\nHigh water comes at noon.\n')

  const read = await run('ingest', 'pages')
  expect(read.out).toMatch(/pages: 1 added, 0 changed, 0 unchanged, 0 removed; 1 passages written/)
  expect(read.code).toBe(0)
  const again = await run('ingest', 'pages')
  expect(again.out).toMatch(/pages: 0 added, 0 changed, 1 unchanged, 0 removed; 0 passages written/)
  const found = await run('search', 'when is high water')
  expect(found.out).toMatch(/words +meaning +score +passage\n +1 +1 +1 +0\.\d+ +Tides/)
  expect(found.code).toBe(0)
  expect(await run('migrate')).toMatchObject({
    code: 0,
    out: 'Nothing to do: the database is at this version.\n',
  })
  expect(await run('spend', '--by', 'tool')).toMatchObject({ code: 0, out: 'Nothing was spent.\n' })
}, 180_000)

test('a reader that stops reading is no error', async () => {
  await using place = await makeTemporary()
  const command = startCommand(['help'], { cwd: place.dir, deaf: true })
  await command.ended
  expect(command.err()).toBe('')
})

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Env } from '../src/core/env.ts'

const root = path.resolve(import.meta.dirname, '..')
const readme = await readFile(path.join(root, 'README.md'), 'utf8')

test('the settings table is the schema', () => {
  const json = z.toJSONSchema(Env, { io: 'input', unrepresentable: 'any' }) as {
    properties: Record<string, { default?: unknown; description?: string }>
  }
  const rows = Object.entries(json.properties).map(
    ([name, { default: value, description }]) =>
      `| \`${name}\` | ${value === undefined ? '' : `\`${value}\``} | ${description} |`,
  )
  const table = readme
    .match(/\| setting \|.*\n\|---.*\n((?:\|.*\n)+)/)?.[1]
    ?.trim()
    .split('\n')
  expect(table).toEqual(rows)
})

test('every command of the README exists', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(root, 'src/quorum.ts'), 'help'])
  const commands = new Set(
    [...readme.matchAll(/(?:`|-- |quorum )quorum (?:-- )?([a-z]+)|npm run quorum -- ([a-z]+)/g)].map(
      (m) => m[1] ?? m[2],
    ),
  )
  expect(commands.size).toBeGreaterThan(4)
  for (const command of commands) expect(stdout).toContain(`quorum ${command}`)
})

test('every file and directory of the README exists', async () => {
  const names = [
    ...readme.matchAll(/`((?:src|test|manifests|migrations)\/[\w./-]+|compose\.yaml|\.env\.example)`/g),
  ].map((m) => m[1] ?? '')
  expect(names.length).toBeGreaterThan(5)
  const { access } = await import('node:fs/promises')
  for (const name of names) await expect(access(path.join(root, name)), name).resolves.toBeUndefined()
})

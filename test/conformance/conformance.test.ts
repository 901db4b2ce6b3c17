import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { parse } from 'yaml'

type Requirements = { client: string[]; not_scored: { scenario: string; leg: 'client' | 'server' }[] }

const suite = dirname(fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json')))
const read = (file: string) => parse(readFileSync(file, 'utf8'))
const excused = Object.keys(read(join(import.meta.dirname, 'excused.yaml')))
const out = mkdtempSync(join(tmpdir(), 'quorum-conformance-'))
afterAll(() => rmSync(out, { recursive: true }))

/** Runs the suite against the product's client. Answers the verdict of every scenario, and what was printed. */
async function run(...which: string[]): Promise<{ verdicts: Map<string, boolean>; printed: string }> {
  const driver = `${process.execPath} ${join(import.meta.dirname, 'driver.ts')}`
  const args = [join(suite, 'dist/index.js'), 'client', '--command', driver, ...which, '-o', out]
  const { promise, resolve } = Promise.withResolvers<string>()
  // Its exit code tells of one failure or many; what is printed tells which.
  execFile(process.execPath, args, { maxBuffer: 1e8 }, (_, stdout, stderr) => resolve(stdout + stderr))
  const printed = await promise
  const lines = printed.matchAll(/^([✓✗]) (\S+): \d+ passed, \d+ failed/gm)
  return { verdicts: new Map([...lines].map(([, mark, name = '']) => [name, mark === '✓'])), printed }
}

test.each([
  ['2025-11-25', 18],
  ['2026-07-28', 32],
])(
  'every scenario that %s requires of a client passes, all %i',
  { timeout: 600_000 },
  async (revision, count) => {
    const { client, not_scored } = read(join(suite, 'requirements', `${revision}.yaml`)) as Requirements
    expect(client).toHaveLength(count)
    const { verdicts, printed } = await run('--requirements', revision)
    for (const name of client) {
      expect(verdicts.has(name), `${name} was not run\n${printed.slice(-4_000)}`).toBe(true)
      if (verdicts.get(name)) continue
      // All of them run at once, which a busy machine is too slow for; alone it must pass every check of the suite,
      // as there: a driver that ends over a server's nonsense is no failed check.
      const alone = await run('--scenario', name, '--spec-version', revision)
      expect(alone.printed, `${name} failed`).toMatch(/^Passed: ([1-9]\d*)\/\1, 0 failed/m)
    }
    const optional = not_scored.flatMap(({ scenario, leg }) => (leg === 'client' ? [scenario] : []))
    expect(optional.filter((name) => verdicts.get(name) !== true).sort()).toEqual([...excused].sort())
  },
)

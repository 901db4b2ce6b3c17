/** Benchmarks as a person runs them, small: that they work, not how fast it is here. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { NODE_COMPILE_CACHE } from './command.ts'

const ENTRY = fileURLToPath(new URL('../bench/run.ts', import.meta.url))

/** Starts `npm run bench -- …args` to its end. Rejects with `code` and `stderr` where it fails. */
export function startBench(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const env = { ...process.env, NODE_COMPILE_CACHE }
  return promisify(execFile)(process.execPath, [ENTRY, ...args], { env })
}

/** What a benchmark prints as JSON, which is one line and nothing else. */
export async function runBench(name: string) {
  const { stdout } = await startBench(name, '--quick', '--json')
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  return JSON.parse(stdout)
}

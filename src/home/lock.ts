/** Writing tools.lock.json: the same acceptance gives the same bytes, so that git shows what changed. */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lock } from '../core/lock.ts'

/** Writes the lock of a home, wholly or not at all. */
export async function writeLock(dir: string, lock: Lock): Promise<void> {
  const file = join(dir, 'tools.lock.json')
  const draft = `${file}.${process.pid}.new`
  await writeFile(draft, formatLock(lock))
  await rename(draft, file)
}

/** The lock as text: every map in the order of its keys, two spaces, one line end. */
export function formatLock(lock: Lock): string {
  return `${JSON.stringify(sorted(lock), null, 2)}\n`
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, one]) => [key, sorted(one)]))
}

/** The first home of somebody who has none. */
import { cp, mkdir, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Fault } from '../core/fault.ts'

const STARTER = join(import.meta.dirname, 'starter')

/**
 * Writes a commented home that can be read as it is.
 *
 * @returns the files written, relative to `dir`
 * @throws Fault `config-invalid` where `dir` is not empty or cannot be written; nothing is then changed
 */
export async function writeStarter(dir: string): Promise<string[]> {
  const target = resolve(dir)
  try {
    await mkdir(target, { recursive: true })
    if ((await readdir(target)).length > 0) {
      throw new Fault(
        'config-invalid',
        `${target} is not empty; a home is only written into an empty directory.`,
      )
    }
    await cp(STARTER, target, { recursive: true })
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw new Fault('config-invalid', `${target} cannot be written (${why}).`, { cause })
  }
  const entries = await readdir(STARTER, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(STARTER.length + 1))
    .toSorted()
}

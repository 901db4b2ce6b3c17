/** One process at a time in a data directory. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Fault } from '../core/fault.ts'

const sqliteBusy = 5

/**
 * Takes the directory for this process, or throws `Fault('store-locked')` naming the process that has it.
 *
 * The lock is SQLite's lock on an empty file: a lock of the operating system, so it ends with the process
 * however the process ends, cannot be taken twice, and never has to be judged stale.
 * Needs a file system with working locks, which network file systems may lack.
 */
export function lockDirectory(dir: string): { release(): void } {
  const owner = path.join(dir, 'owner')
  let file: DatabaseSync | undefined
  try {
    file = new DatabaseSync(path.join(dir, 'lock'))
    file.exec('pragma journal_mode = delete; pragma locking_mode = exclusive; begin exclusive')
    writeFileSync(owner, `process ${process.pid}\n`)
  } catch (cause) {
    file?.close()
    if ((cause as { errcode?: number }).errcode === sqliteBusy) {
      throw new Fault('store-locked', `${dir} is in use by ${readOwner(owner)}. Stop it first.`, { cause })
    }
    const why = (cause as Error).message
    throw new Fault('store-unreachable', `${dir} cannot be locked: ${why}`, { cause })
  }
  return { release: () => file.close() }
}

function readOwner(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim() || 'another process'
  } catch {
    return 'another process'
  }
}

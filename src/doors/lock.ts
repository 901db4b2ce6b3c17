/** What tools.lock.json accepts, also after somebody accepted more while a process runs. */
import { stat } from 'node:fs/promises'
import path from 'node:path'
import type { Home } from '../core/home.ts'
import type { Lock } from '../core/lock.ts'
import { readLockOf } from '../home/read.ts'
import type { Log } from '../telemetry/log.ts'

/** The file is looked at this often, in ms. */
const LOOK_MS = 3_000

/**
 * Follows the lock of a home, also from what it was when the home was read. A file that is wrong changes nothing and is
 * told once; one that is gone accepts nothing.
 */
export function watchLock(
  home: Pick<Home, 'dir' | 'lock'>,
  log: Log,
  lookMs = LOOK_MS,
): Disposable & { lock: () => Lock | undefined } {
  const file = path.join(home.dir, 'tools.lock.json')
  let lock = home.lock
  let known: string | undefined
  let looking = false

  async function look(): Promise<void> {
    if (looking) return
    looking = true
    try {
      const found = await stat(file).catch(() => undefined)
      const print = found ? `${found.mtimeMs} ${found.size} ${found.ino}` : 'none'
      if (print === known) return
      known = print
      const read = await readLockOf(home.dir)
      if (JSON.stringify(read) === JSON.stringify(lock)) return
      lock = read
      log('info', 'accepted tools were read again', { servers: Object.keys(lock?.servers ?? {}) })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      log('error', 'accepted tools could not be read again; those of before still hold', { why })
    } finally {
      looking = false
    }
  }

  void look()
  const timer = setInterval(() => void look(), lookMs)
  timer.unref()
  return { lock: () => lock, [Symbol.dispose]: () => clearInterval(timer) }
}

/** Noticing that something below a directory changed. */
import { watch } from 'node:fs'

/** Changes come in bursts; they are told this long after the first, in ms. */
const SETTLE_MS = 1_000

/**
 * Calls `onChange` some time after a file below a directory changed, as far as the system tells; where it cannot
 * (too many directories, a network file system), nothing is told, and whoever asks looks from time to time anyway.
 */
export function watchDirectory(directory: string, onChange: () => void, settleMs = SETTLE_MS): Disposable {
  let timer: NodeJS.Timeout | undefined
  const changed = () => {
    timer ??= setTimeout(() => {
      timer = undefined
      onChange()
    }, settleMs).unref()
  }
  try {
    const watcher = watch(directory, { recursive: true, persistent: false }, changed)
    watcher.on('error', () => watcher.close())
    return {
      [Symbol.dispose]() {
        clearTimeout(timer)
        watcher.close()
      },
    }
  } catch {
    return { [Symbol.dispose]() {} }
  }
}

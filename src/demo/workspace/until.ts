/** Waiting for something to become true: asked again after every change instead of after a pause. */

export type Waiting = {
  /** Something changed: ask again. */
  poke(): void
  until<T>(probe: () => T | undefined | false, ms?: number): Promise<T>
  close(): void
}

const FALLBACK_MS = 100

/** @param saw describes the present state for the error of a wait that ran out */
export function createWaiting(saw: () => string): Waiting {
  const asks = new Set<() => void>()
  const ends = new Set<(error: Error) => void>()
  let due = false
  return {
    poke() {
      if (due || asks.size === 0) return
      due = true
      setImmediate(() => {
        due = false
        for (const ask of [...asks]) ask()
      })
    },
    until(probe, ms = 5_000) {
      return new Promise((resolve, reject) => {
        const finish = () => {
          clearTimeout(limit)
          clearInterval(fallback)
          asks.delete(ask)
          ends.delete(end)
        }
        const end = (error: Error) => {
          finish()
          reject(error)
        }
        const ask = () => {
          try {
            const value = probe()
            if (value === undefined || value === false) return
            finish()
            resolve(value)
          } catch (error) {
            end(error instanceof Error ? error : new Error(String(error)))
          }
        }
        const limit = setTimeout(() => {
          end(new Error(`Still waiting after ${ms} ms for: ${String(probe)}\n${saw()}`))
        }, ms)
        const fallback = setInterval(ask, FALLBACK_MS)
        asks.add(ask)
        ends.add(end)
        ask()
      })
    },
    close() {
      for (const end of [...ends]) end(new Error('The workspace was closed while something waited for it.'))
    },
  }
}

/** Turns at one server: so many calls at once, the others wait in order. */
import { Fault } from '../core/fault.ts'

/** Calls that may wait at one server; any further one is refused at once. */
const MOST_WAITING = 200

export type Turns = {
  /**
   * Waits for a turn, which lasts until the function that comes back is called.
   *
   * @throws Fault tool-unreachable where too many wait, or where it took too long; the signal's reason where it aborts
   */
  take(signal: AbortSignal, waitMs: number): Promise<() => void>
  running(): number
  waiting(): number
}

/** @param server its name, for sentences */
export function openTurns(server: string, atOnce: number): Turns {
  const queue: (() => void)[] = []
  let running = 0

  function turn(): () => void {
    let over = false
    return () => {
      if (over) return
      over = true
      // It goes on to who waited longest, so that nobody can come between.
      const first = queue.shift()
      if (first) first()
      else running--
    }
  }

  async function wait(signal: AbortSignal, waitMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = (why: unknown) => {
      const place = queue.indexOf(resolve)
      if (place < 0) return
      queue.splice(place, 1)
      reject(why)
    }
    const abort = () => leave(signal.reason)
    const timer = setTimeout(
      () => leave(busy(`the call waited ${Math.round(waitMs / 1_000)} s in vain`)),
      waitMs,
    )
    signal.addEventListener('abort', abort, { once: true })
    queue.push(resolve)
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
  }

  function busy(then: string): Fault {
    const calls = atOnce === 1 ? 'one call' : `${atOnce} calls`
    const why = `${server} is busy with ${calls}, and ${then}; nothing was called.`
    return new Fault('tool-unreachable', why, { retry: true })
  }

  return {
    async take(signal, waitMs) {
      signal.throwIfAborted()
      if (running < atOnce) {
        running++
        return turn()
      }
      if (queue.length >= MOST_WAITING) throw busy(`${MOST_WAITING} others wait`)
      await wait(signal, waitMs)
      return turn()
    },
    running: () => running,
    waiting: () => queue.length,
  }
}

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

  function next(): void {
    running--
    queue.shift()?.()
  }

  function start(): () => void {
    running++
    let over = false
    return () => {
      if (over) return
      over = true
      next()
    }
  }

  async function wait(signal: AbortSignal, waitMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = (why: unknown) => {
      queue.splice(queue.indexOf(resolve), 1)
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
    return new Fault(
      'tool-unreachable',
      `${server} is busy with ${calls}, and ${then}; nothing was called.`,
      {
        retry: true,
      },
    )
  }

  return {
    async take(signal, waitMs) {
      signal.throwIfAborted()
      if (running < atOnce && queue.length === 0) return start()
      if (queue.length >= MOST_WAITING) throw busy(`${MOST_WAITING} others wait`)
      await wait(signal, waitMs)
      return start()
    },
    running: () => running,
    waiting: () => queue.length,
  }
}

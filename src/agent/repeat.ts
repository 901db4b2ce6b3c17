/** Doing something again and again, until closed. */
import { Fault } from '../core/fault.ts'
import { isAway } from '../store/server.ts'

export type Repeating = {
  /** Does it now; once more where it is being done already. */
  poke(): void
  /** No more turns; waits for the one under way. */
  close(): Promise<void>
}

/**
 * Does `work` every `ms`, and at once when poked, never twice at a time. Failures are logged, once for a
 * row of equal ones, and the next turn comes; that store or queue are away they say themselves.
 */
export function repeat(
  ms: number,
  work: () => Promise<void>,
  log: (level: 'warn', message: string, fields: { why: string }) => void,
): Repeating {
  let closed = false
  let poked = false
  let failing = ''
  let busy: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  function turn(): void {
    clearTimeout(timer)
    if (busy || closed) return
    poked = false
    busy = work()
      .then(
        () => {
          failing = ''
        },
        (error: unknown) => {
          const why = error instanceof Error ? error.message : String(error)
          if (why !== failing && !toldAlready(error))
            log('warn', 'something done again and again failed; it goes on', { why })
          failing = why
        },
      )
      .finally(() => {
        busy = undefined
        if (!closed) timer = setTimeout(turn, poked && !failing ? 0 : ms)
      })
  }

  timer = setTimeout(turn, ms)
  return {
    poke() {
      poked = true
      if (!busy) turn()
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await busy
    },
  }
}

function toldAlready(error: unknown): boolean {
  return error instanceof Fault ? error.code === 'queue-unreachable' : isAway(error)
}

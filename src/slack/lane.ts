/** The order and the pace of calls. */

/** Calls of one channel under way at once; one, a second apart, after Slack has limited the channel. */
const AT_ONCE = 8
const PACE_MS = 1000
const PACED_FOR_MS = 30_000
/** After a limit, progress stays quiet for at least this long, so that answers and approvals find room. */
const QUIET_MS = 10_000

/** One channel's queue: the lowest rank first. Every `turn` must be followed by a `leave`. */
export type Lane = {
  turn(rank: number): Promise<void>
  leave(): void
  /** Slack asked for `ms` without calls: for some time after it, one call a second. */
  slow(ms: number): void
  paced(): boolean
}

export function openLane(): Lane {
  const waiting: { rank: number; go: () => void }[] = []
  let timer: NodeJS.Timeout | undefined
  let [active, pacedUntil, nextAt] = [0, 0, 0]

  function admit(): void {
    const now = performance.now()
    const paced = now < pacedUntil
    while (waiting.length > 0 && active < (paced ? 1 : AT_ONCE)) {
      if (paced && now < nextAt) {
        if (timer) return
        timer = setTimeout(() => {
          timer = undefined
          admit()
        }, nextAt - now)
        return
      }
      active += 1
      nextAt = now + PACE_MS
      waiting.shift()?.go()
    }
  }

  return {
    turn: (rank) =>
      new Promise((go) => {
        const at = waiting.findIndex((other) => other.rank > rank)
        waiting.splice(at < 0 ? waiting.length : at, 0, { rank, go })
        admit()
      }),
    leave: () => {
      active -= 1
      admit()
    },
    slow: (ms) => {
      pacedUntil = performance.now() + ms + PACED_FOR_MS
    },
    paced: () => performance.now() < pacedUntil,
  }
}

/** What Slack has limited, and for how long. */
export type Limits = {
  hit(key: string, ms: number): void
  /** Milliseconds until the next call may go; 0 or less: now. */
  left(key: string): number
  /** Whether progress should still keep quiet. */
  quiet(key: string): boolean
}

export function openLimits(): Limits {
  const limits = new Map<string, { until: number; quietUntil: number }>()
  return {
    hit: (key, ms) => {
      const now = performance.now()
      if (limits.size > 10_000) limits.clear()
      limits.set(key, { until: now + ms, quietUntil: now + Math.max(2 * ms, QUIET_MS) })
    },
    left: (key) => (limits.get(key)?.until ?? 0) - performance.now(),
    quiet: (key) => performance.now() < (limits.get(key)?.quietUntil ?? 0),
  }
}

/** Calls in the background: so many in a row, then one every so often, a little less than Slack allows (50 a minute). */
const BURST = 20
const REFILL_MS = 1_500
/** How long the pace that Slack has asked for is kept. */
const SLOW_FOR_MS = 10 * 60_000

export type Pace = {
  /** Takes a place in the row and says in how many milliseconds its turn is. */
  next(): number
  /** Slack asked for `ms` without calls: one call in that time, from now on. */
  slow(ms: number): void
}

export function openPace(): Pace {
  // Up to a burst of turns may lie in the past.
  let turn = performance.now() - BURST * REFILL_MS
  let slow = { ms: 0, until: 0 }
  return {
    next: () => {
      const now = performance.now()
      const paced = now < slow.until
      const everyMs = paced ? Math.max(slow.ms, REFILL_MS) : REFILL_MS
      turn = Math.max(turn, paced ? now : now - BURST * REFILL_MS) + everyMs
      return Math.max(0, turn - everyMs - now)
    },
    slow: (ms) => {
      const now = performance.now()
      slow = { ms: now < slow.until ? Math.max(slow.ms, ms) : ms, until: now + SLOW_FOR_MS }
      turn = now + ms
    },
  }
}

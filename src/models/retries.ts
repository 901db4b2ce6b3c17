/** How often a process asks again: at most once in ten calls, so that trouble does not double the load. */

export type RetryBudget = {
  /** A call begins. */
  earn(): void
  /** Whether one more attempt may be made; it is taken from the budget. */
  take(): boolean
}

/** What one call adds. */
const SHARE = 0.1
/** What is there at first and at most, so that a quiet process can ask again too, and how much comes back a second. */
const MOST = 10
const PER_SECOND = 0.1

/** Opens a budget; `now` in milliseconds. */
export function openRetryBudget(now: () => number = () => performance.now()): RetryBudget {
  let left = MOST
  let at = now()
  const add = (more: number) => {
    left = Math.min(MOST, left + more)
  }
  return {
    earn: () => add(SHARE),
    take() {
      add(((now() - at) / 1_000) * PER_SECOND)
      at = now()
      if (left < 1) return false
      left -= 1
      return true
    },
  }
}

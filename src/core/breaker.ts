/**
 * When a server that fails is left alone, and how it is tried again. A pure state machine: times are milliseconds of
 * any clock that only goes forward.
 */

/**
 * `closed`: it is used; `fails` in a row. `open`: it is left alone until `until`, for the `times`th time in a row.
 * `trying`: one call is under way to see whether it is back. `busyUntil`: it asked to be given no more until then.
 */
export type Breaker = { busyUntil: number } & (
  | { state: 'closed'; fails: number }
  | { state: 'open'; until: number; times: number }
  | { state: 'trying'; times: number }
)

/**
 * What came of a call. `failed`: no connection, 5xx, silence, an error in the stream, an answer cut short. `busy`: 429
 * or 503. `nothing`: says nothing about the server (we gave up, or the request was wrong).
 */
export type Outcome = 'worked' | 'failed' | 'nothing' | { busyMs: number }

export const FRESH: Breaker = { state: 'closed', fails: 0, busyUntil: 0 }

/** Failures in a row that open it. */
const MOST_FAILS = 3
/** How long it stays open, in ms: doubled each time in a row. */
const OPEN_MS = 1_000
const LONGEST_OPEN_MS = 60_000
/** The longest that a server may have itself left alone, in ms. */
const LONGEST_BUSY_MS = 60_000

/** Whether a call may be made now. */
export function admits(breaker: Breaker, now: number): boolean {
  if (now < breaker.busyUntil) return false
  return breaker.state === 'closed' || (breaker.state === 'open' && now >= breaker.until)
}

/** The breaker once a call that it admits is under way: an open one admits exactly one. */
export function begin(breaker: Breaker): Breaker {
  return breaker.state === 'open'
    ? { state: 'trying', times: breaker.times, busyUntil: breaker.busyUntil }
    : breaker
}

/** The breaker after a call. `tried`: this call is the one that found it open. */
export function settle(breaker: Breaker, outcome: Outcome, now: number, tried: boolean): Breaker {
  const { busyUntil } = breaker
  const decides = breaker.state === 'closed' || (breaker.state === 'trying' && tried)
  if (typeof outcome === 'object') {
    const busy = now + Math.min(outcome.busyMs, LONGEST_BUSY_MS)
    // Whoever asks for patience is alive.
    const alive: Breaker = decides ? { ...FRESH } : breaker
    return { ...alive, busyUntil: Math.max(busyUntil, busy) }
  }
  if (!decides) return breaker
  if (outcome === 'worked') return { state: 'closed', fails: 0, busyUntil }
  if (outcome === 'nothing')
    return breaker.state === 'trying'
      ? { state: 'open', until: now, times: breaker.times, busyUntil }
      : breaker
  if (breaker.state === 'trying') return opened(breaker.times + 1, now, busyUntil)
  const fails = breaker.state === 'closed' ? breaker.fails + 1 : MOST_FAILS
  return fails < MOST_FAILS ? { state: 'closed', fails, busyUntil } : opened(1, now, busyUntil)
}

function opened(times: number, now: number, busyUntil: number): Breaker {
  const ms = Math.min(LONGEST_OPEN_MS, OPEN_MS * 2 ** Math.min(times - 1, 10))
  return { state: 'open', until: now + ms, times, busyUntil }
}

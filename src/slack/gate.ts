/** Slack's limits, kept before Slack has to: who may call a method now, the most important first. */

/** A clock that goes `speed` times as fast as ours, so that a test need not wait a minute for a minute. */
export type Clock = { now(): number; after(ms: number, then: () => void): NodeJS.Timeout }

export function openClock(speed = 1): Clock {
  return {
    now: () => performance.now() * speed,
    after: (ms, then) => setTimeout(then, ms / speed),
  }
}

/** So many calls within so many ms, and how many after Slack has limited us nonetheless: then others share the limit. */
export type Limit = { calls: number; ms: number; careful: { calls: number; ms: number; forMs: number } }

const aMinute = (calls: number): Limit => ({
  calls,
  ms: 60_000,
  careful: { calls: Math.ceil(calls / 2), ms: 60_000, forMs: 10 * 60_000 },
})

/**
 * Slack's published tiers (https://docs.slack.dev/apis/web-api/rate-limits): each for one method in one workspace,
 * `post` for one channel: a message a second, with short bursts.
 */
export const LIMITS = {
  1: aMinute(1),
  2: aMinute(20),
  3: aMinute(50),
  4: aMinute(100),
  post: { calls: 3, ms: 3_000, careful: { calls: 1, ms: 1_000, forMs: 30_000 } },
} as const satisfies Record<string, Limit>
export type Tier = keyof typeof LIMITS | 'free'

/** Calls take a while to arrive: two that left a limit's time apart may arrive closer together. In ms. */
const withMargin = (ms: number) => ms + Math.max(ms * 0.05, 300)
/** After a limit, progress stays quiet for at least this long, so that answers and approvals find room. */
const QUIET_MS = 10_000

export type Gate = {
  /** Waits for the turn of a call and counts it; a `leave` must follow a `now`. `late` after `patienceMs`, `closed` where the signal was first. */
  turn(
    share: number,
    rank: number,
    patienceMs: number,
    signal: AbortSignal,
  ): Promise<'now' | 'late' | 'closed'>
  /** The call has ended: where Slack has limited us lately, one goes after the other. */
  leave(): void
  /** Whether a call could go at once, and Slack has not limited us lately. */
  calm(share: number): boolean
  /** Slack asked for `ms` without calls. */
  hit(ms: number): void
}

type Waiting = { share: number; rank: number; go: () => void }

/** `share` of a turn: how much of the limit calls like it may use, so that what is more important finds room. */
export function openGate(limit: Limit, clock: Clock): Gate {
  const sent: number[] = []
  const waiting: Waiting[] = []
  let [closedUntil, carefulUntil, quietUntil, underWay] = [0, 0, 0, 0]
  let timer: NodeJS.Timeout | undefined

  /** Milliseconds until a call of this share may go; 0 or less: now. */
  function left(share: number): number {
    const now = clock.now()
    if (now < closedUntil) return closedUntil - now
    while (sent.length > 0 && (sent[0] ?? 0) <= now - withMargin(limit.ms)) sent.shift()
    const limits = now < carefulUntil ? [limit, limit.careful] : [limit]
    return Math.max(...limits.map((one) => leftOf(one, share, now)))
  }

  function leftOf({ calls, ms }: { calls: number; ms: number }, share: number, now: number): number {
    const room = calls <= 3 ? calls : Math.floor(calls * share)
    const before = sent[sent.length - room]
    return before === undefined ? 0 : before + withMargin(ms) - now
  }

  function admit(): void {
    clearTimeout(timer)
    let soonest = Number.POSITIVE_INFINITY
    for (const one of [...waiting]) {
      if (underWay > 0 && clock.now() < carefulUntil) return
      const ms = left(one.share)
      if (ms > 0) {
        soonest = Math.min(soonest, ms)
        continue
      }
      waiting.splice(waiting.indexOf(one), 1)
      sent.push(clock.now())
      underWay += 1
      one.go()
    }
    if (Number.isFinite(soonest)) timer = clock.after(soonest, admit)
  }

  return {
    turn: (share, rank, patienceMs, signal) =>
      new Promise((resolve) => {
        const end = (how: 'now' | 'late' | 'closed') => {
          clearTimeout(patience)
          signal.removeEventListener('abort', onAbort)
          const at = waiting.indexOf(one)
          if (at >= 0) waiting.splice(at, 1)
          resolve(how)
        }
        const one: Waiting = { share, rank, go: () => end('now') }
        const onAbort = () => end('closed')
        const patience = Number.isFinite(patienceMs) ? clock.after(patienceMs, () => end('late')) : undefined
        signal.addEventListener('abort', onAbort)
        if (signal.aborted) return onAbort()
        const at = waiting.findIndex((other) => other.rank > rank)
        waiting.splice(at < 0 ? waiting.length : at, 0, one)
        admit()
      }),
    leave() {
      underWay -= 1
      admit()
    },
    calm: (share) => clock.now() >= quietUntil && waiting.length === 0 && left(share) <= 0,
    hit(ms) {
      const now = clock.now()
      closedUntil = Math.max(closedUntil, now + ms)
      carefulUntil = closedUntil + limit.careful.forMs
      quietUntil = now + Math.max(2 * ms, QUIET_MS)
    },
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

export function openPace(clock: Clock): Pace {
  // Up to a burst of turns may lie in the past.
  let turn = clock.now() - BURST * REFILL_MS
  let slow = { ms: 0, until: 0 }
  return {
    next: () => {
      const now = clock.now()
      const paced = now < slow.until
      const everyMs = paced ? Math.max(slow.ms, REFILL_MS) : REFILL_MS
      turn = Math.max(turn, paced ? now : now - BURST * REFILL_MS) + everyMs
      return Math.max(0, turn - everyMs - now)
    },
    slow: (ms) => {
      const now = clock.now()
      slow = { ms: now < slow.until ? Math.max(slow.ms, ms) : ms, until: now + SLOW_FOR_MS }
      turn = now + ms
    },
  }
}

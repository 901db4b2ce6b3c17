/** What the Web API does wrong on command, and the limits it keeps when they are asked for. */
import type { Tier } from './method.ts'
import type { Json } from './world.ts'

/** How a call fails below Slack's JSON: a 500, a reset before, or a reset after it took effect. */
export type Breakage = 'status' | 'reset' | 'lost'

export type Faults = {
  limit(method: string, retryAfterSeconds: number, times?: number): void
  slow(method: string, ms: number, times?: number): void
  refuse(method: string, error: string, times?: number): void
  breakHttp(method: string, times?: number, how?: Breakage): void
  /** What is due for this call; each is used up by being taken. */
  take(method: string): { limit?: number; slow?: number; refuse?: string; broken?: Breakage }
}

/** A method named `*` means every method. */
export function createFaults(): Faults {
  const limits = createCountdown<number>()
  const delays = createCountdown<number>()
  const refusals = createCountdown<string>()
  const breaks = createCountdown<Breakage>()
  return {
    limit: limits.set,
    slow: delays.set,
    refuse: refusals.set,
    breakHttp: (method, times = 1, how = 'status') => breaks.set(method, how, times),
    take(method) {
      const due: ReturnType<Faults['take']> = {}
      const broken = breaks.take(method)
      if (broken !== undefined) due.broken = broken
      const slow = delays.take(method)
      if (slow !== undefined) due.slow = slow
      if (broken !== undefined) return due
      const limit = limits.take(method)
      if (limit !== undefined) return { ...due, limit }
      const refuse = refusals.take(method)
      return refuse === undefined ? due : { ...due, refuse }
    },
  }
}

function createCountdown<T>() {
  const due = new Map<string, { value: T; times: number }>()
  return {
    set(method: string, value: T, times = 1) {
      if (times > 0) due.set(method, { value, times })
      else due.delete(method)
    },
    take(method: string): T | undefined {
      const key = due.has(method) ? method : '*'
      const entry = due.get(key)
      if (!entry) return undefined
      entry.times -= 1
      if (entry.times <= 0) due.delete(key)
      return entry.value
    },
  }
}

const PER_MINUTE: Record<1 | 2 | 3 | 4, number> = { 1: 1, 2: 20, 3: 50, 4: 100 }
const POST_BURST = 3

/**
 * Slack's published tiers as token buckets: the seconds to wait, or undefined where the call may go.
 *
 * @param speed how many times faster than ours the clock of the tiers goes
 * @param unlistedMs one call of history and one of replies in so many milliseconds
 */
export function createTiers({
  published,
  speed,
  unlistedMs,
}: {
  published: boolean
  speed: number
  unlistedMs: number | undefined
}): (method: string, tier: Tier, args: Json) => number | undefined {
  const buckets = new Map<string, { tokens: number; at: number }>()
  return (method, tier, args) => {
    const slow = unlistedMs && /^conversations\.(history|replies)$/.test(method) ? unlistedMs : undefined
    if (tier === 'none' || (!published && !slow)) return undefined
    const posting = tier === 'post'
    const key = posting ? `${method}:${String(args.channel)}` : method
    const capacity = slow ? 1 : posting ? POST_BURST : PER_MINUTE[tier]
    const perSecond = slow ? 1000 / slow : posting ? 1 : capacity / 60
    const now = performance.now() * speed
    const bucket = buckets.get(key) ?? { tokens: capacity, at: now }
    const tokens = Math.min(capacity, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
    buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now })
    return tokens >= 1 ? undefined : Math.ceil((1 - tokens) / perSecond)
  }
}

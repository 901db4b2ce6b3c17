/** Chance that can be had again: the same seed gives the same numbers. */

export type Random = {
  /** At least `low`, below `high`. */
  between(low: number, high: number): number
  pick<T>(of: readonly T[]): T
}

/** Mulberry32, a generator of 32 bits; good enough for tests. */
export function openRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    between: (low, high) => low + next() * (high - low),
    pick(of) {
      if (of.length === 0) throw new Error('there is nothing to pick from')
      return of[Math.floor(next() * of.length)] as (typeof of)[number]
    },
  }
}

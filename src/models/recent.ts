/** Things that were seen lately; the rest is forgotten. */
export type Recent = { add(thing: string): void; has(thing: string): boolean }

/** Remembers up to `most` things for `ms` milliseconds since each was last added. */
export function openRecent(most: number, ms: number, now: () => number = () => performance.now()): Recent {
  const seen = new Map<string, number>()
  return {
    add(thing) {
      seen.delete(thing)
      seen.set(thing, now())
      const oldest = seen.size > most ? seen.keys().next().value : undefined
      if (oldest !== undefined) seen.delete(oldest)
    },
    has: (thing) => now() - (seen.get(thing) ?? Number.NEGATIVE_INFINITY) < ms,
  }
}

/**
 * Which server a call goes to: consistent hashing with bounded load. Pure.
 *
 * Every key has an order of its own over the servers (rendezvous hashing), so that a conversation stays where its
 * prefix is cached and only the keys of a server that leaves move. No server takes a call while it holds more than
 * 1.25 times its share of the load and another does not (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with
 * Bounded Loads, 2017).
 */

/**
 * A server that may take the call. `load`: tokens it holds, in flight and queued. `speed`: tokens a second, measured;
 * only compared. `share`: 1, or less while it warms up. `spare`: tokens it bears without anybody waiting.
 */
export type Candidate = { id: string; load: number; speed: number; share: number; spare: number }

/** How far above its share of the load a server may be. */
const BOUND = 1.25

/** The load at which a server takes no more, given all servers and a call of `size` tokens. */
export function boundOf(candidate: Candidate, all: readonly Candidate[], size: number): number {
  const total = all.reduce((sum, one) => sum + one.load, size)
  const shares = all.reduce((sum, one) => sum + one.share, 0)
  return Math.max((BOUND * total * candidate.share) / shares, candidate.spare * candidate.share)
}

/**
 * Chooses a server for a call of `size` tokens: the first in the key's order that is under its bound; where that is not
 * the very first, the less busy of the next two under theirs, by load over speed. Undefined where there is none at all.
 */
export function route(key: string, size: number, all: readonly Candidate[]): string | undefined {
  const [first, ...others] = orderFor(key, all)
  if (!first) return undefined
  const isUnder = (one: Candidate) => one.load < boundOf(one, all, size)
  if (isUnder(first)) return first.id
  const [a, b] = others.filter(isUnder)
  if (!a || !b) return (a ?? first).id
  return (b.load / b.speed < a.load / a.speed ? b : a).id
}

/** The servers in the order in which this key prefers them. */
export function orderFor<T extends { id: string }>(key: string, all: readonly T[]): T[] {
  return all
    .map((one) => ({ one, rank: hash(`${key}\u0000${one.id}`) }))
    .toSorted((a, b) => b.rank - a.rank || (a.one.id < b.one.id ? -1 : 1))
    .map(({ one }) => one)
}

/** 32 bits, well mixed: FNV-1a with the finish of MurmurHash3. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

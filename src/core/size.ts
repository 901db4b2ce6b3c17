/**
 * How long calls wait for a model server, in closed form, and how many servers it takes; beside it the same played
 * through ({@link simulate}). Pure. Every place of a replica (`atOnce`) counts as one server of a G/G/k queue: Erlang B
 * and C, and for what varies otherwise than chance Allen and Cunneen's approximation, which is Kingman's where k is 1.
 * Every call is taken to be as slow as on a full replica, so where load slows calls down the waits are upper bounds.
 */
import { type Servers, type Simulated, simulate, type Traffic } from './simulate.ts'

/** Share of calls that find all of `places` taken and are turned away. `offered`: calls in service where none is (erlang). */
export function erlangB(places: number, offered: number): number {
  let share = 1
  for (let n = 1; n <= places; n++) share = (offered * share) / (n + offered * share)
  return share
}

/** Share of calls that must wait; 1 where more comes than can be done. */
export function erlangC(places: number, offered: number): number {
  if (offered >= places) return 1
  const lost = erlangB(places, offered)
  return lost / (1 - (offered / places) * (1 - lost))
}

/** Waits in seconds; infinite where `utilisation` is 1 or more. `left`: share that would go elsewhere rather than wait. */
export type Expected = { utilisation: number; waiting: number; mean: number; p95: number; left: number }

export function expectWaits({ rate, gapsCv2, work }: Traffic, { replicas, atOnce, slow }: Servers): Expected {
  const places = replicas * atOnce
  const offered = rate * work.mean * slow
  const utilisation = offered / places
  const left = erlangB(places, offered)
  if (utilisation >= 1)
    return { utilisation, waiting: 1, mean: Number.POSITIVE_INFINITY, p95: Number.POSITIVE_INFINITY, left }
  const waiting = erlangC(places, offered)
  // Of those who wait: an exponential tail, exact for M/M/k.
  const tail = (((gapsCv2 + work.cv2) / 2) * work.mean * slow) / places / (1 - utilisation)
  return {
    utilisation,
    waiting,
    mean: waiting * tail,
    p95: waiting <= 0.05 ? 0 : tail * Math.log(waiting / 0.05),
    left,
  }
}

/** One number of replicas, by both methods. `played` is absent where calls come faster than they are done. */
export type Sized = {
  replicas: number
  expected: Expected
  played?: Simulated
  /** Share that goes elsewhere where nothing waits, played through. */
  left: number
  /** Whether 95 % wait no longer than the goal, by both methods. */
  holds: boolean
}

export type Goal = {
  traffic: Traffic
  atOnce: number
  slow: number
  /** Seconds that 95 of 100 calls wait at most. */
  waitS: number
  /** How many calls are played through, and from which seed. */
  calls: number
  seed: number
}

export function sizeOf(goal: Goal, replicas: number): Sized {
  const { traffic, atOnce, slow, waitS, calls, seed } = goal
  const servers = { replicas, atOnce, slow }
  const expected = expectWaits(traffic, servers)
  const { left } = simulate(traffic, servers, { calls, seed, leaves: true })
  if (expected.utilisation >= 1) return { replicas, expected, left, holds: false }
  const played = simulate(traffic, servers, { calls, seed })
  return { replicas, expected, played, left, holds: expected.p95 <= waitS && played.p95 <= waitS }
}

/** More are not looked for: somebody has given a wrong unit. */
const MOST_REPLICAS = 500
/** So often one more is tried where the simulation waits longer than the closed form. */
const MOST_MORE = 20

/** The fewest replicas that hold the goal by both methods; undefined where too many would be needed. */
export function leastReplicas(goal: Goal): Sized | undefined {
  const { traffic, atOnce, slow, waitS } = goal
  let replicas = Math.max(1, Math.ceil((traffic.rate * traffic.work.mean * slow) / atOnce))
  if (replicas > MOST_REPLICAS) return undefined
  while (expectWaits(traffic, { replicas, atOnce, slow }).p95 > waitS)
    if (++replicas > MOST_REPLICAS) return undefined
  for (let more = 0; more <= MOST_MORE; more++) {
    const sized = sizeOf(goal, replicas + more)
    if (sized.holds) return sized
  }
  return undefined
}

/** The fewest places so that at most 5 % of those who come find all taken. */
export function leastPlaces(offered: number): number {
  let places = Math.max(1, Math.ceil(offered))
  while (erlangC(places, offered) > 0.05) places += 1
  return places
}

/** Whether two numbers of seconds, or shares, are further apart than 10 % and than anybody would notice. */
export function disagree(one: number, other: number, unnoticed = 0.01): boolean {
  return Math.abs(one - other) > Math.max(unnoticed, Math.max(one, other) / 10)
}

/** A token count and how often it comes: `{ tokens: 300, weight: 1 }`. */
export type Bar = { tokens: number; weight: number }

/** So many equally likely values stand for a histogram. */
const VALUES = 1_000

/** Equally likely service times in seconds, from histograms of tokens read and written that do not depend on each other. */
export function serviceTimes(
  read: readonly Bar[],
  written: readonly Bar[],
  speed: { read: number; write: number },
): number[] {
  const times = read.flatMap((prompt) =>
    written.map((answer) => ({
      seconds: prompt.tokens / speed.read + answer.tokens / speed.write,
      weight: prompt.weight * answer.weight,
    })),
  )
  times.sort((a, b) => a.seconds - b.seconds)
  const total = times.reduce((sum, { weight }) => sum + weight, 0)
  const values: number[] = []
  let below = 0
  for (const { seconds, weight } of times) {
    below += weight
    while (values.length < Math.round((below / total) * VALUES)) values.push(seconds)
  }
  return values
}

/** The mean of values and how they vary. */
export function spreadOf(values: readonly number[]) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  return { mean, cv2: variance / mean ** 2, values }
}

/**
 * The spread of measured times, of which the middles of equal parts are known and the mean of all: the last one stands
 * for everything that took longest, so that the mean is kept.
 */
export function spreadOfParts(middles: readonly number[], mean: number) {
  const last = middles.at(-1) ?? mean
  const others = middles.slice(0, -1)
  const rest = mean * middles.length - others.reduce((sum, value) => sum + value, 0)
  return spreadOf([...others, Math.max(last, rest)])
}

/** The largest prompt that still is read in one step beside the calls under way, as `--max-num-batched-tokens` of vLLM. */
export function batchedTokens(atOnce: number, prompt: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(atOnce + prompt))
  return Math.max(2_048, 2 ** Math.ceil(Math.log2(atOnce)), Math.min(16_384, wanted))
}

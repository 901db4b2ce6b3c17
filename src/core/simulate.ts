/** Model servers with one queue before them, played through call by call. Pure: the same seed gives the same times. */

/** How long calls take, or how far apart they come: the mean, and the square of the coefficient of variation. */
export type Spread = {
  /** Seconds. */
  mean: number
  cv2: number
  /** Equally likely values of this mean, where the shape is known; without them a gamma distribution is taken. */
  values?: readonly number[]
}

export type Traffic = {
  /** Calls a second. */
  rate: number
  /** Of the gaps between calls: 1 for calls that come independently of each other, more for bursts. */
  gapsCv2: number
  work: Spread
}

export type Servers = {
  replicas: number
  /** Calls one replica works on at once. */
  atOnce: number
  /** How many times as long a call takes on a full replica as on one that has nothing else; in between, in proportion. */
  slow: number
}

export type Playing = {
  calls: number
  seed: number
  /** Whether a call that finds no room goes elsewhere instead of waiting. */
  leaves?: boolean
}

/** Waits in seconds, of the calls that stayed. */
export type Simulated = {
  mean: number
  p95: number
  /** Share of the places that were taken. */
  utilisation: number
  /** Share of the calls that had to wait, and that went elsewhere. */
  waiting: number
  left: number
}

/** The first calls find everything empty, which says nothing of a usual hour. */
const WARM_UP = 0.05

type Replica = { at: number; done: number; ends: number[]; due: number }

export function simulate(traffic: Traffic, servers: Servers, playing: Playing): Simulated {
  const random = openRandom(playing.seed)
  const gap = drawerOf({ mean: 1 / traffic.rate, cv2: traffic.gapsCv2 }, random)
  const work = drawerOf(traffic.work, random)
  const farm = openFarm(servers)
  const warm = Math.floor(playing.calls * WARM_UP)
  const waits = new Float64Array(playing.calls - warm)
  const queued: { at: number; work: number; n: number }[] = []
  let [head, arrived, left, waited] = [0, 0, 0, 0]
  let coming = gap()
  const begin = (call: { at: number; work: number; n: number }, now: number) => {
    farm.begin(call.work, now)
    if (call.n >= warm) waits[call.n - warm] = now - call.at
  }
  for (;;) {
    const due = farm.due()
    if (arrived < playing.calls && coming <= due) {
      const call = { at: coming, work: work(), n: arrived++ }
      if (farm.hasRoom()) begin(call, coming)
      else if (playing.leaves) left += call.n >= warm ? 1 : 0
      else {
        waited += call.n >= warm ? 1 : 0
        queued.push(call)
      }
      coming += gap()
      continue
    }
    const next = queued[head]
    if (arrived === playing.calls && !next) break
    farm.end()
    if (!next) continue
    head += 1
    begin(next, due)
    if (head === queued.length) head = queued.length = 0
  }
  const counted = waits.length
  // Who left has a wait of 0 here, which only the share that left is read from.
  waits.sort()
  return {
    mean: waits.reduce((sum, wait) => sum + wait, 0) / counted,
    p95: waits[Math.min(counted - 1, Math.ceil(counted * 0.95) - 1)] ?? 0,
    utilisation: farm.utilisation(),
    waiting: waited / counted,
    left: left / counted,
  }
}

/**
 * The replicas. Each has a clock of its own that runs slower the more it has to do: `done` is what it shows, `ends` the
 * times on it at which calls end, the next one first.
 */
function openFarm({ replicas: count, atOnce, slow }: Servers) {
  const replicas: Replica[] = Array.from({ length: count }, () => ({
    at: 0,
    done: 0,
    ends: [],
    due: Number.POSITIVE_INFINITY,
  }))
  let [busy, last, running] = [0, 0, 0]
  const slowness = (n: number) => (atOnce === 1 ? slow : 1 + ((slow - 1) * Math.max(0, n - 1)) / (atOnce - 1))
  const wind = (replica: Replica, now: number) => {
    const n = replica.ends.length
    if (n > 0) replica.done += (now - replica.at) / slowness(n)
    busy += n * (now - replica.at)
    replica.at = now
    last = now
  }
  const foresee = (replica: Replica) => {
    const [end] = replica.ends
    const ahead = end === undefined ? undefined : Math.max(0, end - replica.done)
    replica.due =
      ahead === undefined ? Number.POSITIVE_INFINITY : replica.at + ahead * slowness(replica.ends.length)
  }
  const least = (of: (replica: Replica) => number) =>
    replicas.reduce((best, replica) => (of(replica) < of(best) ? replica : best))
  return {
    hasRoom: () => running < count * atOnce,
    due: () => least(({ due }) => due).due,
    begin(work: number, now: number) {
      const replica = least(({ ends }) => ends.length)
      wind(replica, now)
      push(replica.ends, replica.done + work)
      running += 1
      foresee(replica)
    },
    end() {
      const replica = least(({ due }) => due)
      wind(replica, replica.due)
      shift(replica.ends)
      running -= 1
      foresee(replica)
    },
    utilisation() {
      const now = last
      for (const replica of replicas) wind(replica, now)
      return now === 0 ? 0 : busy / (now * count * atOnce)
    },
  }
}

/** Puts a number into a binary heap whose least stands first. */
function push(heap: number[], value: number): void {
  let at = heap.length
  heap.push(value)
  while (at > 0) {
    const above = (at - 1) >> 1
    const parent = heap[above] ?? 0
    if (parent <= value) break
    heap[at] = parent
    at = above
  }
  heap[at] = value
}

/** Takes the least out of a binary heap. */
function shift(heap: number[]): void {
  const value = heap.pop()
  if (value === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    let below = 2 * at + 1
    if (below >= heap.length) break
    if ((heap[below + 1] ?? Number.POSITIVE_INFINITY) < (heap[below] ?? 0)) below += 1
    const child = heap[below] ?? 0
    if (child >= value) break
    heap[at] = child
    at = below
  }
  heap[at] = value
}

type Random = () => number

/** Numbers from 0 up to 1 that look like chance (xorshift, Marsaglia 2003, with 32 bits a number). */
function openRandom(seed: number): Random {
  let [x, y, z, w] = [123456789, 362436069, 521288629, 88675123 ^ Math.imul(seed | 0, 0x9e3779b1)]
  const next = () => {
    const t = x ^ (x << 11)
    ;[x, y, z] = [y, z, w]
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8)
    return (w >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 32; i++) next()
  return next
}

/** Draws from a spread: its values, or a gamma distribution of its mean and variation (1: exponential, 0: constant). */
function drawerOf({ mean, cv2, values }: Spread, random: Random): () => number {
  if (values) return () => values[Math.floor(random() * values.length)] ?? mean
  if (cv2 === 0) return () => mean
  if (cv2 === 1) return () => -mean * Math.log(1 - random())
  const shape = 1 / cv2
  return () => mean * cv2 * drawGamma(shape, random)
}

/** Marsaglia and Tsang, A simple method for generating gamma variables, 2000. */
function drawGamma(shape: number, random: Random): number {
  if (shape < 1) return drawGamma(shape + 1, random) * (1 - random()) ** (1 / shape)
  const d = shape - 1 / 3
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    const v = (1 + normal / Math.sqrt(9 * d)) ** 3
    if (v > 0 && Math.log(1 - random()) < (normal * normal) / 2 + d - d * v + d * Math.log(v)) return d * v
  }
}

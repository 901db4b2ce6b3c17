/** Which replicas of a pool may take a call now, which of them does, and why none can. */
import { admits } from '../core/breaker.ts'
import { AT_ONCE, isTooLong, type Lane, type Pool } from '../core/pools.ts'
import { route } from '../core/route.ts'
import { type Replica, underWay } from './replica.ts'

/** What a call needs. `key` says which replica it would like best; `except` are those it was tried on. */
export type Need = {
  key: string
  prompt: number
  lane: Lane
  except: ReadonlySet<string>
  drained: ReadonlySet<string>
}

/**
 * Why no replica takes a call. `away`: none answers. `full`: those that answer have no room; it may take `waitMs`,
 * where that can be said. `small`: none can read so much.
 */
export type Refusal = { why: 'away' | 'full' | 'small'; waitMs?: number | undefined }

/** What an answer usually takes, for the load that a call is. */
export const USUAL_OUTPUT = 512
/** A page of metrics older than this, in ms, says nothing any more. */
const STALE_MS = 3_000
/** Requests that may wait on the replica itself, and the share of its cache in use, before it counts as full. */
const MOST_WAITING = 4
const MOST_KV = 0.95
/** How long a replica that came back is given less, in ms, and the least share it is given. */
const WARM_MS = 30_000
const LEAST_SHARE = 0.1
/** Tokens a replica bears at once without anybody waiting. */
const SPARE_TOKENS = 16_000

type Reason = 'ok' | 'drained' | 'away' | 'full' | 'small'

/** Chooses a replica, or says why there is none. */
export function choose(pool: Pool, replicas: readonly Replica[], need: Need): Replica | Refusal {
  const now = performance.now()
  const left = replicas.filter((one) => !need.except.has(one.url))
  const reasons = left.map((one) => reasonAgainst(pool, replicas, one, need, now))
  const fit = left.filter((_, i) => reasons[i] === 'ok')
  const speeds = fit.flatMap((one) => one.speed ?? [])
  const usual = speeds.reduce((sum, one) => sum + one, 0) / speeds.length || 1
  const candidates = fit.map((one) => ({
    id: one.url,
    load: loadOf(one, now),
    speed: one.speed ?? usual,
    share: shareOf(one, now),
    spare: SPARE_TOKENS,
  }))
  const url = route(need.key, need.prompt + USUAL_OUTPUT, candidates)
  const chosen = fit.find((one) => one.url === url)
  if (chosen) return chosen
  if (reasons.includes('full')) return { why: 'full', waitMs: waitFor(left, now) }
  const small = reasons.includes('small') && reasons.every((one) => one === 'small' || one === 'drained')
  return { why: small ? 'small' : 'away' }
}

/** Why a replica may not be asked now, in the words of `quorum pool status`; `ok` where it may. */
export function reasonAgainst(
  pool: Pool,
  all: readonly Replica[],
  replica: Replica,
  { prompt, lane, drained }: Pick<Need, 'prompt' | 'lane' | 'drained'>,
  now: number,
): Reason {
  if (drained.has(replica.url)) return 'drained'
  const metrics = freshMetrics(replica, now)
  if (replica.health.state === 'down' || metrics?.asleep || isOddOne(pool, all, replica)) return 'away'
  if (!admits(replica.breaker, now)) return replica.breaker.state === 'closed' ? 'full' : 'away'
  const context = pool.contextTokens ?? replica.contextTokens
  if (context !== undefined && isTooLong(prompt, context)) return 'small'
  if (isFull(pool, replica, now)) return 'full'
  if (lane === 'long' && !servesOnly(pool, 'long') && replica.flight.long > 0) return 'full'
  // Work that nobody waits for leaves half of the room to work that somebody does.
  const half = (pool.atOnce ?? AT_ONCE) / 2
  if (lane === 'background' && !servesOnly(pool, 'background'))
    if (underWay(replica) >= half || (metrics?.waiting ?? 0) > 0) return 'full'
  return 'ok'
}

function servesOnly({ lanes }: Pool, lane: Lane): boolean {
  return lanes?.length === 1 && lanes[0] === lane
}

/** Lists other models than the pool's, while another replica lists the pool's: it was started wrong. */
function isOddOne({ model }: Pool, all: readonly Replica[], { models }: Replica): boolean {
  return Boolean(models?.length && !models.includes(model) && all.some((one) => one.models?.includes(model)))
}

function isFull(pool: Pool, replica: Replica, now: number): boolean {
  if (underWay(replica) >= (pool.atOnce ?? AT_ONCE)) return true
  const metrics = freshMetrics(replica, now)
  if (!metrics) return false
  if ((metrics.kv ?? 0) >= MOST_KV && (metrics.running ?? 0) > 0) return true
  // A page is up to a second old: what we have sent and got back since counts.
  const since = replica.flight.begun - metrics.begun - (replica.flight.ended - metrics.ended)
  const { running = 0, waiting = 0 } = metrics
  if (replica.mostRunning === undefined) return waiting >= MOST_WAITING && since >= 0
  return running + waiting + since >= replica.mostRunning + MOST_WAITING
}

function freshMetrics(replica: Replica, now: number) {
  return replica.metrics && now - replica.metrics.at < STALE_MS ? replica.metrics : undefined
}

/** Tokens it holds: ours, and what others have it do, at the mean size of ours. */
function loadOf(replica: Replica, now: number): number {
  const ours = underWay(replica)
  const metrics = freshMetrics(replica, now)
  const all = (metrics?.running ?? 0) + (metrics?.waiting ?? 0)
  const mean = ours > 0 ? replica.flight.tokens / ours : 2_000
  // Of what the page counts, what was ours at that moment is counted already.
  const oursThen = metrics ? metrics.begun - metrics.ended : 0
  return replica.flight.tokens + Math.max(0, all - oursThen) * mean
}

function shareOf({ backSince }: Replica, now: number): number {
  if (backSince === undefined) return 1
  return Math.min(1, LEAST_SHARE + ((1 - LEAST_SHARE) * (now - backSince)) / WARM_MS)
}

/** How long the work before us takes on the replica that is done first; undefined where no speed is known. */
function waitFor(replicas: readonly Replica[], now: number): number | undefined {
  const waits = replicas.flatMap((one) => (one.speed ? [(loadOf(one, now) / one.speed) * 1_000] : []))
  return waits.length > 0 ? Math.min(...waits) : undefined
}

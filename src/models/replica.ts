/** One server of a pool, and everything this process knows of it. */
import { type Breaker, begin, FRESH, type Outcome, settle } from '../core/breaker.ts'
import type { Pool, ReplicaAt } from '../core/pools.ts'
import { type Chat, openChat } from './chat.ts'
import type { Log, Names } from './endpoint.ts'
import type { Metrics } from './metrics.ts'

/** Times are milliseconds of `performance.now()`. */
export type Replica = {
  /** Its address, which names it. */
  url: string
  /** What is asked of it beside answers: lists, pages, counts. Nothing of a conversation but where it is in the house. */
  chat: Pick<Chat, 'probe' | 'get' | 'post'>
  breaker: Breaker
  health: { state: 'unknown' | 'up' | 'down'; since: number; why?: string | undefined }
  /** When it came back; it is given little at first. */
  backSince: number | undefined
  /** The last page of `/metrics`, when it came, and how many calls had begun and ended here by then. */
  metrics: (Metrics & { at: number; begun: number; ended: number }) | undefined
  /** The models it lists, where it lists any. */
  models: string[] | undefined
  /** What the server itself says it can read and write at once. */
  contextTokens: number | undefined
  /** Calls of this process: tokens in flight, and counts. */
  flight: { tokens: number; long: number; begun: number; ended: number }
  /** Tokens a second, measured. */
  speed: number | undefined
  /** The most requests it was seen to run, since others waited there for the first time. */
  mostRunning: number | undefined
}

/** Opens a server with the one way to ask it something, which its pool keeps. */
export function openReplica(
  pool: Pool,
  at: ReplicaAt,
  env: Names,
  log: Log,
): { replica: Replica; ask: Chat['ask'] } {
  const { ask, ...chat } = openChat(pool, env, log, at)
  const replica: Replica = {
    url: at.url,
    chat,
    breaker: FRESH,
    health: { state: 'unknown', since: performance.now() },
    backSince: undefined,
    metrics: undefined,
    models: undefined,
    contextTokens: undefined,
    flight: { tokens: 0, long: 0, begun: 0, ended: 0 },
    speed: undefined,
    mostRunning: undefined,
  }
  return { replica, ask }
}

/** How many calls of this process are under way. */
export function underWay({ flight }: Replica): number {
  return flight.begun - flight.ended
}

/** A call begins; what is returned ends it, once, with what came of it and how many tokens it moved in how many ms. */
export function occupy(replica: Replica, tokens: number, isLong: boolean) {
  const tried = replica.breaker.state === 'open'
  replica.breaker = begin(replica.breaker)
  const { flight } = replica
  flight.tokens += tokens
  flight.begun += 1
  if (isLong) flight.long += 1
  return (outcome: Outcome, moved?: { tokens: number; ms: number }) => {
    flight.tokens -= tokens
    flight.ended += 1
    if (isLong) flight.long -= 1
    const after = settle(replica.breaker, outcome, performance.now(), tried)
    if (replica.breaker.state !== 'closed' && after.state === 'closed') replica.backSince = performance.now()
    replica.breaker = after
    if (moved && moved.ms > 0)
      measureSpeed(replica, (moved.tokens / moved.ms) * 1_000 * (underWay(replica) + 1))
  }
}

/** Takes a measurement of tokens a second into the running mean. */
export function measureSpeed(replica: Replica, speed: number): void {
  replica.speed = replica.speed === undefined ? speed : 0.8 * replica.speed + 0.2 * speed
}

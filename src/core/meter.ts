/** The words between whoever spends tokens and the ledger that allows it: nothing is sent before it is held. */
import type { Wait } from './wait.ts'

/** Everything that the cost of a call can be charged to. `run` is absent where no run asks (embeddings of sources). */
export type Purpose = {
  workspace: string
  channel: string
  thread: string
  user: string
  agent: string
  run?: string
  lane: 'interactive' | 'long' | 'background'
}

/** Micro-dollars for a million tokens. */
export type Price = { prompt: number; cached?: number; completion: number }

/**
 * One attempt to get an answer from one server, before anything is sent. Tokens throughout: `prompt` as exactly as can
 * be known, `most` the output that is wanted, `least` the smallest output that is still of use. A cloud pool may have
 * no `price`: then nobody knows what it costs.
 */
export type Attempt = {
  pool: string
  model: string
  tier: 'local' | 'cloud'
  prompt: number
  most: number
  least: number
  price?: Price
}

/** What an attempt used. `sure` is false where the server did not say and this is our own count. */
export type Used = { prompt: number; completion: number; cached?: number | undefined; sure: boolean }

/** Tokens held for an attempt. Its output must be capped at `most`. Settled exactly once, whatever became of the attempt. */
export type Hold = { most: number; settle(used: Used): Promise<void> }

/** Holds tokens for an attempt, or says what must be waited for; a wait on a cloud pool may be answered by another pool. */
export type Meter = (about: Purpose, attempt: Attempt) => Promise<Hold | { wait: Wait }>

/** Embedding is paid for like everything else: by the workspace, in the background. */
import { poolOf } from '../../core/embedding.ts'
import { Fault } from '../../core/fault.ts'
import type { Embeddings } from '../../core/home.ts'
import type { Meter } from '../../core/meter.ts'
import { priceOf, tierOf } from '../../core/pools.ts'
import type { Spend } from '../../models/embed.ts'

/** Holds what a server's embeddings cost. Where it is not to be had, the Fault says what is waited for. */
export function openSpending(meter: Meter, config: Embeddings): Spend {
  const pool = poolOf(config)
  const price = priceOf(pool)
  const attempt = { pool: 'embeddings', model: config.model, tier: tierOf(pool), most: 0, least: 0 }
  return async (tokens, workspace) => {
    const about = { workspace, channel: '', thread: '', user: '', agent: '', lane: 'background' as const }
    const held = await meter(about, { ...attempt, prompt: tokens, ...(price ? { price } : {}) })
    if ('wait' in held) throw new Fault('embed-unavailable', held.wait.text, { retry: true })
    return { settle: (used) => held.settle({ prompt: used, completion: 0, sure: true }) }
  }
}

/** Whether these embeddings cost money of which nobody knows how much: then none are made. */
export function lacksPrice(config: Embeddings): boolean {
  return config.price === undefined && tierOf(poolOf(config)) === 'cloud'
}

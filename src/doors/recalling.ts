/** What a recall goes by, as the home says it: the same in Slack, in `quorum search` and in `quorum ask`. */
import type { RecallContext } from '../agent/knowledge/recall.ts'
import type { Rights } from '../agent/knowledge/rights.ts'
import type { Policy } from '../core/rules.ts'
import { openReranker } from '../models/rerank.ts'
import type { Engines } from './engines.ts'

/** Of embeddings and order all that the home names. */
export function openRecalling(
  { store, home, embedder, strategy }: Pick<Engines, 'store' | 'home' | 'embedder' | 'strategy'>,
  rights: Rights,
): RecallContext & { policy: Policy } {
  const { recall: fusion, rerank } = home.models ?? {}
  return {
    policy: home.policy,
    pool: store.pool,
    rights,
    embedder,
    strategy,
    fusion,
    reranker: rerank && openReranker(rerank, process.env),
  }
}

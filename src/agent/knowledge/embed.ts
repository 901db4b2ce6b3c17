/** Embed: passages get their vectors, in the background of everything else. */
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { embeddingText } from '../../core/chunk.ts'
import { Fault } from '../../core/fault.ts'
import type { Embedder } from '../../models/embed.ts'
import { refreshStatistics } from '../../store/documents.ts'
import {
  claimUnembedded,
  countVectors,
  putVectors,
  refuseVector,
  releaseVectors,
  type Unembedded,
} from '../../store/vectors.ts'

type Context = { pool: pg.Pool; workspace: string; embedder: Pick<Embedder, 'model' | 'embed'> }

export type EmbedOptions = {
  /** Texts given to the model at once; 16 where left out. */
  batch?: number
  signal?: AbortSignal
  /** `made` of `total` passages have their vector; called after each batch. */
  onProgress?: (progress: { made: number; total: number }) => void
  /** How long passages taken on are left to us should we vanish, in ms; 2 min where left out. */
  claimMs?: number
}

/** Passages taken on together: few enough to be made well within a claim at 4 a second. */
const CLAIM = 64
/** How often we look whether passages that somebody else has taken on have become free, in ms. */
const LOOK_MS = 2_000

/**
 * Makes every vector of the embedder's model that a workspace lacks, and answers how many were made and how many
 * passages the model refused. Returns when none is missing any more, or the signal is aborted. Several may
 * run at once and share the work; what one leaves behind another takes over.
 *
 * @throws Fault `embed-unavailable` when the model cannot be used; what was made stays, run it again later
 */
export async function embedMissing(
  { pool, workspace, embedder }: Context,
  { batch = 16, signal, onProgress, claimMs = 120_000 }: EmbedOptions = {},
): Promise<{ made: number; refused: number; ms: number }> {
  const began = performance.now()
  const done = { made: 0, refused: 0 }
  const before = await countVectors(pool, embedder.model, workspace)
  const total = before.made + before.missing
  while (!signal?.aborted) {
    const claimed = await claimUnembedded(pool, embedder.model, { workspace, limit: CLAIM, claimMs })
    if (claimed.length === 0) {
      if ((await countVectors(pool, embedder.model, workspace)).missing === 0) break
      await pause(LOOK_MS, undefined, signal ? { signal } : {}).catch(() => {})
      continue
    }
    const left = new Set(claimed.map((one) => one.passage))
    try {
      for (let at = 0; at < claimed.length && !signal?.aborted; at += batch) {
        const some = claimed.slice(at, at + batch)
        await makeVectors({ pool, workspace, embedder }, some, done, signal)
        for (const one of some) left.delete(one.passage)
        onProgress?.({ made: before.made + done.made, total })
      }
    } catch (error) {
      if (!signal?.aborted) throw error
    } finally {
      if (left.size > 0) await releaseVectors(pool, embedder.model, [...left])
    }
  }
  if (done.made > 0) await refreshStatistics(pool)
  return { ...done, ms: Math.round(performance.now() - began) }
}

/** One batch. Where the model works but not on this batch, its texts are tried one by one. */
async function makeVectors(
  { pool, workspace, embedder }: Context,
  some: Unembedded[],
  done: { made: number; refused: number },
  signal: AbortSignal | undefined,
): Promise<void> {
  const options = { priority: 'bulk' as const, ...(signal ? { signal } : {}) }
  try {
    const vectors = await embedder.embed(
      some.map((one) => embeddingText(one.title, one)),
      options,
    )
    await putVectors(pool, embedder.model, pair(some, vectors))
    done.made += some.length
  } catch (error) {
    if (!(error instanceof Fault) || error.retry || signal?.aborted) throw error
    // Throws again where it is not the text but the model.
    await embedder.embed(['Is it the text or the model?'], options)
    const [only] = some
    if (only && some.length === 1) {
      await refuseVector(pool, embedder.model, only.passage, error.message)
      done.refused += 1
    } else for (const one of some) await makeVectors({ pool, workspace, embedder }, [one], done, signal)
  }
}

function pair(some: Unembedded[], vectors: number[][]): { passage: string; values: number[] }[] {
  return some.map(({ passage }, at) => {
    const values = vectors[at]
    if (!values) throw new Error(`${some.length} texts were embedded as ${vectors.length} vectors`)
    return { passage, values }
  })
}

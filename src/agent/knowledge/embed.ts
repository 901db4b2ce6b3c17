/** Embed: passages get their vectors, in the background of everything else. */
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { unlessAborted } from '../../core/aborted.ts'
import { embeddingText } from '../../core/chunk.ts'
import { Fault } from '../../core/fault.ts'
import type { Embedder, Engine } from '../../models/embed.ts'
import { indexVectors } from '../../store/vector-index.ts'
import {
  claimUnembedded,
  countVectors,
  dropRetired,
  FIRST,
  hasPassages,
  lacksVectors,
  listVectorTables,
  putVectors,
  refreshVectorStatistics,
  refuseVector,
  releaseVectors,
  renewClaims,
  servingTable,
  switchTo,
  type Unembedded,
  useModel,
  type VectorTable,
} from '../../store/vectors.ts'

type Context = {
  pool: pg.Pool
  workspace: string
  embedder: Pick<Embedder, 'model' | 'ready' | 'embed' | 'of'>
}

export type EmbedOptions = {
  /** Texts given to the model at once; 16 where left out. */
  batch?: number
  signal?: AbortSignal
  /** `made` of `total` passages have their vector; called after each batch. */
  onProgress?: (progress: { made: number; total: number }) => void
  /** How long passages taken on are left to us should we vanish, in ms; 20 s where left out. */
  claimMs?: number
  /** How long vectors of a model that is not used any more are kept, in ms; a week where left out. */
  graceMs?: number
}

/** Batches on their way at once: being embedded, waiting for that, being written. */
const LANES = 3
/** How often we look whether passages that somebody else has taken on have become free, in ms. */
const LOOK_MS = 2_000
const WEEK_MS = 7 * 24 * 3_600_000

/** What a model is told from others of the same name by; must never change. */
export const PROBE = 'The pager is handed over on Friday at noon; Freitag mittags; 2 + 2 = 4; ERR_CONN_RESET.'

/**
 * Makes every vector of the embedder's model that a workspace lacks, and answers how many were made and how many
 * passages the model refused. Returns when none is missing any more, or the signal is aborted. Several may
 * run at once and share the work; what one leaves behind another takes over.
 *
 * Where another model serves, it goes on serving, new passages included, until every passage has its vector of
 * the new one, which then serves at once. Where the one before cannot be asked any more, the new one serves from its
 * first vector. Vectors of models that are not used any more are dropped after a while.
 *
 * @throws Fault `embed-unavailable` when the model cannot be used; what was made stays, run it again later
 */
export async function embedMissing(
  context: Context,
  options: EmbedOptions = {},
): Promise<{ made: number; refused: number; ms: number }> {
  const { pool, workspace, embedder } = context
  const { onProgress: _, ...quietly } = options
  const { signal } = options
  const began = performance.now()
  const done = { made: 0, refused: 0 }
  const answer = () => ({ ...done, ms: Math.round(performance.now() - began) })
  if (await isDone(context)) return answer()
  const table = await enter(context, signal)
  if (table.state === 'building' && !(await keepServing(context, quietly, done)))
    await switchTo(pool, workspace, table)
  await fill({ ...context, engine: embedder, table }, options, done)
  if (!signal?.aborted) {
    await switchTo(pool, workspace, table)
    await dropRetired(pool, options.graceMs ?? WEEK_MS)
  }
  return answer()
}

/** Whether there is nothing to do, which is known without loading a model. */
async function isDone({ pool, workspace, embedder }: Context): Promise<boolean> {
  if (!(await hasPassages(pool, workspace))) return true
  if (embedder.model.origin !== null) return false
  const [serving, ...others] = await listVectorTables(pool, workspace)
  if (serving?.state !== 'serving' || others.some((one) => one.state === 'building')) return false
  if (serving.name !== embedder.model.name || serving.revision !== embedder.model.revision) return false
  return !(await lacksVectors(pool, serving, workspace))
}

/** Starts the model, and finds the table that its vectors belong to. */
async function enter({ pool, workspace, embedder }: Context, signal: AbortSignal | undefined) {
  const ready = await unlessAborted(embedder.ready(), signal)
  if (ready !== 'ready') throw new Fault('embed-unavailable', ready.why, { retry: true })
  const [probe = []] = await embedder.embed([PROBE], signal ? { signal } : {})
  return await useModel(pool, workspace, embedder.model, probe)
}

/** Gives new passages their vectors of the model that serves until now; false where it cannot be asked any more. */
async function keepServing(context: Context, options: EmbedOptions, done: Done): Promise<boolean> {
  const old = await askable(context, options.signal)
  if (!old) return false
  try {
    await fill({ ...context, ...old }, options, done)
    return true
  } catch (error) {
    if (error instanceof Fault) return false
    throw error
  }
}

/** The table that serves and its model, where that is another one than ours and still answers. */
async function askable(
  { pool, workspace, embedder }: Context,
  signal: AbortSignal | undefined,
): Promise<{ engine: Engine; table: VectorTable } | undefined> {
  const table = await servingTable(pool, workspace)
  const engine = table && embedder.of(table)
  if (!engine || engine.model === embedder.model) return undefined
  if ((await unlessAborted(engine.ready(), signal)) !== 'ready') return undefined
  return { engine, table }
}

type Done = { made: number; refused: number }

type Filling = Pick<Context, 'pool' | 'workspace'> & { engine: Pick<Engine, 'embed'>; table: VectorTable }

/**
 * Makes what a table lacks, until nothing is missing or the signal is aborted. A few lanes share the work, so that
 * the model need not wait while vectors are written.
 */
async function fill(filling: Filling, options: EmbedOptions, done: Done): Promise<void> {
  const { pool, workspace, table } = filling
  if (!(await lacksVectors(pool, table, workspace))) return
  const before = done.made
  const failed = new AbortController()
  const signal = AbortSignal.any([failed.signal, ...(options.signal ? [options.signal] : [])])
  const { batch = 16, claimMs = 20_000 } = options
  const next = openWalk(filling, { batch, claimMs, signal })
  const tell = openTelling(filling, options.onProgress, done)
  using held = keepClaims(filling, claimMs)
  const lane = async () => {
    for (let some = await next(); some.length > 0; some = await next()) {
      const passages = some.map((one) => one.passage)
      for (const passage of passages) held.passages.add(passage)
      await makeClaimed(filling, some, done, signal)
      for (const passage of passages) held.passages.delete(passage)
      await tell(some.length < batch)
    }
  }
  const lanes = Array.from({ length: LANES }, () =>
    lane().catch((error) => {
      failed.abort(error)
      throw error
    }),
  )
  await Promise.allSettled(lanes)
  // Whoever goes on will do it.
  if (!options.signal?.aborted) await refreshVectorStatistics(pool, table, done.made - before)
  if (!signal.aborted) await indexVectors(pool, table)
  if (failed.signal.aborted && !options.signal?.aborted) throw failed.signal.reason
}

/** Tells how far it is. All there is must be counted for that, which a few new passages are not worth. */
function openTelling(
  { pool, workspace, table }: Filling,
  onProgress: EmbedOptions['onProgress'],
  done: Done,
): (few: boolean) => Promise<void> {
  let counting: Promise<{ already: number; total: number }> | undefined
  const count = async () => {
    const { made, missing } = await countVectors(pool, table, workspace)
    return { already: made - done.made, total: made + missing }
  }
  return async (few) => {
    if (!onProgress || (few && !counting)) return
    counting ??= count()
    const { already, total } = await counting
    onProgress({ made: Math.min(already + done.made, total), total })
  }
}

/**
 * Goes through what is missing, some at a time, until there is no more, or the signal is aborted: then nothing is
 * answered. Whoever finds nothing while others work leaves the rest to them, at once where there was little.
 */
function openWalk(
  { pool, workspace, table }: Filling,
  { batch, claimMs, signal }: { batch: number; claimMs: number; signal: AbortSignal },
): () => Promise<Unembedded[]> {
  let after = FIRST
  let walkers = LANES
  let claimed = 0
  return async () => {
    while (!signal.aborted) {
      const from = after
      const some = await claimUnembedded(pool, table, { workspace, limit: batch, claimMs, after: from })
      const last = some.at(-1)?.passage
      if (last !== undefined) {
        claimed += some.length
        if (last > after) after = last
        return some
      }
      if (walkers > 1 && claimed < batch * LANES) break
      // What is missing now has been taken on by somebody else, or came after we had passed its place.
      after = FIRST
      claimed = 0
      if (from !== FIRST) continue
      if (walkers > 1 || !(await lacksVectors(pool, table, workspace))) break
      await pause(LOOK_MS, undefined, { signal }).catch(() => {})
    }
    walkers -= 1
    return []
  }
}

/** Passages that are ours for as long as we live, however slow the model is. */
function keepClaims({ pool, table }: Filling, claimMs: number): Disposable & { passages: Set<string> } {
  const passages = new Set<string>()
  const timer = setInterval(() => {
    // Where this fails, so will what comes next, and says so; at worst somebody else does the same work.
    if (passages.size > 0) renewClaims(pool, table, [...passages], claimMs).catch(() => {})
  }, claimMs / 4)
  return { passages, [Symbol.dispose]: () => clearInterval(timer) }
}

/** Makes vectors of passages that were taken on, and gives back those it could not make. */
async function makeClaimed(
  filling: Filling,
  some: Unembedded[],
  done: Done,
  signal: AbortSignal,
): Promise<void> {
  const left = new Set(some.map((one) => one.passage))
  try {
    await makeVectors(filling, some, done, signal)
    left.clear()
  } finally {
    if (left.size > 0) await releaseVectors(filling.pool, filling.table, [...left])
  }
}

/** One batch. Where the model works but not on this batch, its texts are tried one by one. */
async function makeVectors(
  filling: Filling,
  some: Unembedded[],
  done: Done,
  signal: AbortSignal,
): Promise<void> {
  const { pool, engine, table } = filling
  const options = { priority: 'bulk' as const, workspace: filling.workspace, signal }
  try {
    const vectors = await engine.embed(
      some.map((one) => embeddingText(one.title, one)),
      options,
    )
    await putVectors(pool, table, pair(some, vectors))
    done.made += some.length
  } catch (error) {
    if (!(error instanceof Fault) || error.retry || signal.aborted) throw error
    // Throws again where it is not the text but the model.
    await engine.embed(['Is it the text or the model?'], options)
    const [only] = some
    if (only && some.length === 1) {
      await refuseVector(pool, table, only.passage, error.message)
      done.refused += 1
    } else for (const one of some) await makeVectors(filling, [one], done, signal)
  }
}

function pair(some: Unembedded[], vectors: number[][]): { passage: string; values: number[] }[] {
  return some.map(({ passage }, at) => {
    const values = vectors[at]
    if (!values) throw new Error(`${some.length} texts were embedded as ${vectors.length} vectors`)
    return { passage, values }
  })
}

/** Recall: what everybody in a thread may know that bears on a question. */
import type { Embedder, Engine } from '../../models/embed.ts'
import { readableAudiences } from '../../store/audiences.ts'
import { countSources, type Hit, recallPassages, type WordStrategy } from '../../store/passages.ts'
import type { Db } from '../../store/transaction.ts'
import { countVectors, servingTable, type VectorTable } from '../../store/vectors.ts'

export type RecallContext = {
  pool: Db
  /** Absent where the deployment has no embedding model. */
  embedder?: Pick<Embedder, 'model' | 'ready' | 'embed' | 'of'> | undefined
  strategy: WordStrategy
  /** How long the question's vector may take, in ms; 2 s where left out. */
  patienceMs?: number
}

export type Recall = {
  workspace: string
  /** What everybody in the thread may read, by `scopes` of core/audience. */
  scopes: string[]
  query: string
  /** Names of sources to search; all where it is left out. */
  sources?: string[]
  limit?: number
}

export type Recalled = {
  passages: Hit[]
  /** How many sources this audience could have been given passages of. */
  sources: number
  /** In words for people, what was not available; absent where all of it was. */
  degraded?: string
  ms: number
}

/**
 * Searches words and meaning; words alone where no vector of the question is to be had in time, which
 * `degraded` then says. Never fails because of the embedding model.
 */
export async function recall(context: RecallContext, ask: Recall): Promise<Recalled> {
  const began = performance.now()
  const [{ vector, lack }, audiences] = await Promise.all([
    embedQuestion(context, ask),
    readableAudiences(context.pool, ask.workspace, ask.scopes),
  ])
  const [passages, sources] = await Promise.all([
    recallPassages(context.pool, {
      ...ask,
      audiences,
      limit: ask.limit ?? 6,
      strategy: context.strategy,
      ...(vector ? { vector } : {}),
    }),
    countSources(context.pool, { ...ask, audiences }),
  ])
  const looked = !lack && sources > 0
  const degraded =
    lack ?? (looked && (await lackOfVectors(context.pool, vector?.table, ask.workspace, passages)))
  return {
    passages,
    sources,
    ...(degraded ? { degraded } : {}),
    ms: Math.round(performance.now() - began),
  }
}

type Question = { vector?: { table: VectorTable; values: number[] }; lack?: string }

async function embedQuestion(
  { pool, embedder, patienceMs = 2_000 }: RecallContext,
  { workspace, query }: Recall,
): Promise<Question> {
  if (!embedder) return { lack: wordsOnly('there is no embedding model') }
  const clock = AbortSignal.timeout(patienceMs)
  const late = new Promise<'late'>((resolve) => clock.addEventListener('abort', () => resolve('late')))
  try {
    const table = await servingTable(pool, workspace)
    // Before the first vector the home's own model is asked, which says how it is, and warms it up.
    const engine: Pick<Engine, 'ready' | 'embed'> | undefined = table ? embedder.of(table) : embedder
    if (!engine)
      return { lack: wordsOnly(`${table?.name}, which the vectors are of, cannot be asked any more`) }
    const ready = await Promise.race([engine.ready(), late])
    if (ready === 'late') return { lack: wordsOnly('the embedding model is still loading') }
    if (ready !== 'ready') return { lack: wordsOnly(ready.why) }
    const [values] = await engine.embed([query], { priority: 'query', signal: clock })
    return table && values?.length === table.dimensions ? { vector: { table, values } } : {}
  } catch (error) {
    const why = clock.aborted ? 'the embedding model did not answer in time' : (error as Error).message
    return { lack: wordsOnly(why) }
  }
}

/** The best hit by vectors is always among the best of both: where none is, there are no vectors to find it by. */
async function lackOfVectors(
  db: Db,
  table: VectorTable | undefined,
  workspace: string,
  passages: Hit[],
): Promise<string | undefined> {
  if (passages.some((hit) => hit.vectorRank !== undefined)) return undefined
  const missing = table ? (await countVectors(db, table, workspace)).missing : 1
  return missing === 0 ? undefined : wordsOnly('the embedding model is still reading the passages')
}

function wordsOnly(why: string): string {
  return `keyword search only: ${why}`
}

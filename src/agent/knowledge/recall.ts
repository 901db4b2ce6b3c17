/** Recall: what everybody in a thread may know that bears on a question. */
import { embeddingText } from '../../core/chunk.ts'
import { isAbroad, knows } from '../../core/embedding.ts'
import { Fault } from '../../core/fault.ts'
import { FUSION, type Fusion, weigh } from '../../core/fuse.ts'
import type { CloudPermit } from '../../core/permit.ts'
import { placeLink } from '../../core/place.ts'
import type { Embedder, Engine } from '../../models/embed.ts'
import { STAYS } from '../../models/embed-remote.ts'
import { languageOf } from '../../models/language.ts'
import type { Reranker } from '../../models/rerank.ts'
import { countSources, type Hit, recallPassages, type Search } from '../../store/passages.ts'
import type { Db } from '../../store/transaction.ts'
import { lacksVectors, servingTable, type VectorTable } from '../../store/vectors.ts'
import type { WordStrategy } from '../../store/words.ts'
import type { Rights } from './rights.ts'

export type RecallContext = {
  pool: Db
  rights: Pick<Rights, 'meet' | 'readable' | 'check'>
  /** Absent where the deployment has no embedding model. */
  embedder?: Pick<Embedder, 'model' | 'ready' | 'embed' | 'of'> | undefined
  strategy: WordStrategy
  /** Puts what was found into a better order; absent where the home names no server for it. */
  reranker?: Pick<Reranker, 'passages' | 'rank'> | undefined
  /** How words and nearness are weighed, as models.yaml says it. */
  fusion?: Fusion | undefined
  /** How long the question's vector may take, in ms; 2 s where left out. */
  patienceMs?: number
}

export type Recall = {
  workspace: string
  /** The scope of everybody who can read the reply, by `readersOf` of core/audience. */
  readers: string
  query: string
  /** Whether the question may go to an embedding model in the cloud; without a permit it stays in the house. */
  permit?: CloudPermit | undefined
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
 * Searches words and meaning; words alone where no vector of the question is to be had in time. Only what every
 * reader may read just now is seen at all: what a search leans on and Slack was not asked about lately is asked
 * about, and searched without where Slack does not tell. `degraded` then says so. Never fails because of the
 * embedding model or Slack.
 */
export async function recall(context: RecallContext, ask: Recall): Promise<Recalled> {
  const began = performance.now()
  const [{ vector, lack }, unmet] = await Promise.all([
    embedQuestion(context, ask),
    context.rights.meet(ask.workspace, ask.readers),
  ])
  const { passages: found, sure, unsure } = await searchSurely(context, ask, vector)
  const { passages, kept } = await refine(context, ask, found)
  const sources = await countSources(context.pool, { ...ask, audiences: sure })
  const looked = !lack && sources > 0
  const lacks = [
    lack ?? (looked && (await lackOfVectors(context.pool, vector?.table, ask.workspace, passages))),
    unmet ?? (unsure ? UNSURE : undefined),
    kept,
  ].filter((one) => typeof one === 'string')
  return {
    passages: passages.map((hit) => (hit.link ? { ...hit, link: placeLink(hit.link, hit) } : hit)),
    sources,
    ...(lacks.length > 0 ? { degraded: lacks.join('; ') } : {}),
    ms: Math.round(performance.now() - began),
  }
}

/** Passages given where nobody says how many. */
const LIMIT = 6

/** The first of what was found, as the reranking server orders it; as they stood where it does not answer in time. */
async function refine(
  { reranker }: RecallContext,
  { query, limit = LIMIT }: Recall,
  found: Hit[],
): Promise<{ passages: Hit[]; kept?: string }> {
  if (!reranker || found.length < 2) return { passages: found.slice(0, limit) }
  const [sent, rest] = [found.slice(0, reranker.passages), found.slice(reranker.passages)]
  try {
    const order = await reranker.rank(
      query,
      sent.map((hit) => embeddingText(hit.title, hit)),
    )
    return { passages: [...order.flatMap((at) => sent[at] ?? []), ...rest].slice(0, limit) }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { passages: found.slice(0, limit), kept: `not reranked: ${error.message}` }
  }
}

const UNSURE = 'what Slack does not say who may read was left out'

/** Searches until everything that is found is surely for all readers. */
async function searchSurely(
  context: RecallContext,
  ask: Recall,
  vector: Question['vector'],
): Promise<{ passages: Hit[]; sure: number[]; unsure: boolean }> {
  const { pool, rights } = context
  for (let rounds = 3; ; rounds--) {
    const { known, sure } = await rights.readable(ask.workspace, ask.readers)
    const audiences = rounds > 0 ? known : sure
    const passages = await recallPassages(pool, searchFor(context, ask, vector, audiences))
    const doubtful = passages.map((hit) => hit.audience).filter((id) => !sure.includes(id))
    if (doubtful.length === 0) return { passages, sure, unsure: rounds <= 0 && known.length > sure.length }
    if (!(await rights.check(ask.workspace, doubtful))) rounds = 0
  }
}

function searchFor(
  { strategy, reranker, fusion = FUSION }: RecallContext,
  ask: Recall,
  vector: Question['vector'],
  audiences: number[],
): Search {
  const language = languageOf(ask.query)
  // A question whose language cannot be told is mostly names and numbers, which a model knows as well as any.
  const known = !vector || language === undefined || knows(vector.table, language)
  return {
    workspace: ask.workspace,
    audiences,
    query: ask.query,
    limit: Math.max(ask.limit ?? LIMIT, reranker?.passages ?? 0),
    strategy,
    fusion: weigh(fusion, known),
    ...(language ? { language } : {}),
    ...(vector ? { vector } : {}),
    ...(ask.sources ? { sources: ask.sources } : {}),
  }
}

type Question = { vector?: { table: VectorTable; values: number[] }; lack?: string }

async function embedQuestion(
  { pool, embedder, patienceMs = 2_000 }: RecallContext,
  { workspace, query, permit }: Recall,
): Promise<Question> {
  if (!embedder) return { lack: wordsOnly('there is no embedding model') }
  const clock = AbortSignal.timeout(patienceMs)
  const late = new Promise<'late'>((resolve) => clock.addEventListener('abort', () => resolve('late')))
  try {
    const table = await servingTable(pool, workspace)
    // Before the first vector the home's own model is asked, which says how it is, and warms it up.
    const engine: Pick<Engine, 'model' | 'ready' | 'embed'> | undefined = table
      ? embedder.of(table)
      : embedder
    if (!engine)
      return { lack: wordsOnly(`${table?.name}, which the vectors are of, cannot be asked any more`) }
    if (isAbroad(engine.model) && !permit) return { lack: wordsOnly(STAYS) }
    const ready = await Promise.race([engine.ready(), late])
    if (ready === 'late') return { lack: wordsOnly('the embedding model is still loading') }
    if (ready !== 'ready') return { lack: wordsOnly(ready.why) }
    const [values] = await engine.embed([query], { priority: 'query', permit, workspace, signal: clock })
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
  const lacks = !table || (await lacksVectors(db, table, workspace))
  return !lacks ? undefined : wordsOnly('the embedding model is still reading the passages')
}

function wordsOnly(why: string): string {
  return `keyword search only: ${why}`
}

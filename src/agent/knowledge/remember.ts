/** The recall of a run: for exactly the people who can read its thread, numbered for citation. */
import { readersOf } from '../../core/audience.ts'
import type { Agent } from '../../core/home.ts'
import { permitCloud } from '../../core/permit.ts'
import type { Policy } from '../../core/rules.ts'
import type { Cited, StepOf } from '../../core/run.ts'
import type { Hit } from '../../store/passages.ts'
import { type Run, readPast } from '../../store/runs.ts'
import { type RecallContext, recall } from './recall.ts'

/** A question of so few words ("and the second one?") leans on what was said or asked before it in the thread. */
const LEANS = 4
/** Passages that one search gives the model. */
const PASSAGES = 6

/**
 * Searches for a run and gives the step to append; its passages are numbered after the `known` ones the run
 * has already, which do not come again. Never fails for want of an embedding model.
 */
export async function remember(
  context: RecallContext & { policy: Policy },
  run: Run,
  query: string,
  agent: Agent,
  known: readonly Cited[],
  around?: string,
): Promise<StepOf<'recalled'>> {
  const leans = known.length === 0 && query.trim().split(/\s+/).length <= LEANS
  const before = leans ? (around ?? (await readPast(context.pool, run, 1))[0]?.question) : undefined
  const found = await recall(context, {
    workspace: run.workspace,
    readers: readersOf(run),
    query: before ? `${query}\n${before.slice(0, 300)}` : query,
    limit: PASSAGES + known.length,
    permit: permitCloud(context.policy, { channel: run.channel, agent: agent.name }),
    ...(agent.knowledge ? { sources: agent.knowledge } : {}),
  })
  const read = new Set(known.map((one) => one.passage))
  const fresh = found.passages.filter((hit) => !read.has(hit.id)).slice(0, PASSAGES)
  return {
    kind: 'recalled',
    at: new Date().toISOString(),
    query,
    passages: citedOf(fresh, known.length),
    sources: found.sources,
    ...(found.degraded ? { degraded: found.degraded } : {}),
    ms: found.ms,
  }
}

/** Passages as a run cites them, numbered after the `known` ones it has already. */
export function citedOf(hits: readonly Hit[], known: number): Cited[] {
  return hits.map((hit, i) => ({
    n: known + i + 1,
    passage: hit.id,
    title: hit.title,
    heading: hit.heading,
    ...(hit.link ? { link: hit.link } : {}),
    ...(hit.date ? { date: hit.date } : {}),
    text: hit.text,
    source: hit.source,
    path: hit.path,
    ...(hit.around ? { around: hit.around } : {}),
  }))
}

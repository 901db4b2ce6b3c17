/** A better order of what was found, by a server with `/rerank` as vLLM, Jina, Cohere and others have it. */
import { z } from 'zod'
import { Fault } from '../core/fault.ts'
import type { Rerank } from '../core/home.ts'
import { milliseconds } from '../core/pools.ts'
import { type Names, openEndpoint } from './endpoint.ts'
import { faultOf } from './failure.ts'

export type Reranker = {
  /** How many passages it is worth to send. */
  passages: number
  /**
   * The places of the texts, best first, each once. Texts that the server does not name come last, as they stood.
   * @throws Fault `model-…`, also where the server did not answer before the deadline
   */
  rank(query: string, texts: string[]): Promise<number[]>
}

/** vLLM and Cohere answer `results`, others `data`. */
const Place = z.object({ index: z.int().nonnegative(), relevance_score: z.number() })
const Answer = z.union([
  z.object({ results: z.array(Place) }).transform(({ results }) => results),
  z.object({ data: z.array(Place) }).transform(({ data }) => data),
])

/** @throws Fault `config-invalid` when the variable that holds the key is not set */
export function openReranker(config: Rerank, env: Names): Reranker {
  const { client, secrets } = openEndpoint({ url: config.url, key: config.key }, env)
  const deadlineMs = milliseconds(config.deadline)
  const rank = async (query: string, texts: string[]) => {
    const clock = AbortSignal.timeout(deadlineMs)
    const body = { model: config.model, query, documents: texts, top_n: texts.length }
    try {
      const answer = Answer.safeParse(await client.post('/rerank', { body, signal: clock }))
      if (!answer.success) throw nonsense()
      const named = answer.data
        .toSorted((a, b) => b.relevance_score - a.relevance_score)
        .map(({ index }) => index)
        .filter((index) => index < texts.length)
      return [...new Set([...named, ...texts.keys()])]
    } catch (error) {
      if (clock.aborted) throw late(deadlineMs)
      throw faultOf(error, secrets)
    }
  }
  return { passages: config.passages, rank }
}

function late(ms: number): Fault {
  return new Fault('model-stalled', `the reranking server did not answer within ${ms} ms`, { retry: true })
}

function nonsense(): Fault {
  return new Fault('model-nonsense', 'the reranking server answered something other than places and scores')
}

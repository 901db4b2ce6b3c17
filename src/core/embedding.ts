/** What an embedding model is, wherever its vectors lie. */
import type { Embeddings } from './home.ts'
import { Pool, tierOf } from './pools.ts'

export type EmbeddingModel = {
  /** Vectors of models that differ in name or revision are never compared. */
  name: string
  revision: string
  /** ISO 639-1 codes of the languages it knows; in others its nearness says little. */
  languages: string[] | 'all'
  /** How it is reached; null is the embedded one. */
  origin: Embeddings | null
}

/** A server of embeddings as a pool. Whoever names a price pays it, wherever the server is. */
export function poolOf({
  model,
  url,
  price,
  tier = price === undefined ? undefined : 'cloud',
}: Embeddings): Pool {
  return Pool.parse({
    model,
    replicas: [url],
    ...(tier ? { tier } : {}),
    ...(price === undefined ? {} : { price: { prompt: price, completion: 0 } }),
  })
}

/** Whether texts leave the house to be embedded. */
export function isAbroad({ origin }: Pick<EmbeddingModel, 'origin'>): boolean {
  return origin !== null && tierOf(poolOf(origin)) === 'cloud'
}

/** Whether nearness by this model says anything about a text in this language. */
export function knows({ languages }: Pick<EmbeddingModel, 'languages'>, language: string): boolean {
  return languages === 'all' || languages.includes(language)
}

/** The same direction with length 1; a vector of zeros stays as it is. */
export function toUnit(values: number[]): number[] {
  const length = Math.hypot(...values)
  return length === 0 ? values : values.map((value) => value / length)
}

/** How near two vectors are, from -1 to 1; 0 where they cannot be compared. */
export function nearness(a: number[], b: number[]): number {
  if (a.length !== b.length) return 0
  const other = toUnit(b)
  return toUnit(a).reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0)
}

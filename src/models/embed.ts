/** Texts to vectors: over `/v1/embeddings` where the home names a server, else by the model inside the package. */
import type { Embeddings } from '../core/home.ts'
import { openLocalEmbedder } from './embed-local.ts'
import { openRemoteEmbedder } from './embed-remote.ts'
import type { Names } from './endpoint.ts'

export type EmbedOptions = {
  signal?: AbortSignal
  /** A `query` overtakes `bulk` work, which is the default. */
  priority?: 'query' | 'bulk'
}

export type Embedder = {
  /** What made the vectors: vectors of different names must never be compared. */
  model: string
  /** Length of the vectors, as soon as it is known. */
  dimensions(): number | undefined
  /** Starts the model where it has not been started, waits for it, and says whether it can be used. */
  ready(): Promise<'ready' | { why: string }>
  /**
   * One vector for each text, in order. An aborted signal rejects with its reason.
   * @throws Fault `embed-unavailable`
   */
  embed(texts: string[], options?: EmbedOptions): Promise<number[][]>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens the embedder of a home. Nothing is loaded or sent until it is used.
 * @throws Fault `config-invalid` when the variable that holds the key is not set
 */
export function openEmbedder(config: Embeddings | undefined, env: Names): Embedder {
  return config ? openRemoteEmbedder(config, env) : openLocalEmbedder()
}

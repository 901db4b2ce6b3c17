/** Texts to vectors: over `/v1/embeddings` where the home names a server, else by the model inside the package. */
import type { EmbeddingModel } from '../core/embedding.ts'
import { Fault } from '../core/fault.ts'
import type { Embeddings } from '../core/home.ts'
import type { CloudPermit } from '../core/permit.ts'
import { openLocalEmbedder } from './embed-local.ts'
import { openRemoteEmbedder } from './embed-remote.ts'
import type { Names } from './endpoint.ts'

export type EmbedOptions = {
  signal?: AbortSignal
  /** Whose budget it is for; nobody's where it is left out. */
  workspace?: string
} & (Bulk | Query)
/** Passages of sources. */
type Bulk = { priority?: 'bulk' }
/** What somebody asks overtakes them. Without a permit it goes to no server in the cloud. */
type Query = { priority: 'query'; permit: CloudPermit | undefined }

/**
 * Holds a workspace's tokens before a request is sent to a server; `settle` says how many it was. Throws a Fault
 * that is worth another try later where they are not to be had.
 */
export type Spend = (tokens: number, workspace: string) => Promise<{ settle(used: number): Promise<void> }>

/** One embedding model. */
export type Engine = {
  model: EmbeddingModel
  /** Length of the vectors, as soon as it is known. */
  dimensions(): number | undefined
  /** What computes the vectors, in words for an operator, as soon as it is known. */
  runtime(): string | undefined
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

/** The embedding model that the home names, and the way to those that vectors were made with before. */
export type Embedder = Engine & {
  /** The model as long as it can still be asked, so that its vectors serve until there are new ones. */
  of(model: Pick<EmbeddingModel, 'name' | 'revision' | 'origin'>): Engine | undefined
}

/**
 * Opens the embedder of a home. Nothing is loaded or sent until it is used.
 * @throws Fault `config-invalid` when the variable that holds the key is not set
 */
export function openEmbedder(config: Embeddings | undefined, env: Names, spend?: Spend): Embedder {
  const own = openEngine(config ?? null, env, spend)
  const others = new Map<string, Engine | undefined>()
  const of: Embedder['of'] = (model) => {
    if (isSame(own.model, model)) return own
    const key = JSON.stringify(model.origin)
    if (!others.has(key)) others.set(key, tryEngine(model.origin, env, spend))
    const other = others.get(key)
    return other && isSame(other.model, model) ? other : undefined
  }
  const close = async () => {
    await Promise.all([own, ...others.values()].map((engine) => engine?.close()))
  }
  return { ...own, of, close, [Symbol.asyncDispose]: close }
}

function openEngine(origin: Embeddings | null, env: Names, spend?: Spend): Engine {
  return origin ? openRemoteEmbedder(origin, env, { spend }) : openLocalEmbedder()
}

/** Undefined where the key of a server that we no longer use is no longer there. */
function tryEngine(origin: Embeddings | null, env: Names, spend?: Spend): Engine | undefined {
  try {
    return openEngine(origin, env, spend)
  } catch (error) {
    if (error instanceof Fault) return undefined
    throw error
  }
}

/** The same model may have moved to another address. */
function isSame(a: EmbeddingModel, b: Parameters<Embedder['of']>[0]): boolean {
  return (
    a.name === b.name &&
    a.revision === b.revision &&
    a.origin?.dimensions === (b.origin?.dimensions ?? undefined)
  )
}

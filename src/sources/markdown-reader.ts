/** Reads Markdown in a thread of its own: some texts take the parser minutes, and nobody else must wait. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { SourceDocument } from '../core/chunk.ts'
import { readPlain } from './plain.ts'

export type MarkdownReader = AsyncDisposable & {
  /** Reads one file; as plain text where the parser fails, or takes longer than the limit. One at a time. */
  read(file: string, text: string): Promise<SourceDocument>
}

/** The thread is started with the first file and ended by disposing of the reader. */
export function openMarkdownReader({ limitMs = 10_000 } = {}): MarkdownReader {
  let worker: Worker | undefined
  const stop = async () => {
    const last = worker
    worker = undefined
    await last?.terminate()
  }
  const read = async (file: string, text: string) => {
    worker ??= new Worker(new URL('./markdown-worker.ts', import.meta.url))
    const clock = AbortSignal.timeout(limitMs)
    worker.postMessage({ file, text })
    try {
      const [document] = (await once(worker, 'message', { signal: clock })) as [SourceDocument | undefined]
      if (document) return document
    } catch {
      // Out of time, or the thread died of the text; the next file gets a new one.
      await stop()
    }
    return readPlain(file, text)
  }
  return { read, [Symbol.asyncDispose]: stop }
}

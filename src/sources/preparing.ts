/** Prepares documents to be kept, long ones in a thread of its own: nobody else must wait for a book. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { SourceDocument } from '../core/chunk.ts'
import { type Prepared, prepare } from '../core/prepare.ts'

export type Preparing = AsyncDisposable & {
  prepare(document: SourceDocument, link: string | undefined): Promise<Prepared>
}

/** Characters that are prepared at once: a few ms of work, and some 100 at the very worst. */
const AT_ONCE = 100_000

/** The thread is started with the first long document, and ended by disposing. */
export function openPreparing(): Preparing {
  let worker: Worker | undefined
  const apart = async (document: SourceDocument, link: string | undefined): Promise<Prepared> => {
    const thread = worker ?? new Worker(new URL('./preparing-worker.ts', import.meta.url))
    worker = thread
    try {
      thread.ref()
      const answer = once(thread, 'message')
      thread.postMessage({ document, link })
      const [prepared] = (await answer) as [Prepared]
      thread.unref()
      return prepared
    } catch (error) {
      worker = undefined
      throw error
    }
  }
  // One at a time, so that an answer is that of the last question.
  let last: Promise<unknown> = Promise.resolve()
  return {
    async prepare(document, link) {
      if (document.text.length <= AT_ONCE) return prepare(document, link)
      const mine = last.then(() => apart(document, link))
      last = mine.catch(() => {})
      return mine
    },
    async [Symbol.asyncDispose]() {
      await last
      await worker?.terminate()
    },
  }
}

/** The thread in which long documents are prepared. */
import { parentPort } from 'node:worker_threads'
import type { SourceDocument } from '../core/chunk.ts'
import { prepare } from '../core/prepare.ts'

parentPort?.on('message', ({ document, link }: { document: SourceDocument; link: string | undefined }) => {
  parentPort?.postMessage(prepare(document, link))
})

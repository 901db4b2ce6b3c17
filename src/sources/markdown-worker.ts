/** The thread in which Markdown is taken apart. */
import { parentPort } from 'node:worker_threads'
import { readMarkdown } from './markdown.ts'

parentPort?.on('message', ({ file, text }: { file: string; text: string }) => {
  try {
    parentPort?.postMessage(readMarkdown(file, text))
  } catch {
    parentPort?.postMessage(undefined)
  }
})

/** The thread in which files are taken apart. */
import { parentPort } from 'node:worker_threads'
import type { SourceDocument } from '../core/chunk.ts'
import type { Unreadable } from './entry.ts'
import type { Raw } from './reader.ts'

/** Parsers are loaded when the first file needs them: most sources hold few formats. */
async function take({ file, format, content }: Raw): Promise<SourceDocument | Unreadable> {
  if (typeof content !== 'string') {
    if (format === 'pdf') return (await import('./pdf.ts')).readPdf(file, content)
    return (await import('./docx.ts')).readDocx(file, content)
  }
  if (format === 'markdown') return (await import('./markdown.ts')).readMarkdown(file, content)
  if (format === 'html') return (await import('./html.ts')).readHtml(file, content)
  if (format === 'csv') return (await import('./csv.ts')).readCsv(file, content)
  return (await import('./code.ts')).readCode(file, content)
}

parentPort?.on('message', async (raw: Raw) => {
  try {
    parentPort?.postMessage(await take(raw))
  } catch (error) {
    const deep = error instanceof RangeError && /call stack/.test(error.message)
    parentPort?.postMessage({ why: deep ? 'it is nested too deeply' : 'its parser cannot read it' })
  }
})

/** Plain text as a document. */
import path from 'node:path'
import type { Block, SourceDocument } from '../core/chunk.ts'

/** Paragraphs are what stands between blank lines; the title is made from the file's name. */
export function readPlain(file: string, text: string): SourceDocument {
  const blocks: Block[] = []
  let start: number | undefined
  let end = 0
  for (const line of text.matchAll(/[^\n]*\n|[^\n]+$/g)) {
    if (line[0].trim() !== '') {
      start ??= line.index
      end = line.index + line[0].length
    } else if (start !== undefined) {
      blocks.push({ kind: 'prose', start, end })
      start = undefined
    }
  }
  if (start !== undefined) blocks.push({ kind: 'prose', start, end })
  return { path: file, title: titleFromName(file), text, blocks }
}

/** `runbooks/roll-back_a-deploy.md` is called "Roll back a deploy". */
export function titleFromName(file: string): string {
  const words = path.posix
    .basename(file, path.posix.extname(file))
    .replace(/[-_\s]+/g, ' ')
    .trim()
  return words === '' ? file : words[0]?.toUpperCase() + words.slice(1)
}

/** PDF files as documents. */
import { getDocumentProxy } from 'unpdf'
import type { SourceDocument } from '../core/chunk.ts'
import { oneLine, openDraft } from './draft.ts'
import type { Unreadable } from './entry.ts'
import { titleFromName } from './plain.ts'

/** Pages that are read of one file. */
const MOST_PAGES = 2_000
/** Lines further apart than this many of their heights begin a paragraph. */
const APART = 1.6

/** Reads a PDF's text, page by page; its pages are parted by form feeds. */
export async function readPdf(file: string, bytes: Uint8Array): Promise<SourceDocument | Unreadable> {
  let pdf: Awaited<ReturnType<typeof getDocumentProxy>>
  try {
    pdf = await getDocumentProxy(bytes, { verbosity: 0 })
  } catch (error) {
    const locked = error instanceof Error && error.name === 'PasswordException'
    return { why: locked ? 'it is protected by a password' : 'it is not a PDF, or broken' }
  }
  if (pdf.numPages > MOST_PAGES) return { why: `it has more than ${MOST_PAGES} pages` }
  const draft = openDraft()
  let broken = 0
  for (let n = 1; n <= pdf.numPages; n++) {
    if (n > 1) draft.page()
    try {
      const content = await (await pdf.getPage(n)).getTextContent()
      for (const paragraph of paragraphsOf(content.items)) draft.add('prose', paragraph)
    } catch {
      broken += 1
    }
  }
  const document = draft.done(file, (await titleOf(pdf)) || titleFromName(file))
  if (document.blocks.length > 0) return document
  return { why: broken > 0 ? 'its pages are broken' : 'it holds no text; it may be a scan' }
}

type Item = { str?: string; transform?: number[]; height?: number; hasEOL?: boolean }

/** The lines of a page, put together to paragraphs by how far they stand apart. */
function paragraphsOf(items: readonly object[]): string[] {
  const paragraphs: string[] = []
  let lines: string[] = []
  let line = ''
  let last: { y: number; height: number } | undefined
  const endLine = () => {
    if (line.trim() !== '') lines.push(line.trimEnd())
    line = ''
  }
  for (const { str = '', transform, height = 0, hasEOL } of items as readonly Item[]) {
    const y = transform?.[5]
    if (str.trim() !== '' && y !== undefined && line === '') {
      const tall = Math.max(height, last?.height ?? 0, 1)
      if (last && Math.abs(last.y - y) > tall * APART) {
        paragraphs.push(lines.join('\n'))
        lines = []
      }
      last = { y, height }
    }
    line += str
    if (hasEOL) endLine()
  }
  endLine()
  return [...paragraphs, lines.join('\n')]
}

/** What the file says it is called, where that is not the name of the file it was made from. */
async function titleOf(pdf: { getMetadata(): Promise<{ info: object }> }): Promise<string> {
  const said = await pdf.getMetadata().catch(() => undefined)
  const title = Object(said?.info).Title
  const text = typeof title === 'string' ? oneLine(title) : ''
  return text.length > 3 &&
    text.length < 200 &&
    !/^untitled|\.(docx?|tex|dvi|indd|pptx?|xlsx?)$|^microsoft word/i.test(text)
    ? text
    : ''
}

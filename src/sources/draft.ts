/** Writing a document's text and its blocks at once, for formats whose text is not the file's own. */
import type { Block, Range, SourceDocument } from '../core/chunk.ts'

export type Draft = {
  heading(depth: number, text: string): void
  /** `again`: said again with parts that do not begin it, see `about` of a block. */
  add(kind: 'prose' | 'lines' | 'code', text: string): void
  /** Rows of cells; the first `heads` of them are the names of the columns. */
  table(rows: readonly string[][], heads: number): void
  /** A new page begins; what is drafted has its pages parted by form feeds. */
  page(): void
  done(path: string, title: string): SourceDocument
  /** The first heading of the first level, else of any. */
  firstHeading(): string
}

/** Nothing is written where there is nothing but space. */
export function openDraft(): Draft {
  const parts: string[] = []
  const blocks: Block[] = []
  let length = 0
  const write = (text: string): Range => {
    const start = length
    parts.push(text)
    length += text.length
    return { start, end: length }
  }
  const block = (text: string): Range => {
    const range = write(text)
    write('\n\n')
    return range
  }
  const headings = () => blocks.filter((one) => one.kind === 'heading')
  return {
    heading(depth, text) {
      const line = oneLine(text)
      if (line !== '') blocks.push({ kind: 'heading', depth, text: line, ...block(line) })
    },
    add(kind, text) {
      const trimmed = text.replace(/^\s*\n/, '').trimEnd()
      if (trimmed !== '') blocks.push({ kind, ...block(trimmed) })
    },
    table(rows, heads) {
      const full = rows.filter((cells) => cells.some((cell) => cell.trim() !== ''))
      if (full.length === 0) return
      const start = length
      let head: Range | undefined
      for (const [at, cells] of full.entries()) {
        const range = write(`${rowLine(cells)}\n`)
        blocks.push({ kind: 'lines', ...range, ...(head ? { head } : {}) })
        if (heads > 0 && at === heads - 1 && full.length > heads) head = { start, end: range.end }
      }
      write('\n')
    },
    page() {
      write('\f')
    },
    firstHeading() {
      const all = headings()
      return (all.find((one) => one.depth === 1) ?? all[0])?.text ?? ''
    },
    done: (path, title) => ({ path, title, text: parts.join(''), blocks }),
  }
}

export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function rowLine(cells: readonly string[]): string {
  return `| ${cells.map(oneLine).join(' | ')} |`
}

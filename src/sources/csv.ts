/** Tables of values as documents: the text as it is, a block a record. */
import { parse } from 'csv-parse/sync'
import type { Block, SourceDocument } from '../core/chunk.ts'
import { titleFromName } from './plain.ts'

/**
 * Reads CSV or TSV; what parts the values is found out. The first record is the names of the columns, which are
 * said again with each passage.
 *
 * @throws where it is none
 */
export function readCsv(file: string, text: string): SourceDocument {
  const bytes = Buffer.from(text)
  const records: unknown = parse(bytes, {
    delimiter: delimiterOf(text),
    info: true,
    bom: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: 200_000,
  })
  const blocks: Block[] = []
  let at = 0
  let start = 0
  for (const { info } of records as { info: { bytes: number } }[]) {
    const end = start + bytes.toString('utf8', at, info.bytes).length
    const [names] = blocks
    const head = names && { start: names.start, end: names.end }
    blocks.push({ kind: 'lines', start, end, ...(head ? { head } : {}) })
    at = info.bytes
    start = end
  }
  return { path: file, title: titleFromName(file), text, blocks: sharing(blocks) }
}

/** One head for all, so that it is measured once. */
function sharing(blocks: Block[]): Block[] {
  const [first] = blocks
  const head = first && { start: first.start, end: first.end }
  return blocks.map((block, at) => (head && at > 0 && block.kind === 'lines' ? { ...block, head } : block))
}

function delimiterOf(text: string): string {
  const line = /[^\n]*/.exec(text)?.[0] ?? ''
  const counts = [',', ';', '\t', '|'].map((mark) => ({ mark, count: line.split(mark).length }))
  return counts.toSorted((a, b) => b.count - a.count)[0]?.mark ?? ','
}

/** Tables: Slack's own where they fit its limits, columns of text, and a CSV file with everything. */
import type { KnownBlock, RichTextElement } from '@slack/types'
import { rich, section } from './elements.ts'
import { cut } from './text.ts'

/** A table of an answer; every row has as many cells as the first, which is the head. */
export type Table = {
  rows: Cell[][]
  align: ('left' | 'right' | 'center' | undefined)[]
  caption: string
}
/** What stands in a cell, as it is shown and as words. */
export type Cell = { elements: RichTextElement[]; words: string }

/** Slack's: rows with the head, columns, characters of all cells of a message. */
const MOST = { rows: 100, columns: 20, characters: 9_500 }
/** A table of more rows than this is shown by the page, and can be sorted. */
const AT_ONCE = 11
/** Rows of a table that does not fit, as a foretaste. */
const FORETASTE = 20
/** Words of a cell that are wrapped rather than put on one line. */
const LONG_CELL = 40

/** A table as Slack shows it, `whole` or its first rows and columns (the head is not counted). */
export type Native = { block: KnownBlock; whole: boolean; rows: number; columns: number }

/** The table as a block of Slack's, the first rows of it where it is too big; undefined where it is better columns. */
export function nativeTable(table: Table): Native | undefined {
  const whole = fits(table.rows)
  const narrow = table.rows
    .slice(0, whole ? MOST.rows : FORETASTE + 1)
    .map((row) => row.slice(0, MOST.columns))
  let rows = narrow
  while (rows.length > 1 && !fits(rows)) rows = rows.slice(0, -1)
  if (rows.length < 2) return undefined
  const columns = rows[0]?.length ?? 0
  const block = rows.length <= AT_ONCE ? small(rows, table) : paged(rows, table.caption)
  return { block, whole, rows: rows.length - 1, columns }
}

function fits(rows: readonly Cell[][]): boolean {
  const characters = rows.flat().reduce((sum, cell) => sum + Math.max(cell.words.length, 1), 0)
  return rows.length <= MOST.rows && (rows[0]?.length ?? 0) <= MOST.columns && characters <= MOST.characters
}

function small(rows: readonly Cell[][], { align }: Table): KnownBlock {
  const settings = (rows[0] ?? []).map((_, column) => {
    const cells = rows.slice(1).map((row) => row[column]?.words ?? '')
    const side = align[column] ?? (cells.every(isNumber) ? 'right' : 'left')
    return { align: side, is_wrapped: cells.some((words) => words.length > LONG_CELL) }
  })
  return { type: 'table', rows: rows.map((row) => row.map(shownCell)), column_settings: settings }
}

function paged(rows: readonly Cell[][], caption: string): KnownBlock {
  const [head = [], ...body] = rows
  const numbers = head.map((_, column) => body.every((row) => isNumber(row[column]?.words ?? '')))
  return {
    type: 'data_table',
    caption: cut(caption, 200) || 'Table',
    page_size: 10,
    rows: [
      head.map((cell) => rawText(cell.words)), // The head may hold nothing but words.
      ...body.map((row) =>
        row.map((cell, column) =>
          numbers[column]
            ? ({ type: 'raw_number', value: numberOf(cell.words), text: cell.words } as const)
            : shownCell(cell),
        ),
      ),
    ],
  }
}

function shownCell(cell: Cell) {
  const plain = cell.elements.every((element) => element.type === 'text' && !element.style)
  if (plain) return rawText(cell.words)
  return rich(section(...cell.elements)) as Extract<KnownBlock, { type: 'rich_text' }>
}

function rawText(words: string) {
  return { type: 'raw_text', text: words.trim() === '' ? ' ' : words } as const
}

/** `1200`, `1,200`, `-0.5`; nothing else, for what a comma means differs between countries. */
function isNumber(words: string): boolean {
  return /^-?(\d{1,15}|\d{1,3}(,\d{3}){1,4})(\.\d{1,10})?$/.test(words)
}

function numberOf(words: string): number {
  return Number(words.replaceAll(',', ''))
}

/** Text that fills more than this is not lined up: it would be spaces for the most part. */
const MOST_LINED_UP = 6_000
const WIDEST = 40

/** Rows as lines of text, lined up where that takes little room. */
export function columns(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((words) => words.replace(/\s*\n\s*/g, ' ')))
  const widths: number[] = []
  for (const row of cells) {
    row.forEach((words, column) => {
      widths[column] = Math.min(WIDEST, Math.max(widths[column] ?? 0, [...words].length))
    })
  }
  const line = widths.reduce((sum, width) => sum + width + 3, 0)
  const linedUp = line * cells.length <= MOST_LINED_UP
  const pad = (words: string, column: number) =>
    linedUp ? words + ' '.repeat(Math.max(0, (widths[column] ?? 0) - [...words].length)) : words
  const lines = cells.map((row) => row.map(pad).join(' | ').trimEnd())
  lines.splice(1, 0, widths.map((width) => '-'.repeat(linedUp ? width : 3)).join('-+-'))
  return lines.join('\n')
}

/**
 * All of a table as CSV (RFC 4180, UTF-8 with a byte order mark, for Excel). What a spreadsheet would take for a
 * formula begins with an apostrophe.
 */
export function csvOf(table: Table): Buffer {
  const lines = table.rows.map((row) => row.map((cell) => field(cell.words)).join(','))
  return Buffer.from(`\ufeff${lines.join('\r\n')}\r\n`)
}

function field(words: string): string {
  const safe = /^\s*[=+\-@\t\r]/.test(words) && !isNumber(words) ? `'${words}` : words
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Cuts a passage of Markdown into what can be quoted whole: sentences, lists of steps, points, table rows. */
import { stems } from './words.ts'

/** `pointer`: it only says where something else stands. */
export type Unit = { kind: 'sentence' | 'steps' | 'point'; text: string; pointer: boolean }
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'

type Block = { kind: 'text' | 'steps' | 'points' | 'table' | 'code'; lines: string[] }

/**
 * The units of a passage in order; headings and rules are left out, code stays with the steps it belongs to.
 * Where the question asks about now and a table's rows begin with dates, only the row that holds `today` is given.
 */
export function splitUnits(text: string, question: string, today: string): Unit[] {
  return blocksOf(text).flatMap((block): Unit[] => {
    if (block.kind === 'code') return []
    if (block.kind === 'steps') return [unit('steps', block.lines.join('\n'))]
    if (block.kind === 'table') return rowsOf(block.lines, question, today).map((row) => unit('point', row))
    if (block.kind === 'points')
      return block.lines
        .join('\n')
        .split(/\n(?=[-*+]\s)/)
        .map((point) => unit('point', point.replace(/^[-*+]\s+/, '').replace(/\n\s*/g, ' ')))
    return sentencesOf(block.lines.join(' ')).map((sentence) => unit('sentence', sentence))
  })
}

function unit(kind: Unit['kind'], text: string): Unit {
  return { kind, text: plain(text), pointer: kind === 'sentence' && /\b(see|read|in)\s+\[/i.test(text) }
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = []
  let current: Block | undefined
  let inCode = false
  let gap = false
  const open = (kind: Block['kind'], line: string) => {
    current = { kind, lines: [line] }
    blocks.push(current)
  }
  for (const line of text.split('\n')) {
    const isList = current?.kind === 'steps' || current?.kind === 'points'
    const kind = kindOf(line)
    if (inCode || kind === 'code') {
      if (current && (inCode || current.kind === 'steps')) current.lines.push(line)
      else open('code', line)
      if (kind === 'code') inCode = !inCode
    } else if (kind === 'blank') {
      gap = true
      if (!isList) current = undefined
      continue
    } else if (kind === 'heading') current = undefined
    else if (current && (current.kind === kind ? kind !== 'text' || !gap : isList && continues(line, gap)))
      current.lines.push(line)
    else open(kind, line)
    gap = false
  }
  return blocks
}

function kindOf(line: string): Block['kind'] | 'blank' | 'heading' {
  if (line.trim() === '') return 'blank'
  if (/^\s*(```|~~~)/.test(line)) return 'code'
  if (/^(#{1,6}\s|-{3,}\s*$|\*{3,}\s*$|<!--)/.test(line)) return 'heading'
  if (/^\d+[.)]\s/.test(line)) return 'steps'
  if (/^[-*+]\s/.test(line)) return 'points'
  return /^\|/.test(line) ? 'table' : 'text'
}

/** Whether an ordinary line still belongs to the list above it. */
function continues(line: string, gap: boolean): boolean {
  return /^\s{2,}\S/.test(line) || (!gap && kindOf(line) === 'text')
}

/** Rows as `cell, head: cell`. */
function rowsOf(lines: string[], question: string, today: string): string[] {
  const [head = [], ...rows] = lines
    .filter((line) => !/^\|[\s:|-]+$/.test(line))
    .map((line) =>
      line
        .replace(/^\||\|\s*$/g, '')
        .split('|')
        .map((cell) => cell.trim()),
    )
  const asksNow = /\b(today|tonight|now|currently|current|this (week|month|weekend))\b/i.test(question)
  const current = asksNow ? currentRow(rows, today) : undefined
  return (current ? [current] : rows).map((row) =>
    row
      .map((cell, at) => (at === 0 || !head[at] ? cell : `${head[at]}: ${cell}`))
      .filter((cell) => cell !== '')
      .join(', '),
  )
}

/** The last row that begins on or before today, unless its end lies behind. */
function currentRow(rows: string[][], today: string): string[] | undefined {
  const dated = rows.flatMap((row) => {
    const [from, to] = datesIn(row.join(' '))
    return from ? [{ row, from, to }] : []
  })
  const begun = dated.filter(({ from }) => from <= today).sort((a, b) => b.from.localeCompare(a.from))[0]
  const end = begun?.to ?? dated.find(({ from }) => from > today)?.from
  return begun && end !== undefined && end >= today ? begun.row : undefined
}

/** Dates as `2026-05-02` or `2 May 2026`, both given as the first. */
function datesIn(text: string): string[] {
  const found = text.matchAll(/(\d{4}-\d{2}-\d{2})|\b(\d{1,2}) ([A-Z][a-z]{2})[a-z]* (\d{4})\b/g)
  return [...found].flatMap(([, iso, day = '', month = '', year]) => {
    const number = MONTHS.indexOf(month) / 3 + 1
    if (iso) return [iso]
    return Number.isInteger(number) && number > 0
      ? [`${year}-${String(number).padStart(2, '0')}-${day.padStart(2, '0')}`]
      : []
  })
}

function sentencesOf(text: string): string[] {
  const sentences: string[] = []
  for (const { segment } of new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text)) {
    const before = sentences.at(-1)
    // `e.g. this` is no end of a sentence.
    if (before && /(\b(e\.g|i\.e|approx|no|vs)\.|\b[A-Z]\.)\s*$/i.test(before))
      sentences[sentences.length - 1] += segment
    else sentences.push(segment)
  }
  return sentences.map((sentence) => sentence.trim()).filter((sentence) => stems(sentence).length > 0)
}

/** Links become their words, and numbers in brackets cannot be taken for citations. */
function plain(text: string): string {
  return text
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\[(\d+)\]/g, '($1)')
    .trim()
}

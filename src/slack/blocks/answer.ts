/** The answer of a run as one to three messages, or as a file and what stands at its beginning. */
import { createHash } from 'node:crypto'
import type { KnownBlock, RichTextBlockElement, RichTextElement } from '@slack/types'
import type { Cited } from '../../core/run.ts'
import type { Message } from '../message.ts'
import type { File } from '../upload.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { feedbackBlock } from './feedback.ts'
import { type Links, linksOf } from './links.ts'
import { pack, weigh } from './pack.ts'
import { type Unit, unitsOf } from './rich.ts'
import { csvOf, type Native, nativeTable, type Table } from './table.ts'
import { clean, cut, webAddress } from './text.ts'
import { wholeAnswer } from './whole.ts'

const MOST_MESSAGES = 3
const MOST_SOURCES = 10
/** Messages of an answer whose file cannot be sent. */
const MOST_UNFILED = 12
/** More Markdown than this fits neither. */
const LONGEST_MARKDOWN = 90_000
/** How much of a long answer stands above its file, in the JSON of its rich text. */
const OPENING = 2500
const MOST_HEADINGS = 12

/**
 * What is to be answered.
 * `markdown`: what the model wrote; untrusted. `cited`: the passages the run recalled; only those the text cites are
 * listed. `uncited`: what is said where there were passages and the text cites none of them. `badge`: a short remark
 * under the answer, such as which model wrote it. `feedback`: whether people may say what they think of it.
 */
export type Answered = {
  markdown: string
  cited: readonly Cited[]
  run: string
  uncited?: string | undefined
  badge?: string | undefined
  feedback?: boolean | undefined
}

export type Answer = {
  /** Sent first: tables beyond Slack's limits as CSV, and the whole where it does not fit three messages. */
  files: File[]
  messages: Message[]
  /** What is said instead where the files cannot be sent. */
  unfiled(): Message[]
}

/** An answer as Slack takes it. */
export function layOut(answer: Answered): Answer {
  const links = linksOf(answer.cited)
  const units = unitsOf(answer.markdown.slice(0, LONGEST_MARKDOWN), links)
  if (units.length === 0) units.push({ elements: [section(text('The model gave an empty answer.'))] })
  const whole = answer.markdown.length <= LONGEST_MARKDOWN
  const unfiled = () => inMessages(pack(units, 'first'), MOST_UNFILED, { links, answer, whole })
  const { shown, files } = fileTables(units, answer)
  const own = pack(shown, 'own')
  const packed = own.length <= MOST_MESSAGES ? own : pack(shown, 'first')
  if (whole && packed.length <= MOST_MESSAGES)
    return { files, messages: inMessages(packed, MOST_MESSAGES, { links, answer, whole }), unfiled }
  const name = nameOf('answer', 'md', answer)
  const file = { name, title: 'The whole answer', bytes: wholeAnswer(answer.markdown, answer.cited) }
  const opening = pack(openingOf(units, answer.markdown, name), 'columns').slice(0, 1)
  return {
    files: [file, ...files],
    messages: inMessages(opening, MOST_MESSAGES, { links, answer, whole: true }),
    unfiled,
  }
}

type Closing = { links: Links; answer: Answered; whole: boolean }

function inMessages(packed: readonly KnownBlock[][], most: number, closing: Closing): Message[] {
  const kept = packed.slice(0, most)
  const wasCut = packed.length > most || !closing.whole
  return kept.map((blocks, index) => {
    const all = index === kept.length - 1 ? [...blocks, ...closingOf(wasCut, closing)] : blocks
    return {
      text: fallbackText(all) || 'An answer',
      blocks: all,
      metadata: { run: closing.answer.run, part: `answer-${index + 1}` },
    }
  })
}

/** A file's name is its own in the thread, and the same each time: so it is known after a crash whether it was sent. */
function nameOf(what: string, ending: string, { run, markdown }: Answered): string {
  const hash = createHash('sha256').update(run).update(markdown).digest('hex')
  return `${what}-${hash.slice(0, 6)}.${ending}`
}

/** Tables that do not fit Slack's: their first rows, and a file with all of them. */
function fileTables(units: readonly Unit[], answer: Answered): { shown: Unit[]; files: File[] } {
  const files: File[] = []
  const shown = units.flatMap((unit): Unit[] => {
    const native = unit.table && nativeTable(unit.table)
    if (!unit.table || !native || native.whole) return [unit]
    const name = nameOf(`table-${files.length + 1}`, 'csv', answer)
    files.push({ name, title: cut(clean(unit.table.caption), 80) || name, bytes: csvOf(unit.table) })
    const note = `${partOf(native, unit.table)}; everything is in ${name} above.`
    return [
      { ...unit, ...foretaste(unit, native.rows), filed: true },
      { elements: [section(text(note, { italic: true }))] },
    ]
  })
  return { shown, files }
}

function partOf(native: Native, { rows }: Table): string {
  const [height, width] = [rows.length - 1, rows[0]?.length ?? 0]
  const parts = [
    ...(native.rows < height ? [`first ${native.rows} of ${height} rows`] : []),
    ...(native.columns < width ? [`first ${native.columns} of ${width} columns`] : []),
  ]
  return `The ${parts.join(' and ')}`
}

/** The table's first rows as columns, for where Slack does not take the table itself. */
function foretaste(unit: Unit, rows: number): Pick<Unit, 'elements'> {
  const elements = unit.elements.map((element): RichTextBlockElement => {
    if (element.type !== 'rich_text_preformatted') return element
    const [first] = element.elements
    const lines = first && 'text' in first ? (first.text ?? '').split('\n') : []
    return { ...element, elements: [text(lines.slice(0, rows + 2).join('\n'))] }
  })
  return { elements }
}

/** How a long answer begins, what is in it, and where the whole is. */
function openingOf(units: readonly Unit[], markdown: string, name: string): Unit[] {
  const begin: Unit[] = []
  let room = OPENING
  for (const unit of units) {
    room -= weigh(unit.elements)
    if (room < 0 && begin.length > 0) break
    begin.push(unit)
    if (room < 0) break
  }
  // A heading with nothing below it is the beginning of what is left out.
  while (begin.length > 1 && begin.at(-1)?.heading) begin.pop()
  const first = begin.length === 1 && room < 0 ? pack(begin, 'columns')[0]?.slice(0, 1) : undefined
  const head = first ? first.flatMap((block) => (block.type === 'rich_text' ? block.elements : [])) : []
  const headings = units.slice(begin.length).flatMap((unit) => unit.heading ?? [])
  const more = headings.length - MOST_HEADINGS
  const items = headings
    .slice(0, MOST_HEADINGS)
    .map((words) => section(text(cut(clean(words).replaceAll('\n', ' '), 150))))
  if (more > 0) items.push(section(text(`and ${more} more`)))
  const size = markdown.length.toLocaleString('en-US')
  const sentence = `This is the beginning. The whole answer of ${size} characters is in ${name} above.`
  return [
    ...(first ? [{ elements: head }] : begin),
    { elements: [section(text(sentence, { italic: true }))] },
    ...(items.length > 0
      ? [
          { elements: [section(text('Also in it:'))] },
          { elements: [{ type: 'rich_text_list' as const, style: 'bullet' as const, elements: items }] },
        ]
      : []),
  ]
}

function closingOf(wasCut: boolean, { links, answer }: Closing): KnownBlock[] {
  const { cited, run, uncited, badge, feedback } = answer
  const blocks: KnownBlock[] = []
  if (wasCut) {
    const sentence = 'The answer was too long; the rest is left out. Ask for the part you need.'
    blocks.push(rich(section(text(sentence, { italic: true }))))
  }
  const sources = sourcesElement(links)
  if (sources) blocks.push(rich(sources))
  else if (uncited && cited.length > 0) blocks.push(rich(section(text(uncited, { italic: true }))))
  if (badge) {
    const words = cut(clean(badge).replaceAll('\n', ' '), 200) || ' '
    blocks.push({ type: 'context', elements: [{ type: 'plain_text', text: words, emoji: false }] })
  }
  if (feedback) blocks.push(feedbackBlock(run))
  return blocks
}

/** `Sources`, then a line for each: number, title as a link, date. */
function sourcesElement(links: Links): RichTextBlockElement | undefined {
  const numbers = [...links.used].sort((a, b) => a - b)
  if (numbers.length === 0) return undefined
  const elements: RichTextElement[] = [text('Sources', { bold: true })]
  for (const n of numbers.slice(0, MOST_SOURCES)) {
    const passage = links.cited(n)
    if (!passage) continue
    const title = cut(clean(passage.title).replaceAll('\n', ' ').trim(), 100) || 'Untitled'
    const address = passage.link && passage.link.length <= 300 ? webAddress(passage.link) : undefined
    elements.push(text(`\n[${n}] `))
    elements.push(address ? { type: 'link', url: address, text: title } : text(title))
    const date = /^\d{4}-\d{2}-\d{2}/.exec(passage.date ?? '')?.[0]
    if (date) elements.push(text(` · ${date}`))
  }
  if (numbers.length > MOST_SOURCES) elements.push(text(`\nand ${numbers.length - MOST_SOURCES} more`))
  return section(...elements)
}

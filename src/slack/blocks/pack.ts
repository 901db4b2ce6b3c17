/** Units of an answer cut and packed into messages that Slack takes. */
import type { KnownBlock, RichTextBlockElement, RichTextElement, RichTextSection } from '@slack/types'
import { section, text } from './elements.ts'
import type { Unit } from './rich.ts'
import { nativeTable } from './table.ts'

/** Sizes are those of the JSON that is sent, in UTF-16 units: never smaller than what Slack counts. */
const WEIGHT = { piece: 2500, block: 4000, message: 8000, blocks: 30 }

/**
 * How tables are shown. Slack takes one of its own a message: `own` gives each a message, `first` makes columns of
 * text of the others, `columns` of all.
 */
export type Tables = 'own' | 'first' | 'columns'

export function weigh(value: unknown): number {
  return JSON.stringify(value).length
}

/** The blocks of each message, cut between units where they fit, and within one between its lines and words. */
export function pack(units: readonly Unit[], tables: Tables): KnownBlock[][] {
  const packer = openPacker()
  for (const unit of units) {
    const native = tables !== 'columns' && unit.table ? nativeTable(unit.table) : undefined
    const enough = native?.whole || unit.filed
    if (native && enough && (tables === 'own' || !packer.hasTable())) packer.putBlock(native.block)
    else packer.put(unit.elements.flatMap(split))
  }
  return packer.close()
}

/** A block that is filled, or one that is finished. */
type Part = { elements: RichTextBlockElement[] } | { block: KnownBlock }

function openPacker() {
  const messages: Part[][] = [[]]
  let [roomInBlock, roomInMessage, hasTable] = [0, WEIGHT.message, false]

  const message = () => messages.at(-1) ?? []
  function next(): void {
    messages.push([])
    ;[roomInBlock, roomInMessage, hasTable] = [0, WEIGHT.message, false]
  }
  function add(part: RichTextBlockElement[], weight: number): void {
    const full = weight > roomInBlock && message().length >= WEIGHT.blocks
    if (message().length > 0 && (weight > roomInMessage || full)) next()
    const last = message().at(-1)
    if (weight <= roomInBlock && last && 'elements' in last) last.elements.push(...part)
    else {
      message().push({ elements: [...part] })
      roomInBlock = WEIGHT.block
    }
    roomInBlock -= weight
    roomInMessage -= weight
  }

  return {
    hasTable: () => hasTable,
    /** What belongs together goes into one block where that can be. */
    put(elements: readonly RichTextBlockElement[]): void {
      const whole = elements.reduce((sum, element) => sum + weigh(element) + 60, 0)
      for (const part of whole <= WEIGHT.block ? [[...elements]] : elements.map((element) => [element]))
        add(
          part,
          part.reduce((sum, element) => sum + weigh(element) + 60, 0),
        )
    },
    putBlock(block: KnownBlock): void {
      if (hasTable || message().length >= WEIGHT.blocks) next()
      message().push({ block })
      hasTable = true
      roomInBlock = 0
    },
    close: () =>
      messages
        .filter((parts) => parts.length > 0)
        .map((parts) => parts.map((part) => ('block' in part ? part.block : join(part.elements)))),
  }
}

/** The same element as pieces none of which is heavier than a piece may be. */
function split(element: RichTextBlockElement): RichTextBlockElement[] {
  if (weigh(element) <= WEIGHT.piece) return [element]
  if (element.type === 'rich_text_list') return splitList(element)
  return pieces(element.elements).map((elements) => ({ ...element, elements }) as RichTextBlockElement)
}

type List = Extract<RichTextBlockElement, { type: 'rich_text_list' }>

/** A list goes on with the next number; an item that is too long goes on without one. */
function splitList(list: List): RichTextBlockElement[] {
  const out: RichTextBlockElement[] = []
  const start = 'offset' in list && typeof list.offset === 'number' ? list.offset : 0
  let open: RichTextSection[] = []
  let begun = start
  const close = () => {
    const offset = list.style === 'ordered' && begun > 0 ? { offset: begun } : {}
    if (open.length > 0) out.push({ ...list, elements: open, ...offset })
    begun += open.length
    open = []
  }
  for (const item of list.elements) {
    const [head = [], ...rest] = pieces(item.elements)
    const first = section(...(head.length > 0 ? head : [text(' ')]))
    if (weigh(open) + weigh(first) > WEIGHT.piece) close()
    open.push(first)
    if (rest.length === 0) continue
    close()
    out.push(...rest.map((elements) => section(...elements)))
  }
  close()
  return out
}

function pieces(elements: readonly RichTextElement[]): RichTextElement[][] {
  const small = elements.flatMap((element): RichTextElement[] => {
    if (weigh(element) <= WEIGHT.piece / 2) return [element]
    if (element.type === 'text')
      return chop(element.text, WEIGHT.piece / 2 - 150).map((words) => ({ ...element, text: words }))
    if (element.type !== 'link') return []
    const { text: words = '', ...link } = element
    const before = words === '' ? [] : chop(`${words} `, WEIGHT.piece / 2 - 150).map((piece) => text(piece))
    return [...before, link]
  })
  return group(small, WEIGHT.piece).map(endLine)
}

/** A piece ends with its last line, not with an empty one. */
function endLine(elements: RichTextElement[]): RichTextElement[] {
  const last = elements.at(-1)
  if (last?.type !== 'text') return elements
  return [...elements.slice(0, -1), { ...last, text: last.text.replace(/\n+$/, '') || ' ' }]
}

/** Words in pieces whose JSON is at most `most`, cut at the end of a line, a sentence or a word where there is one. */
function chop(words: string, most: number): string[] {
  const out: string[] = []
  let rest = words
  while (weigh(rest) > most) {
    let at = Math.min(rest.length, most)
    while (weigh(rest.slice(0, at)) > most) at = Math.floor(at * 0.8)
    at = border(rest, at)
    out.push(rest.slice(0, at))
    rest = rest.slice(at)
  }
  return rest ? [...out, rest] : out
}

/** What a text is best cut after, the best first: a paragraph, a line, a sentence, a word. */
const ENDS = [/\n\n/g, /\n/g, /[.!?…]["'”’)\]]?\s|[。！？]/g, /\s/g]

/** The best place to cut at or before `at`, never within a character as people see it. */
function border(words: string, at: number): number {
  const head = words.slice(0, at)
  for (const ends of ENDS) {
    const last = [...head.matchAll(ends)].at(-1)
    const end = last ? last.index + last[0].length : 0
    if (end > at / 2) return end
  }
  const index = characters.segment(words.slice(0, at + 200)).containing(at)?.index ?? 0
  if (index > at / 2) return index
  return /[\ud800-\udbff]/.test(words.charAt(at - 1)) ? at - 1 : at
}

const characters = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

function group<T>(items: readonly T[], most: number): T[][] {
  const groups: T[][] = []
  let room = 0
  for (const item of items) {
    const weight = weigh(item) + 1
    const last = groups.at(-1)
    if (last && weight <= room) {
      last.push(item)
      room -= weight
    } else {
      groups.push([item])
      room = most - weight
    }
  }
  return groups
}

/** Joins elements into one block as a person would type it: a blank line between paragraphs. */
function join(elements: readonly RichTextBlockElement[]): KnownBlock {
  const joined: RichTextBlockElement[] = []
  for (const element of elements) {
    const last = joined.at(-1)
    if (element.type === 'rich_text_section' && last?.type === 'rich_text_section') {
      joined[joined.length - 1] = section(...last.elements, text('\n\n'), ...element.elements)
    } else if (element.type === 'rich_text_section' && last) {
      joined.push(section(text('\n'), ...element.elements))
    } else joined.push(element)
  }
  return { type: 'rich_text', elements: joined }
}

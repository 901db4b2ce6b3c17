/** Rich text cut and packed into messages that Slack takes. */
import type { KnownBlock, RichTextBlockElement, RichTextElement } from '@slack/types'
import { section, text } from './elements.ts'

/** Sizes are those of the JSON that is sent, in UTF-16 units: never smaller than what Slack counts. */
const WEIGHT = { piece: 2500, block: 4000, message: 8000, blocks: 30 }

export function weigh(value: unknown): number {
  return JSON.stringify(value).length
}

/** The same elements, none heavier than a piece may be. */
function split(element: RichTextBlockElement): RichTextBlockElement[] {
  if (weigh(element) <= WEIGHT.piece) return [element]
  if (element.type === 'rich_text_list') {
    const items = element.elements.flatMap((item) =>
      pieces(item.elements).map((elements) => section(...elements)),
    )
    const groups = group(items, WEIGHT.piece)
    let offset = 'offset' in element && typeof element.offset === 'number' ? element.offset : 0
    return groups.map((elements) => {
      const list = { ...element, elements, ...(element.style === 'ordered' && offset > 0 ? { offset } : {}) }
      offset += elements.length
      return list
    })
  }
  return pieces(element.elements).map((elements) => ({ ...element, elements }) as RichTextBlockElement)
}

function pieces(elements: readonly RichTextElement[]): RichTextElement[][] {
  const small = elements.flatMap((element) => {
    if (weigh(element) <= WEIGHT.piece / 2) return [element]
    if (element.type !== 'text') return []
    return chop(element.text, WEIGHT.piece / 2 - 150).map((words) => ({ ...element, text: words }))
  })
  return group(small, WEIGHT.piece)
}

/** Words in pieces whose JSON is at most `most`, cut at a line or a space where there is one. */
function chop(words: string, most: number): string[] {
  const out: string[] = []
  let rest = words
  while (weigh(rest) > most) {
    let at = Math.min(rest.length, most)
    while (weigh(rest.slice(0, at)) > most) at = Math.floor(at * 0.8)
    const line = rest.lastIndexOf('\n', at)
    const space = line > at / 2 ? line : rest.lastIndexOf(' ', at)
    if (space > at / 2) at = space + 1
    if (/[\ud800-\udbff]/.test(rest.charAt(at - 1))) at -= 1
    out.push(rest.slice(0, at))
    rest = rest.slice(at)
  }
  return rest ? [...out, rest] : out
}

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

/**
 * The blocks of each message, cut at the borders of top-level nodes where they fit;
 * `cut` is true where `most` messages did not hold everything.
 */
export function pack(
  nodes: readonly RichTextBlockElement[][],
  most: number,
): { messages: KnownBlock[][]; cut: boolean } {
  const messages: RichTextBlockElement[][][] = [[[]]]
  let [roomInBlock, roomInMessage] = [WEIGHT.block, WEIGHT.message]
  for (const unit of nodes.map((node) => node.flatMap(split))) {
    const weight = unit.reduce((sum, element) => sum + weigh(element) + 60, 0)
    for (const part of weight <= WEIGHT.block ? [unit] : unit.map((element) => [element])) {
      const partWeight = part.reduce((sum, element) => sum + weigh(element) + 60, 0)
      const message = messages.at(-1) ?? []
      if (partWeight > roomInMessage || (partWeight > roomInBlock && message.length >= WEIGHT.blocks)) {
        if (messages.length === most) return { messages: closed(messages), cut: true }
        messages.push([[...part]])
        roomInMessage = WEIGHT.message - partWeight
        roomInBlock = WEIGHT.block - partWeight
        continue
      }
      if (partWeight > roomInBlock) {
        message.push([])
        roomInBlock = WEIGHT.block
      }
      message.at(-1)?.push(...part)
      roomInBlock -= partWeight
      roomInMessage -= partWeight
    }
  }
  return { messages: closed(messages), cut: false }
}

function closed(messages: readonly RichTextBlockElement[][][]): KnownBlock[][] {
  return messages.map((blocks) => blocks.filter((block) => block.length > 0).map(join))
}

/** The answer of a run as one to three messages, its sources under the last. */
import type { KnownBlock, RichTextBlockElement, RichTextElement } from '@slack/types'
import type { Cited } from '../../core/run.ts'
import type { Message } from '../message.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { feedbackBlock } from './feedback.ts'
import { type Links, linksOf } from './links.ts'
import { pack } from './pack.ts'
import { richText } from './rich.ts'
import { clean, cut, webAddress } from './text.ts'

const MOST_MESSAGES = 3
const MOST_SOURCES = 10
/** More Markdown than this does not fit three messages anyway. */
const LONGEST_MARKDOWN = 30_000

/**
 * @param answer.markdown what the model wrote; untrusted
 * @param answer.cited    the passages the run recalled; only those the text cites are listed
 * @param answer.uncited  what is said where there were passages and the text cites none of them
 * @param answer.badge    a short remark under the answer, such as which model wrote it
 * @param answer.feedback whether people may say what they think of it
 */
export function answerMessages(answer: {
  markdown: string
  cited: readonly Cited[]
  run: string
  uncited?: string | undefined
  badge?: string | undefined
  feedback?: boolean | undefined
}): Message[] {
  const links = linksOf(answer.cited)
  const nodes = richText(answer.markdown.slice(0, LONGEST_MARKDOWN), links)
  const packed = pack(
    nodes.length > 0 ? nodes : [[section(text('The model gave an empty answer.'))]],
    MOST_MESSAGES,
  )
  const wasCut = packed.cut || answer.markdown.length > LONGEST_MARKDOWN
  return packed.messages.map((blocks, index) => {
    const last = index === packed.messages.length - 1
    const all = last ? [...blocks, ...closing(wasCut, links, answer)] : blocks
    return {
      text: fallbackText(all) || 'An answer',
      blocks: all,
      metadata: { run: answer.run, part: `answer-${index + 1}` },
    }
  })
}

function closing(
  wasCut: boolean,
  links: Links,
  { cited, run, uncited, badge, feedback }: Omit<Parameters<typeof answerMessages>[0], 'markdown'>,
): KnownBlock[] {
  const blocks: KnownBlock[] = []
  if (wasCut) {
    const sentence =
      'The answer was longer than three messages; the rest is left out. Ask for the part you need.'
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

import type { Message } from '../message.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut } from './text.ts'

/** One sentence of ours in the thread. Names in it may come from anywhere: nothing in it can ping or link. */
export function sayMessage(sentence: string, metadata?: { run: string; part: string }): Message {
  const blocks = [rich(section(text(cut(clean(sentence), 2500))))]
  return { text: fallbackText(blocks) || ' ', blocks, ...(metadata ? { metadata } : {}) }
}

/** How much of it is shown, in characters. */
const QUOTED = 2500

/** A question that a prompt of a tool server made: its text stands in a quote. */
export function promptMessage(who: string, prompt: string, made: string): Message {
  const head = section(
    text(`${cut(clean(who), 80)} asks with the prompt `),
    text(cut(clean(prompt), 200), { code: true }),
  )
  const more = made.length > QUOTED ? `\n… and ${made.length - QUOTED} more characters` : ''
  const quote = { type: 'rich_text_quote' as const, elements: [text(`${cut(clean(made), QUOTED)}${more}`)] }
  const blocks = [rich(head, quote)]
  return { text: fallbackText(blocks) || ' ', blocks }
}

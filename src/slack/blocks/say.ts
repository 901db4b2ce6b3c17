import type { Message } from '../message.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut } from './text.ts'

/** One sentence of ours in the thread. Names in it may come from anywhere: nothing in it can ping or link. */
export function sayMessage(sentence: string, metadata?: { run: string; part: string }): Message {
  const blocks = [rich(section(text(cut(clean(sentence), 2500))))]
  return { text: fallbackText(blocks) || ' ', blocks, ...(metadata ? { metadata } : {}) }
}

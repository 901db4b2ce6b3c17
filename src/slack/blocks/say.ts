import type { HomeView, KnownBlock } from '@slack/types'
import type { Message } from '../message.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut } from './text.ts'

/** One sentence of ours in the thread. Names in it may come from anywhere: nothing in it can ping or link. */
export function sayMessage(sentence: string, metadata?: { run: string; part: string }): Message {
  const blocks = [rich(section(text(cut(clean(sentence), 2500))))]
  return { text: fallbackText(blocks) || ' ', blocks, ...(metadata ? { metadata } : {}) }
}

/** The App Home, for now: what this is and how to begin. `lines` are added below, each one paragraph. */
export function homeView(name: string, lines: readonly string[] = []): HomeView {
  const intro = [
    `Mention @${name} in a channel, or write to it under Messages. It answers from your team's knowledge, with its sources.`,
    'It asks in the thread before it changes anything; whoever may decide presses Approve or Deny.',
    '/quorum ask, /quorum status, /quorum stop and /quorum help work in every channel.',
  ]
  const header = cut(clean(name).replaceAll('\n', ' '), 140) || 'Quorum'
  const blocks: KnownBlock[] = [{ type: 'header', text: { type: 'plain_text', text: header, emoji: false } }]
  for (const line of [...intro, ...lines].slice(0, 90)) {
    blocks.push(rich(section(text(cut(clean(line), 2500)))))
  }
  return { type: 'home', blocks }
}

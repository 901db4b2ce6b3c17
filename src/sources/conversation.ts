/** What was said in a channel, as a document: a thread, or messages that follow each other. Pure. */
import { createHash } from 'node:crypto'
import type { Block, SourceDocument } from '../core/chunk.ts'
import type { Found } from './entry.ts'

/** One message. `at` is when it was said; `link` opens it. */
export type Spoken = { at: Date; speaker: string; text: string; link: string }

const LONGEST_TITLE = 80

/**
 * A conversation as an entry of a source. The title is the channel and how the conversation begins; every message is
 * headed by who said it and when (UTC), the day where it is another than before; a passage links to its first message.
 *
 * @param spoken at least one message, in their order
 */
export function foundConversation(path: string, channel: string, spoken: readonly Spoken[]): Found {
  const document = readConversation(path, channel, spoken)
  const [first] = spoken
  const last = spoken.at(-1)
  if (!first || !last) throw new Error('a conversation has at least one message')
  const { title, text, places } = document
  return {
    path,
    fingerprint: createHash('sha256')
      .update(JSON.stringify([title, text, places]))
      .digest('hex'),
    date: dayOf(last.at),
    link: first.link,
    read: async () => document,
  }
}

function readConversation(path: string, channel: string, spoken: readonly Spoken[]): SourceDocument {
  const blocks: Block[] = []
  const places: { at: number; link: string }[] = []
  let text = ''
  let day = ''
  for (const { at, speaker, text: words, link } of spoken) {
    const start = text.length
    const today = dayOf(at)
    const time = at.toISOString().slice(11, 16)
    text += `${speaker}, ${today === day ? time : `${today} ${time}`}: ${words}\n`
    day = today
    blocks.push({ kind: 'lines', about: speaker, start, end: text.length })
    places.push({ at: start, link })
  }
  return { path, title: titleOf(channel, spoken[0]?.text ?? ''), text, blocks, places }
}

function titleOf(channel: string, words: string): string {
  const line = words
    .replace(/[`*_>]+/g, '')
    .replace(/\s+/g, ' ')
    .trim()
  const cut = line.slice(0, LONGEST_TITLE).replace(/\s\S*$/, '')
  return `#${channel}: ${line.length <= LONGEST_TITLE ? line : `${cut.toWellFormed()} …`}`
}

function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10)
}

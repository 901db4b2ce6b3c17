/** What is known from where, and since when, as far as whoever looks may know. */
import type { KnownBlock, RichTextList, RichTextSection } from '@slack/types'
import type { Message } from '../message.ts'
import { moment, rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut } from './text.ts'

/** `error` where the last reading failed and the person may know. */
export type SourceRow = {
  name: string
  documents: number
  readAt?: string | undefined
  error?: string | undefined
}

/** They stand in one block, of which a view takes few. */
const MOST = 30

export function sourcesBlock(sources: readonly SourceRow[]): KnownBlock {
  const more = sources.length - MOST
  const list: RichTextList = {
    type: 'rich_text_list',
    style: 'bullet',
    elements: [
      ...sources.slice(0, MOST).map(sourceRow),
      ...(more > 0 ? [section(text(`and ${more} more`))] : []),
    ],
  }
  return rich(list)
}

const NONE = 'There is no source that you may read.'
const WHOSE =
  'These are the sources you may read. In a channel I answer only from what everybody there may read; in a direct message, and to `/quorum ask`, from all of yours.'

export function sourcesMessage(sources: readonly SourceRow[]): Message {
  if (sources.length === 0) return { text: NONE, blocks: [rich(section(text(NONE)))] }
  const blocks = [rich(section(text(WHOSE))), sourcesBlock(sources)]
  return { text: fallbackText(blocks), blocks }
}

function sourceRow({ name, documents, readAt, error }: SourceRow): RichTextSection {
  const pages = documents === 1 ? '1 page' : `${documents} pages`
  const fresh = readAt ? [text(', as of '), moment(readAt)] : [text(', not read yet')]
  const failed = error ? [text(` · could not be read: ${flat(error)}`)] : []
  return section(text(cut(clean(name), 60), { code: true }), text(` ${pages}`), ...fresh, ...failed)
}

function flat(said: string): string {
  return cut(clean(said).replaceAll('\n', ' ').trim(), 200)
}

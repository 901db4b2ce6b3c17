/** Sharing an answer that only its asker saw: the button, the modal that says what sharing means, and what is posted. */
import type { KnownBlock, ModalView, PlainTextOption } from '@slack/types'
import type { Message } from '../message.ts'
import type { About } from '../opening.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut } from './text.ts'

/**
 * How an answer is shared. `again`: asked anew in the channel, from what everybody there may read. `as-it-is`: posted,
 * where all of it came from what everybody there may read. `confirmed`: posted although it may not have.
 */
export const WAYS = ['again', 'as-it-is', 'confirmed'] as const
export type Way = (typeof WAYS)[number]

export function shareBlock(run: string): KnownBlock {
  const label = { type: 'plain_text' as const, text: 'Share in this channel', emoji: false }
  return { type: 'actions', elements: [{ type: 'button', action_id: 'share', value: run, text: label }] }
}

/** What an answer was made of that not everybody in the channel may read: titles of pages, and whether tools told. */
export type Hidden = { pages: readonly string[]; tools: boolean }

const MOST_TITLES = 10

/** Nothing is shared before this was read. */
export function shareView(about: About, hidden: Hidden): ModalView {
  const open = hidden.pages.length === 0 && !hidden.tools
  const options: PlainTextOption[] = [
    option('again', 'Ask it again in the channel', 'Only from what everybody there may read'),
    open
      ? option('as-it-is', 'Post this answer', 'Everybody there may read what it was made from')
      : option('confirmed', 'Post this answer as it is', 'I have checked that everybody there may know it'),
  ]
  const initial = options[open ? 1 : 0]
  const meaning = open
    ? 'Everybody in the channel will read what you share. This answer was made only from pages that all of them may read.'
    : 'Everybody in the channel will read what you share. This answer may hold what others cannot read otherwise.'
  return {
    type: 'modal',
    callback_id: 'share',
    private_metadata: JSON.stringify(about),
    title: plain('Share the answer'),
    submit: plain('Share'),
    close: plain('Cancel'),
    blocks: [
      rich(section(text(meaning))),
      ...tellHidden(hidden),
      {
        type: 'input',
        block_id: 'way',
        label: plain('How'),
        element: {
          type: 'radio_buttons',
          action_id: 'value',
          options,
          ...(initial ? { initial_option: initial } : {}),
        },
      },
    ],
  }
}

function tellHidden({ pages, tools }: Hidden): KnownBlock[] {
  const lines = [
    ...pages.slice(0, MOST_TITLES).map((title) => cut(clean(title).replaceAll('\n', ' '), 100) || 'Untitled'),
    ...(pages.length > MOST_TITLES ? [`and ${pages.length - MOST_TITLES} more pages`] : []),
    ...(tools ? ['What tools told, with your accounts'] : []),
  ]
  if (lines.length === 0) return []
  const elements = lines.map((line) => section(text(line)))
  return [
    rich(section(text('Not everybody there may read:', { bold: true })), {
      type: 'rich_text_list',
      style: 'bullet',
      elements,
    }),
  ]
}

/** The message in the channel that a shared answer hangs on. */
export function sharedMessage(who: string, question: string, hidden: boolean): Message {
  const remark = hidden ? ' It may hold what not everybody here could read otherwise.' : ''
  const head = section(
    text(`${cut(clean(who), 80)} shares an answer to “${cut(clean(question).replaceAll('\n', ' '), 1000)}”.`),
    ...(remark ? [text(remark, { italic: true })] : []),
  )
  const blocks = [rich(head)]
  return { text: fallbackText(blocks), blocks }
}

function option(value: Way, label: string, description: string): PlainTextOption {
  return { value, text: plain(label), description: plain(description) }
}

function plain(words: string) {
  return { type: 'plain_text' as const, text: words, emoji: false }
}

/** A tool server wants to know something: the message that says so, and the modal it is answered in. */
import type { KnownBlock, ModalView, RichTextElement } from '@slack/types'
import { toolName } from '../../core/plan.ts'
import type { Message } from '../message.ts'
import type { Whose } from './edit.ts'
import { moment, person, rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { fieldBlocks } from './fields.ts'
import type { Form } from './form.ts'
import { clean, cut, reveal, webAddress } from './text.ts'

export type InputCard = {
  approval: string
  run: string
  /** The how-manieth time the server asks, from 1. */
  round: number
  tool: string
  asker: string
  /** What the server says, and the addresses it wants opened. */
  messages: readonly string[]
  urls: readonly string[]
  /** Until when an answer is waited for, ISO time. */
  until: string
  state: 'open' | 'given' | 'declined' | 'expired' | 'void'
}

const STATES: Record<Exclude<InputCard['state'], 'open'>, string> = {
  given: 'Answered.',
  declined: 'Declined.',
  expired: 'Nobody answered in time.',
  void: 'No longer needed.',
}

/** The message in the thread. What the server says stands in a quote; its links show where they go. */
export function inputMessage(card: InputCard): Message {
  const open = card.state === 'open'
  const head: RichTextElement[] = [
    text(toolName(card.tool, true), { code: true }),
    text(open ? ' wants to know something before it goes on. ' : ` wanted to know something. `),
    ...(open
      ? [text('May answer: '), person(card.asker), text(' · until '), moment(card.until)]
      : [text(STATES[card.state as Exclude<InputCard['state'], 'open'>], { bold: true })]),
  ]
  const said = { type: 'rich_text_quote' as const, elements: [text(sayings(card.messages))] }
  const blocks: KnownBlock[] = [rich(section(...head), said, ...card.urls.map(shownAddress))]
  if (open) blocks.push(buttons(card))
  return {
    text: fallbackText([rich(section(...head))]),
    blocks,
    metadata: { run: card.run, part: `input-${card.approval}-${card.round}` },
  }
}

/** The modal with the server's fields; with none of them, where it only wants an address opened. */
export function answerView(
  card: Pick<InputCard, 'tool' | 'messages' | 'urls'>,
  form: Form | undefined,
  whose: Whose,
): ModalView {
  const warning =
    'This goes to the tool server, and is kept with the run. Never write a password or another secret here.'
  const done = card.urls.length > 0 ? ' Send this when you have done what the page asks for.' : ''
  return {
    type: 'modal',
    callback_id: 'answer',
    private_metadata: JSON.stringify(whose),
    title: { type: 'plain_text', text: 'A tool asks' },
    submit: { type: 'plain_text', text: 'Send' },
    close: { type: 'plain_text', text: 'Cancel' },
    blocks: [
      rich(
        section(text(`${toolName(card.tool, true)} says:`)),
        { type: 'rich_text_quote', elements: [text(sayings(card.messages))] },
        ...card.urls.map(shownAddress),
        section(text(warning + done, { italic: true })),
      ),
      ...(form ? fieldBlocks(form) : []),
    ],
  }
}

function sayings(messages: readonly string[]): string {
  return cut(messages.map((one) => clean(one).trim()).join('\n'), 1500) || ' '
}

function shownAddress(url: string) {
  return { type: 'rich_text_preformatted' as const, elements: [text(cut(reveal(url), 600))] }
}

function buttons(card: InputCard): KnownBlock {
  const button = (action: string, label: string) => ({
    type: 'button' as const,
    action_id: action,
    value: card.approval,
    text: { type: 'plain_text' as const, text: label, emoji: false },
  })
  const links = card.urls.flatMap((url, i) => {
    const address = webAddress(url)
    const label = address ? cut(`Open ${new URL(address).host}`, 75) : ''
    return address ? [{ ...button('link', label), url: address, value: `${card.approval} ${i}` }] : []
  })
  return {
    type: 'actions',
    block_id: `input-${card.approval}-${card.round}`.slice(0, 255),
    elements: [
      ...links.slice(0, 5),
      button('answer', card.urls.length > 0 ? 'I have done it' : 'Answer'),
      { ...button('decline', 'Decline'), value: `${card.approval} ${card.round}` },
    ],
  }
}

/** Asking about a message: the modal, and how the question is shown where it is answered. */
import type { KnownBlock, ModalView, RichTextElement } from '@slack/types'
import type { Pointed } from '../../core/enclosed.ts'
import type { Message } from '../message.ts'
import type { About } from '../opening.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut, webAddress } from './text.ts'

/** Slack keeps so many characters with a modal. */
const HELD = 3_000
const LONGEST_QUESTION = 3_000
/** Characters of the message that are shown. */
const SHOWN = 300

/**
 * Asks what is to be known of a message, and who is to see the answer.
 * @param here whether it can be answered in the message's thread
 */
export function aboutView(pointed: Pointed, channel: string, here: boolean): ModalView {
  const blocks: KnownBlock[] = []
  if (pointed.text) blocks.push(rich(quote(pointed.text)))
  blocks.push({
    type: 'input',
    block_id: 'question',
    label: plain('Your question'),
    element: {
      type: 'plain_text_input',
      action_id: 'value',
      multiline: true,
      max_length: LONGEST_QUESTION,
      focus_on_load: true,
      placeholder: plain('What does this mean? What should we do about it?'),
    },
  })
  blocks.push(here ? whoSees() : rich(section(text(ELSEWHERE, { italic: true }))))
  return {
    type: 'modal',
    callback_id: 'ask_about',
    private_metadata: hold(pointed, channel),
    title: plain('Ask about this'),
    submit: plain('Ask'),
    close: plain('Cancel'),
    blocks,
  }
}

const ELSEWHERE = 'I am not in this conversation, so I answer you alone, in our direct messages.'

function whoSees(): KnownBlock {
  const options = [
    { value: 'thread', text: plain('Everyone here, in the thread of this message') },
    { value: 'direct', text: plain('Only I, in my direct messages with you') },
  ]
  const [initial_option] = options
  return {
    type: 'input',
    block_id: 'where',
    label: plain('Who sees the answer'),
    element: {
      type: 'radio_buttons',
      action_id: 'value',
      options,
      ...(initial_option ? { initial_option } : {}),
    },
  }
}

/** What is asked about, as far as it fits: what a message holds can be longer than what a modal keeps. */
function hold(pointed: Pointed, channel: string): string {
  const { ts, thread, from, files, responseUrl } = pointed
  const held = (most: number): string => {
    const quoted = cut(pointed.text, most)
    const about: About = {
      subject: ts,
      channel,
      thread,
      responseUrl,
      ...(quoted ? { quoted } : {}),
      ...(from ? { quotedBy: from.slice(0, 80) } : {}),
      // Slack is asked for the rest of it when it is read.
      ...(files.length > 0
        ? { files: files.slice(0, 5).map(({ id, name }) => ({ id, name: cut(name, 80) })) }
        : {}),
    }
    const json = JSON.stringify(about)
    return json.length <= HELD || most < 50 ? json : held(Math.floor(most * 0.8))
  }
  return held(2_500)
}

/**
 * How a question about a message is shown.
 * @param who    whoever asks; undefined where nobody else sees it
 * @param about.link opens the message, where it stands elsewhere
 */
export function aboutMessage(
  who: string | undefined,
  question: string,
  about: { quoted?: string | undefined; author?: string | undefined; link?: string | undefined },
): Message {
  const address = about.link ? webAddress(about.link) : undefined
  const message = about.author ? `a message of ${cut(clean(about.author), 80)}` : 'a message'
  const named: RichTextElement = address ? { type: 'link', url: address, text: message } : text(message)
  const blocks = [
    rich(
      section(
        text(who === undefined ? 'You ask about ' : `${cut(clean(who), 80)} asks about `),
        named,
        text(':'),
      ),
      ...(about.quoted ? [quote(about.quoted)] : []),
      section(text(cut(clean(question), LONGEST_QUESTION))),
    ),
  ]
  return { text: fallbackText(blocks) || ' ', blocks }
}

function quote(words: string) {
  return { type: 'rich_text_quote' as const, elements: [text(cut(clean(words), SHOWN))] }
}

function plain(words: string) {
  return { type: 'plain_text' as const, text: words, emoji: false }
}

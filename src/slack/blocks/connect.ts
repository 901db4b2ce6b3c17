/** The private sentence beside a call that needs an account, with its link. */
import type { Message } from '../message.ts'
import { rich, section, text } from './elements.ts'
import { clean, cut } from './text.ts'

/** `server` is the admin's name for it, `url` a fresh link for the one person who sees this. */
export function connectMessage(server: string, url: string): Message {
  const sentence = `To use ${cut(clean(server), 60)} I need an account of yours there. The link is for you alone and holds for ten minutes; later, press Connect in App Home.`
  return {
    text: sentence,
    blocks: [
      rich(section(text(sentence))),
      {
        type: 'actions',
        elements: [
          {
            type: 'button',
            action_id: 'link',
            url,
            style: 'primary',
            text: { type: 'plain_text', text: 'Connect', emoji: false },
          },
        ],
      },
    ],
  }
}

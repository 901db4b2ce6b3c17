/** The private sentence beside a call that needs an account, with its link. */
import type { Message } from '../message.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut } from './text.ts'

/** `server` is the admin's name for it, `url` a fresh link for the one person who sees this, `scopes` what it asks for. */
export function connectMessage(server: string, url: string, scopes: readonly string[]): Message {
  const name = cut(clean(server), 60)
  const sentence =
    scopes.length > 0
      ? `${name} asks for permissions that I do not have there: ${cut(clean(scopes.join(', ')), 500)}. Connect your account again to give them, beside those I have; the link is for you alone and holds for ten minutes.`
      : `To use ${name} I need an account of yours there. The link is for you alone and holds for ten minutes; later, press Connect in App Home.`
  return {
    text: fallbackText([rich(section(text(sentence)))]),
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

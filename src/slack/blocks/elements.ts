/** Small makers of rich text, for words that are ours. */
import type {
  KnownBlock,
  RichTextBlockElement,
  RichTextDate,
  RichTextElement,
  RichTextSection,
  RichTextText,
  RichTextUserMention,
} from '@slack/types'
import type { Opener } from '../identify.ts'

export type Style = { bold?: true; italic?: true; strike?: true; code?: true }

/** A text element; Slack refuses empty ones, so an empty text becomes a space. */
export function text(words: string, style?: Style): RichTextText {
  return { type: 'text', text: words || ' ', ...(style && Object.keys(style).length > 0 ? { style } : {}) }
}

export function section(...elements: RichTextElement[]): RichTextSection {
  return { type: 'rich_text_section', elements }
}

export function rich(...elements: RichTextBlockElement[]): KnownBlock {
  return { type: 'rich_text', elements }
}

/** A person. Only for ids the runtime vouches for: in a new message it notifies them. */
export function person(user: string): RichTextUserMention | RichTextText {
  return /^[UW][A-Z0-9]{2,}$/.test(user)
    ? { type: 'user', user_id: user }
    : text(user.replace(/[^\w. -]/g, '?'))
}

/** Several people as words: `@ana`, `@ana or @ben`. */
export function people(users: readonly string[]): RichTextElement[] {
  return users.flatMap((user, index) => {
    const gap = index === 0 ? [] : [text(index === users.length - 1 ? ' or ' : ', ')]
    return [...gap, person(user)]
  })
}

/** A moment in the reader's own time zone, to the minute or the second; `iso` must be a valid ISO date. */
export function moment(iso: string, to: 'minute' | 'second' = 'minute'): RichTextDate | RichTextText {
  const seconds = Math.floor(Date.parse(iso) / 1000)
  if (!Number.isFinite(seconds)) return text('an unknown time')
  const fallback = `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const format = to === 'minute' ? '{date_short_pretty} {time}' : '{date_short_pretty} {time_secs}'
  return { type: 'date', timestamp: seconds, format, fallback }
}

/** A duration as people say it. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

/** A line with the button that opens something at its end. */
export function openButton(line: string, action: Opener, value: string, label: string): KnownBlock {
  return {
    type: 'section',
    text: { type: 'plain_text', text: line || ' ', emoji: false },
    accessory: {
      type: 'button',
      action_id: action,
      value: value.slice(0, 2000),
      text: { type: 'plain_text', text: label, emoji: false },
    },
  }
}

/** Blocks as one plain text: what notifications show, and what stands where Slack refuses the blocks. */
import type { KnownBlock, RichTextBlockElement, RichTextElement } from '@slack/types'
import { escapeMarkup } from './text.ts'

/** Escaped text of rich text blocks; other blocks are left out. Holds no `<`, so nothing in it can ping or link. */
export function fallbackText(blocks: readonly KnownBlock[]): string {
  const lines = blocks.flatMap((block) => (block.type === 'rich_text' ? block.elements.map(elementText) : []))
  return lines.join('\n').trim()
}

function elementText(element: RichTextBlockElement): string {
  switch (element.type) {
    case 'rich_text_list':
      return element.elements.map((item) => `• ${item.elements.map(words).join('')}`).join('\n')
    case 'rich_text_preformatted':
      return `\`\`\`\n${escapeMarkup(element.elements.map((part) => noTicks(part.text ?? '')).join(''))}\n\`\`\``
    case 'rich_text_quote':
      return element.elements.map(words).join('')
    default:
      return element.elements.map(words).join('')
  }
}

function words(element: RichTextElement): string {
  switch (element.type) {
    case 'text':
      // Slack makes links of addresses in plain text, except in code.
      if (element.style?.code) return `\`${escapeMarkup(noTicks(element.text))}\``
      return escapeMarkup(noTicks(element.text).replaceAll('://', ': //'))
    case 'link':
      return element.text && !/^\[\d+\]$/.test(element.text)
        ? `${escapeMarkup(noTicks(element.text))} (${escapeMarkup(element.url)})`
        : escapeMarkup(element.text ?? element.url)
    case 'date':
      return element.fallback ?? ''
    case 'user':
      return 'someone'
    default:
      return ''
  }
}

function noTicks(text: string): string {
  return text.replaceAll('`', "'")
}

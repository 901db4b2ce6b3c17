/** Blocks as one plain text: what notifications show, and what stands where Slack refuses the blocks. */
import type { KnownBlock, RichTextBlockElement, RichTextElement } from '@slack/types'
import { columns } from './table.ts'
import { escapeMarkup } from './text.ts'

/** Escaped text of rich text blocks and tables; other blocks are left out. Holds no `<`, so nothing in it can ping or link. */
export function fallbackText(blocks: readonly KnownBlock[]): string {
  const lines = blocks.flatMap((block) => {
    if (block.type === 'rich_text') return block.elements.map(elementText)
    return block.type === 'table' || block.type === 'data_table' ? [tableText(block.rows)] : []
  })
  return lines.join('\n').trim()
}

type Rows = Extract<KnownBlock, { type: 'table' }>['rows']

/** A table's rows as columns in a block of code, in which nothing is a link. */
function tableText(rows: Rows): string {
  const cells = rows.map((row) =>
    row.map((cell) => {
      if (cell.type !== 'rich_text') return cell.text
      return cell.elements
        .flatMap((part) => ('elements' in part ? (part.elements as RichTextElement[]) : []))
        .map((part) => ('text' in part ? part.text : ''))
        .join('')
    }),
  )
  return `\`\`\`\n${escapeMarkup(noTicks(columns(cells)))}\n\`\`\``
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

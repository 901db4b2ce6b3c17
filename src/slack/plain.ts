/** A message's words as plain text: what people wrote, quoted and attached. Pure. */
import { z } from 'zod'

/** Longest text of one message, quote or file that is kept, in characters. */
const LONGEST = 40_000
const LONGEST_QUOTE = 4_000
const MOST_PARTS = 20

const text = z.string().nullish()
const Attachment = z.looseObject({
  author_name: text,
  title: text,
  text,
  fallback: text,
  fields: z.array(z.looseObject({ title: text, value: text })).nullish(),
})
const File = z.looseObject({
  mode: text,
  title: text,
  name: text,
  preview: text,
  preview_plain_text: text,
  plain_text: text,
})
/** What of a message can hold words. Anything that has another shape than we know holds none. */
export const Worded = z.looseObject({
  text,
  blocks: z.array(z.unknown()).nullish().catch(null),
  attachments: z.array(Attachment).nullish().catch(null),
  files: z.array(File).nullish().catch(null),
})
export type Worded = z.infer<typeof Worded>

/**
 * The words of a message: its text, then what it quotes or what its links unfold to, then its files' names and text.
 * A person's blocks say the same as the text; an app's (`app`) often say more.
 */
export function wordsOf(message: Worded, app: boolean): string {
  const own = plainText(message.text ?? '')
  const built = app ? plainText(wordsOfBlocks(message.blocks ?? [])) : ''
  const parts = [
    built.length > own.length ? built : own,
    ...(message.attachments ?? []).slice(0, MOST_PARTS).map(quote),
    ...(message.files ?? []).slice(0, MOST_PARTS).map(fileWords),
  ]
  return clip(parts.filter((part) => part !== '').join('\n'), LONGEST)
}

function quote(attachment: z.infer<typeof Attachment>): string {
  const { author_name, title, text, fallback, fields } = attachment
  const head = [author_name, title].filter(Boolean).join(': ')
  const body = text || (head === '' && !fields?.length ? fallback : '') || ''
  const rows = (fields ?? []).map((field) => [field.title, field.value].filter(Boolean).join(': '))
  const words = plainText([head, body, ...rows].filter(Boolean).join('\n'))
  return clip(words, LONGEST_QUOTE).replace(/^(?=.)/gm, '> ')
}

function fileWords(file: z.infer<typeof File>): string {
  if (file.mode === 'tombstone' || file.mode === 'hidden_by_limit') return ''
  const name = file.title || file.name || ''
  const inside = file.plain_text || file.preview_plain_text || file.preview || ''
  return clip([name && `[file: ${name}]`, inside].filter(Boolean).join('\n'), LONGEST_QUOTE)
}

/** Texts of blocks in their order, whatever the kinds of block: that of a `text`, or of what is nested in it. */
function wordsOfBlocks(blocks: readonly unknown[]): string {
  const lines: string[] = []
  const visit = (node: unknown, depth: number): void => {
    if (depth > 8 || lines.length > 200 || typeof node !== 'object' || node === null) return
    if (Array.isArray(node)) for (const one of node) visit(one, depth + 1)
    else {
      const { type, text, url } = node as { type?: unknown; text?: unknown; url?: unknown }
      if (type === 'button' || type === 'actions') return
      if (typeof text === 'string') lines.push(text)
      else if (type === 'link' && typeof url === 'string') lines.push(url)
      for (const [key, value] of Object.entries(node)) if (!SKIPPED.has(key)) visit(value, depth + 1)
    }
  }
  visit(blocks, 0)
  return lines.join('\n')
}

const SKIPPED = new Set(['accessory', 'alt_text', 'style', 'confirm'])

/**
 * Slack's escaped text as it reads: links as `label (address)`, dates as their words, code and emoji names as they
 * are. People, groups and channels stay tokens: who they are called is asked when the text is used.
 */
export function plainText(raw: string): string {
  return raw
    .replace(/<([@#!]?)([^<>|\n]+)(?:\|([^<>\n]*))?>/g, (_, sign: string, target: string, label?: string) => {
      if (sign === '@' || sign === '#') return `<${sign}${target}>`
      if (sign === '!') {
        if (target.startsWith('subteam^')) return `<!${target}>`
        return label || `@${target.replace(/\^.*$/, '')}`
      }
      const address = target.replace(/^mailto:/, '')
      return label && label !== address && !address.endsWith(label) ? `${label} (${address})` : address
    })
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
    .replaceAll('\0', '')
    .toWellFormed()
    .trim()
}

function clip(words: string, most: number): string {
  return words.length > most ? `${words.slice(0, most).toWellFormed()} …` : words
}

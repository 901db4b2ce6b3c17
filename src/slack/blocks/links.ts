/** Which links an answer may hold: only those that stand in what it was given to read. */
import type { RichTextElement } from '@slack/types'
import { cutCitations } from '../../core/cite.ts'
import type { Cited } from '../../core/run.ts'
import { type Style, text } from './elements.ts'
import { clean, webAddress } from './text.ts'

export type Links = {
  /** The passage an answer calls `[n]`. */
  cited(n: number): Cited | undefined
  /** The address in its normal form where it may be a link, else undefined. */
  allowed(url: string): string | undefined
  /** Numbers cited so far; the renderer adds to it. */
  used: Set<number>
}

/** Gathers every address of the passages. An address must occur whole: one that merely begins with it is not allowed. */
export function linksOf(cited: readonly Cited[]): Links {
  const addresses = new Set<string>()
  for (const passage of cited) {
    const found = passage.text.match(/https?:\/\/[^\s<>"'`()[\]{}|\\]+/gi) ?? []
    for (const url of passage.link ? [...found, passage.link] : found) {
      for (const form of [url, url.replace(/[.,;:!?*_~]+$/, '')]) {
        const address = webAddress(form)
        if (address) addresses.add(address)
      }
    }
  }
  const byNumber = new Map(cited.map((passage) => [passage.n, passage]))
  return {
    cited: (n) => byNumber.get(n),
    allowed: (url) => {
      const address = webAddress(url)
      return address && addresses.has(address) ? address : undefined
    },
    used: new Set(),
  }
}

/**
 * A link the model wrote. Allowed: a link. Otherwise its words, then the address as code, which nobody can press.
 * Words that pretend to be another address are never a link.
 */
export function linkElements(
  words: RichTextElement[],
  url: string,
  links: Links,
  style: Style,
): RichTextElement[] {
  const label = words.map((word) => ('text' in word ? word.text : '')).join('')
  const address = links.allowed(url)
  const same = label === url || webAddress(label) === webAddress(url) || label.trim() === ''
  if (address && (same || !likeAddress(label))) {
    return [
      { type: 'link', url: address, ...(same ? {} : { text: label }), ...(styled(style) ? { style } : {}) },
    ]
  }
  const shown = text(clean(url).replaceAll('\n', ' '), { ...style, code: true })
  return same ? [shown] : [...words, text(' ('), shown, text(')')]
}

/** Whether words could be read as an address: also with the dots and slashes of other scripts, which look like ours. */
function likeAddress(words: string): boolean {
  const read = words
    .normalize('NFKC')
    .replace(/[。۔‧ꓸ]/gu, '.')
    .replace(/[⁄∕⧸╱]/gu, '/')
  return /[\p{L}\p{N}\p{M}]\.\p{L}{2}|:\/\/|\d\.\d+\.\d+\.\d|\w@\w|\blocalhost\b/u.test(read)
}

function styled(style: Style): boolean {
  return Object.keys(style).length > 0
}

/** Words with their `[n]`: known ones become links to the passage (or plain where it has no address), others go. */
export function citedText(words: string, links: Links, style: Style): RichTextElement[] {
  return cutCitations(words).flatMap((piece) => {
    if ('text' in piece) return text(piece.text, style)
    const known = piece.numbers.filter((n) => links.cited(n))
    const space = known.length > 0 && piece.space ? [text(piece.space, style)] : []
    return [...space, ...known.map((n) => citation(n, links, style))]
  })
}

/** `[n]` of a known passage. */
function citation(n: number, links: Links, style: Style): RichTextElement {
  links.used.add(n)
  const link = links.cited(n)?.link
  const address = link ? webAddress(link) : undefined
  return address
    ? { type: 'link', url: address, text: `[${n}]`, ...(styled(style) ? { style } : {}) }
    : text(`[${n}]`, style)
}

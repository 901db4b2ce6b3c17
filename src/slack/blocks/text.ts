/** Text of others, made harmless: nothing hidden, nothing that Slack would read as markup. */

/** Prose from a model or a document, without characters that hide or turn round what is written. */
export function clean(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?|[\u2028\u2029]/g, '\n')
    .replace(/(?!\n|\t|\u200c|\u200d|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{DI}]/gu, '')
}

/** Exact text for a card: every character that could hide or turn round something is shown as an escape. */
export function reveal(text: string): string {
  return text
    .toWellFormed()
    .replace(/(?![\n ])[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Zs}]/gu, (character) =>
      [...character.split('')]
        .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
        .join(''),
    )
}

/** For `text` fields and mrkdwn: after this, nothing in it is a mention, a link or a channel. */
export function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** At most `most` UTF-16 units, ending in … where something is missing; never half a character. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text
  return `${text.slice(0, Math.max(0, most - 1)).replace(/[\ud800-\udbff]$/, '')}…`
}

/** A web address as browsers understand it, or undefined where it is none. */
export function webAddress(text: string): string | undefined {
  if (text.length > 2000 || !/^https?:\/\/[^\s\p{C}]+$/iu.test(text)) return undefined
  try {
    const url = new URL(text)
    return url.username || url.password ? undefined : url.href
  } catch {
    return undefined
  }
}

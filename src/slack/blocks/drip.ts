/** What a model writes, while it writes it: Markdown that Slack shows at once and that can neither ping nor link. */
import { clean } from './text.ts'

/** Stands inside what Slack would otherwise read as more than text; people do not see it. */
const GAP = '\u200b'

/**
 * Where a gap is put: into tokens of people and channels, tags and autolinks; entities; links and their
 * definitions; addresses; escapes that would give one of these; names of hosts.
 */
const TELLING =
  /<(?=[@!#/?a-z])|&(?=[#a-z])|\](?=[(:])|:(?=\/)|mailto:(?=\S)|\\(?=[/@!#.:<&\]])|(?<=[\p{L}\p{N}])[.@](?=[\p{L}\p{N}])/giu

/**
 * The same text, harmless. Of a text that grows, what it gives grows too: the beginning of a text gives the
 * beginning of what the whole gives, for a gap depends on nothing but what stands right before and behind it.
 */
export function drip(markdown: string): string {
  const whole = markdown.replace(/[\ud800-\udbff]$/, '') // Its other half is still to come.
  return clean(whole).replace(TELLING, (mark) => `${mark}${GAP}`)
}

/** The text a drip was made of, cleaned. */
export function undrip(dripped: string): string {
  return dripped.replaceAll(GAP, '')
}

/** What is said where no model can say anything: what was found, in the words of the pages. */
import type { Cited } from './run.ts'

const MOST = 3
const LONGEST = 600

/** The best passages as Markdown, each with its number, which leads to its source. */
export function tellQuotes(passages: readonly Cited[]): string {
  const best = passages.slice(0, MOST).map(({ n, title, heading, text }) => {
    const place = heading && heading !== title ? `${title}, ${heading}` : title
    const cut = text.length > LONGEST ? `${text.slice(0, LONGEST).replace(/\s+\S*$/, '')} …` : text
    return `${place} [${n}]:\n${cut.trim().replace(/^/gm, '> ')}`
  })
  return ['No model can be reached just now. This is what I found, in the words of the pages:', ...best].join(
    '\n\n',
  )
}

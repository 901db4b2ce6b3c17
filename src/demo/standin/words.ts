/** Words reduced so that they can be compared: lower case, without endings, without the ones that say nothing. */

const EMPTY = new Set(
  `a long many much often about after all also am an and any are as at be been before but by can could did do does for from get give go
  had has have he her here hers him his how i if in into is it its just let like may me more my need no not of on
  or our out please say says she should so some tell than that the their them then there these they this those to
  too up us want was we were what when where which who whom why will with would you your`.split(/\s+/),
)

/** The telling words of a text, in order, reduced; doubles stay. */
export function stems(text: string): string[] {
  const words = text
    .toLowerCase()
    .replace(/[’']s\b/g, '')
    .match(/[\p{L}\p{N}]+(?:[-_.][\p{L}\p{N}]+)*/gu)
  return (words ?? []).flatMap((word) => {
    const parts = /[-_.]/.test(word) ? [word, ...word.split(/[-_.]/)] : [word]
    return parts.filter((part) => part !== '' && !EMPTY.has(part)).map(stem)
  })
}

/** `deploys`, `deployed` and `deploying` become `deploy`; crude, but the same on both sides. */
function stem(word: string): string {
  if (word.length <= 3 || /\d/.test(word)) return word
  const base = word
    .replace(/ies$/, 'y')
    .replace(/(ss|sh|ch|x)es$/, '$1')
    .replace(/([^su])s$/, '$1')
    .replace(/(ing|ed|ment)$/, '')
  const root = base.length >= 3 ? base.replace(/([bdgklmnprt])\1$/, '$1') : word
  return root.replace(/e$/, '')
}

/** The words a text is found by: the same for what is stored and for what is asked. Pure. */

const JOINED = /[\p{L}\p{M}\p{N}]+(?:[-_./:@#+&]+[\p{L}\p{M}\p{N}]+)*/gu
const HUMP = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u
const LONGEST_WORD = 100
const LONGEST_IDENTIFIER = 40
const MOST_QUERY_WORDS = 200

const segmenter = new Intl.Segmenter('en', { granularity: 'word' })

/**
 * A text as plain lower-case words of letters and digits, in order, for an index of words.
 *
 * Identifiers are written as their parts and as one word, so that `PROJ-1234` is found by
 * `proj 1234` and, with more weight, by `PROJ1234`; the same for `client.js` and `camelCase`.
 * Scripts written without spaces are cut into words by a dictionary.
 */
export function searchText(text: string): string {
  return [...wordsOf(text)].join(' ')
}

/** The distinct words of a question, as {@link searchText} writes them; at most 200, the first ones. */
export function queryText(question: string): string {
  const words = new Set<string>()
  for (const word of wordsOf(question)) {
    words.add(word)
    if (words.size === MOST_QUERY_WORDS) break
  }
  return [...words].join(' ')
}

function* wordsOf(text: string): Generator<string> {
  for (const [joined] of text.normalize('NFKC').matchAll(JOINED)) {
    const parts = joined.split(/[-_./:@#+&]+/).flatMap((part) => part.split(HUMP))
    for (const part of parts) yield* UNSPACED.test(part) ? segment(part) : [clip(part)]
    const whole = parts.join('')
    if (parts.length > 1 && whole.length <= LONGEST_IDENTIFIER) yield clip(whole)
  }
}

function* segment(text: string): Generator<string> {
  for (const { segment, isWordLike } of segmenter.segment(text)) if (isWordLike) yield clip(segment)
}

function clip(word: string): string {
  const lower = word.toLowerCase()
  return lower.length > LONGEST_WORD ? [...lower].slice(0, LONGEST_WORD).join('') : lower
}

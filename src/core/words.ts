/** The words a text is found by: the same for what is stored and for what is asked. Pure. */

const JOINED = /[\p{L}\p{M}\p{N}]+(?:[-_./:@#+&]+[\p{L}\p{M}\p{N}]+)*/gu
const HUMP = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u
/** Scripts written without spaces: East Asian ones are cut into pairs of characters, the others by a dictionary. */
const EAST = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\u30fc'
const SOUTH = '\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}'
const UNSPACED = new RegExp(`[${EAST}${SOUTH}]`, 'u')
const RUNS = new RegExp(`(?<east>[${EAST}]+)|(?<south>[${SOUTH}\\p{M}]+)|[^${EAST}${SOUTH}]+`, 'gu')
const LONGEST_WORD = 100
const LONGEST_IDENTIFIER = 40
const MOST_QUERY_WORDS = 200
const MOST_REPEATED = 10

const segmenter = new Intl.Segmenter('en', { granularity: 'word' })

/**
 * A text as plain lower-case words of letters and digits, in order, for an index of words.
 *
 * Identifiers are written as their parts and as one word, so that `PROJ-1234` is found by
 * `proj 1234` and, with more weight, by `PROJ1234`; the same for `client.js` and `camelCase`.
 * Scripts written without spaces are cut into pairs of characters that overlap, or into words by a dictionary.
 */
export function searchText(text: string): string {
  return [...wordsOf(text)].join(' ')
}

/**
 * The words of a question, as {@link searchText} writes them. What a question says more than once it is about, so
 * repeated words stay, up to ten of each; at most 200 different ones, the first.
 */
export function queryWords(question: string): string[] {
  const times = new Map<string, number>()
  const words: string[] = []
  for (const word of wordsOf(question)) {
    const before = times.get(word) ?? 0
    if (before === MOST_REPEATED || (before === 0 && times.size === MOST_QUERY_WORDS)) continue
    times.set(word, before + 1)
    words.push(word)
  }
  return words
}

function* wordsOf(text: string): Generator<string> {
  for (const [joined] of text.normalize('NFKC').matchAll(JOINED)) {
    const parts = joined.split(/[-_./:@#+&]+/).flatMap((part) => part.split(HUMP))
    for (const part of parts) yield* UNSPACED.test(part) ? segment(part) : [clip(part)]
    const whole = parts.join('')
    if (parts.length > 1 && whole.length <= LONGEST_IDENTIFIER) yield clip(whole)
  }
}

/** A part that holds characters of scripts without spaces. */
function* segment(part: string): Generator<string> {
  for (const { 0: run, groups } of part.matchAll(RUNS)) {
    if (groups?.east) yield* pairs([...run])
    else if (groups?.south) {
      for (const { segment, isWordLike } of segmenter.segment(run)) if (isWordLike) yield clip(segment)
    } else yield clip(run)
  }
}

function* pairs(characters: string[]): Generator<string> {
  if (characters.length === 1) yield characters.join('')
  for (let at = 0; at + 1 < characters.length; at += 1) yield characters.slice(at, at + 2).join('')
}

function clip(word: string): string {
  const lower = word.toLowerCase()
  return lower.length > LONGEST_WORD ? [...lower].slice(0, LONGEST_WORD).join('') : lower
}

/** The text search configurations of PostgreSQL 15 and later, by the language (ISO 639-1) they know the stems of. */
const STEMMERS: Record<string, string> = {
  ar: 'arabic',
  ca: 'catalan',
  da: 'danish',
  de: 'german',
  el: 'greek',
  en: 'english',
  es: 'spanish',
  eu: 'basque',
  fi: 'finnish',
  fr: 'french',
  ga: 'irish',
  hi: 'hindi',
  hu: 'hungarian',
  hy: 'armenian',
  id: 'indonesian',
  it: 'italian',
  lt: 'lithuanian',
  ne: 'nepali',
  nl: 'dutch',
  no: 'norwegian',
  pt: 'portuguese',
  ro: 'romanian',
  ru: 'russian',
  sr: 'serbian',
  sv: 'swedish',
  ta: 'tamil',
  tr: 'turkish',
  yi: 'yiddish',
}

/** How words of a language are stemmed; `simple`, as they stand, where the language is unknown or has no stems. */
export function stemmerOf(language: string | undefined): string {
  return language !== undefined && Object.hasOwn(STEMMERS, language)
    ? (STEMMERS[language] ?? 'simple')
    : 'simple'
}

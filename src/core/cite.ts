/** Citations in what a model wrote. Pure. */

/** A piece of a text: words as they are, or the passages a citation names and the space before it. */
export type Piece = { text: string } | { numbers: number[]; space: string }

/** `[1]`, `[1, 2]`, `[1-3]`, `[^1]`, `【1†…】`. */
const CITATION = /( ?)(?:\[\^?(\d{1,4}(?:\s{0,3}[,;–-]\s{0,3}\d{1,4})*)\]|【(\d{1,4})(?:†[^】]{0,40})?】)/g
/** A range names at most so many passages; a longer one is of something else. */
const LONGEST_RANGE = 50

/** Takes a text apart at its citations. `list[0]` is code that forgot its backticks, `[2026-05]` a month: words. */
export function cutCitations(words: string): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  for (const match of words.matchAll(CITATION)) {
    const numbers = numbersOf(match[2] ?? match[3] ?? '')
    if (numbers.includes(0)) continue
    if (match.index > from) pieces.push({ text: words.slice(from, match.index) })
    pieces.push({ numbers, space: match[1] ?? '' })
    from = match.index + match[0].length
  }
  if (from < words.length) pieces.push({ text: words.slice(from) })
  return pieces
}

/** `1, 3-5` as 1, 3, 4, 5; with 0 in it where it is no list of passages. */
function numbersOf(list: string): number[] {
  return list.split(/\s*[,;]\s*/).flatMap((part) => {
    const [first = 0, last = first] = part.split(/\s*[–-]\s*/).map(Number)
    if (last < first || last - first >= LONGEST_RANGE) return [0]
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

/** A text whose citations name known passages only, each alone in its brackets, and which ones it names. */
export function keepKnown(text: string, known: ReadonlySet<number>): { text: string; cited: number[] } {
  const cited = new Set<number>()
  const kept = cutCitations(text).map((piece) => {
    if ('text' in piece) return piece.text
    const numbers = piece.numbers.filter((n) => known.has(n))
    for (const n of numbers) cited.add(n)
    return numbers.length === 0 ? '' : piece.space + numbers.map((n) => `[${n}]`).join('')
  })
  return { text: kept.join(''), cited: [...cited].sort((a, b) => a - b) }
}

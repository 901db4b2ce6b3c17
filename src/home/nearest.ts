/** The known word somebody probably meant. */
import { distance } from 'fastest-levenshtein'

/** The known word nearest to `word`, where it is near enough to be a slip of the fingers. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9*]/g, '')
  let best: string | undefined
  let least = word.length < 4 ? 2 : Math.max(2, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    const away = distance(plain(word), plain(candidate))
    if (away < least) {
      best = candidate
      least = away
    }
  }
  return best
}

/** `; did you mean "decision"?`, or nothing. */
export function hint(word: string, known: Iterable<string>): string {
  const meant = nearest(word, known)
  return meant === undefined || meant === word ? '' : `; did you mean "${meant}"?`
}

/** Which language a text is in. */
import { eld } from 'eld/small'

/** What a text in any of these is taken for though it is too short to be sure: teams' jargon is English. */
const LIKELY = 'en'
/** More than this says nothing new. */
const ENOUGH = 2_000

/** Other letters than ours leave so few languages that a guess is good, however short the text. */
const OTHER_LETTERS = /(?!\p{Script=Latin})\p{L}/u

/** The language of a text (ISO 639-1); undefined where it is too short, or not a language. */
export function languageOf(text: string): string | undefined {
  const found = eld.detect(text.slice(0, ENOUGH))
  const sure = found.isReliable() || found.language === LIKELY || OTHER_LETTERS.test(text.slice(0, ENOUGH))
  return found.language && sure ? found.language : undefined
}

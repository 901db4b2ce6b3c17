/** Which language a text is in. */
import { eld } from 'eld/small'

/** What a text in any of these is taken for though it is too short to be sure: teams' jargon is English. */
const LIKELY = 'en'
/** More than this says nothing new. */
const ENOUGH = 2_000

/** The language of a text (ISO 639-1); undefined where it is too short, or not a language. */
export function languageOf(text: string): string | undefined {
  const found = eld.detect(text.slice(0, ENOUGH))
  return found.language && (found.isReliable() || found.language === LIKELY) ? found.language : undefined
}

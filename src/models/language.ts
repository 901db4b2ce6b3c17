/** Which language a text is in. */
import { eld } from 'eld/small'

/** What a text in any of these is taken for though it is too short to be sure: teams' jargon is English. */
const LIKELY = 'en'
/** More than this says nothing new. */
const ENOUGH = 2_000

/** Letters of a script that is not ours; `µ` is of none. */
const OTHER_LETTERS = /(?![\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}])\p{L}/gu
/** Where so many of the letters are of another script, few languages are left: a guess is good, however short the text. */
const OTHER_SHARE = 0.25

/** The language of a text (ISO 639-1); undefined where it is too short, or not a language. */
export function languageOf(text: string): string | undefined {
  const head = text.slice(0, ENOUGH)
  const found = eld.detect(head)
  const sure = found.isReliable() || found.language === LIKELY || isOtherScript(head)
  return found.language && sure ? found.language : undefined
}

function isOtherScript(text: string): boolean {
  const others = text.match(OTHER_LETTERS)?.length ?? 0
  return others > 0 && others >= (text.match(/\p{L}/gu)?.length ?? 0) * OTHER_SHARE
}

/** What one person likes: how much of the work is shown, and the language of answers. */

/** How much is shown of the work on somebody's question, as it is kept and as people choose it. */
export const TRACES = {
  plan: 'Every step while I work',
  line: 'One line',
  none: 'Nothing but the answer, and what I must ask',
} as const
export type TraceLevel = keyof typeof TRACES

/** Languages that can be chosen, by their codes. */
const CODES =
  'ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv ms nb nl pl pt ro ru sk sl sr sv ta th tr uk ur vi zh'.split(
    ' ',
  )

/** The languages that can be chosen as they call themselves, with their English names, by code. */
export function languages(): Map<string, string> {
  return new Map(
    CODES.map((code) => {
      const own = new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code
      const english = languageName(code)
      return [code, own === english ? own : `${own} (${english})`]
    }),
  )
}

/** The English name of a language. */
export function languageName(code: string): string {
  return new Intl.DisplayNames(['en'], { type: 'language' }).of(code) ?? code
}

/** `language` is undefined where answers are in the language of the question. */
export type Preferences = { trace: TraceLevel; language?: string | undefined }

export const USUAL: Preferences = { trace: 'plan' }

/** Preferences from what was chosen; what is not among the choices is as usual. */
export function readPreferences(chosen: { trace?: unknown; language?: unknown }): Preferences {
  const { trace, language } = chosen
  const level =
    typeof trace === 'string' && Object.hasOwn(TRACES, trace) ? (trace as TraceLevel) : USUAL.trace
  return typeof language === 'string' && CODES.includes(language)
    ? { trace: level, language }
    : { trace: level }
}

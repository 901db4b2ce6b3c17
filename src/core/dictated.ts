/**
 * What a person asks for, act by act: from a verb that stands where people put what they want done, to the next one.
 * Made to find too little rather than too much: what is not found is asked about. Pure.
 */
import { isBare, kindOfVerb, sameAct, wordsOfName } from './verbs.ts'

/** One thing asked for: its verb in lower case, and the text from the verb to whatever is asked for next. */
export type Act = {
  verb: string
  text: string
  /** The text with what stands between quotation marks blotted out, character by character. */
  plain: string
  /** What stands between quotation marks. */
  quoted: string[]
  before: string
}

/** What begins with a mark that never ends is as if quoted to its end: nobody knows what of it is. */
const QUOTED = /"[^"]*"|“[^”]*(?:”|$)|(?<![\p{L}\p{N}])'[^']*'(?!\p{L})/gu
const BLOT = '■'

/**
 * What stands before a verb that asks: the beginning, the end of a clause, or words that lead to one. "Ben wants me to"
 * and "he could" lead to none: what others want is told so. Nor does a colon, after which others are cited.
 */
const LEADS =
  /(^|[.!?;,)\n*•–—]|\b(please|and|then|also|or|now|next|just|kindly|(can|could|would|will) you|you (can|could|should|must|may)|(i|we|i['’]d|we['’]d) ((want|need|like|have|would like) )(you )?to|(forget|remember|have) to|not|never)|n['’]t|<@\w+>)\s*["'(]?$/iu
const NEGATES =
  /\b(not|never|dont|without|instead of)\b(?!\s+(forget|hesitate))|n['’]t\b(?!\s+(forget|hesitate))/iu
/** How far before a verb is looked, in characters. */
const NEAR = 400
/** After these a word such as "email" or "order" names a thing. */
const AS_NOUN = /^\s+(from|of|by|in|about|on|is|was|are|were|that|which|has|have|for)\b/iu
/** Words after "and" that go on with the same act. */
const GOES_ON =
  /^(a|an|the|my|our|his|her|its|their|your|with|for|from|to|at|in|on|by|as|subject|title|titled|description|body|saying|also|until|between|who|which)$/iu
/** Beginnings of a sentence that says more of the act before it. */
const SAYS_MORE =
  /^\s{0,50}["'(]?(the|it|its|his|her|their|this|that|with|at|from|in|on|use|subject|title|body|description|amount)\b/iu

/** The acts a person asks for in a text, in its order; what they say not to do ends an act and begins none. */
export function actsOf(text: string): Act[] {
  const masked = text.replace(QUOTED, (quoted) => BLOT.repeat(quoted.length))
  const cuts: { at: number; verb: string | undefined }[] = []
  for (const { 0: word, index: at } of masked.matchAll(
    /(?<![\p{L}\p{N}_.@/-])[a-z]+(?![\p{L}\p{N}_@/]|[.-][\p{L}\p{N}])/giu,
  )) {
    const before = masked.slice(Math.max(0, at - NEAR), at)
    const verb = word.toLowerCase()
    if (isBare(verb) && LEADS.test(before)) {
      const noun = AS_NOUN.test(masked.slice(at + word.length)) && kindOfVerb(verb) === 'do'
      const clause = before.slice(before.search(/[^.!?;,\n]*$/u))
      cuts.push({ at, verb: noun || NEGATES.test(clause) ? undefined : verb })
    } else if (/\b(and|then)\s+$/iu.test(before) && /^[a-z]/.test(word) && !GOES_ON.test(word))
      cuts.push({ at, verb: undefined })
  }
  for (const { 0: end, index } of masked.matchAll(/(?<![.!?])[.!?]+(?=\s)|\n+/gu)) {
    const at = index + end.length
    if (!SAYS_MORE.test(masked.slice(at))) cuts.push({ at, verb: undefined })
  }
  cuts.sort((a, b) => a.at - b.at || (a.verb === undefined ? -1 : 1))
  return cuts.flatMap(({ at, verb }, i) => {
    const until = cuts[i + 1]?.at ?? text.length
    if (verb === undefined) return []
    const said = text.slice(at, until)
    const quoted = [...said.matchAll(QUOTED)].flatMap(([whole]) => (isOpen(whole) ? [] : whole.slice(1, -1)))
    return [
      {
        verb,
        text: said,
        plain: masked.slice(at, until),
        quoted,
        before: text.slice(cuts[i - 1]?.at ?? 0, at),
      },
    ]
  })
}

function isOpen(quoted: string): boolean {
  return quoted.startsWith('“') && !quoted.endsWith('”')
}

/** Other words for what a tool acts on. */
const THINGS: [RegExp, RegExp][] = [
  [/^(e?mails?)$/, /\be-?mail/iu],
  [/^(message|messages|dm)$/, /\b(message|dm|write|tell)\b/iu],
  [/^(event|events|calendar|meeting|appointment)$/, /\b(event|meeting|appointment|invite)/iu],
  [/^(file|files|document|doc)$/, /\b(file|document)|\w\.[a-z]{2,4}\b/iu],
  [
    /^(money|payment|transaction|funds)$/,
    /[$€£]|\b(usd|eur|gbp|dollars?|euros?|pay|transfer|payment|transaction|money|wire|refund)\b/iu,
  ],
]

/** Whether an act is the one a tool does, on the kind of thing it does it to. */
export function isActOf(tool: string, { verb, text, before }: Act): boolean {
  const words = wordsOfName(tool)
  const does = words.find((word) => kindOfVerb(word) !== undefined)
  if (does === undefined || !sameAct(does).has(verb)) return false
  if (kindOfVerb(does) === 'look') return true
  const things = words.filter(
    (word) => word !== does && word.length > 2 && !/^(for|from|the|with|into)$/.test(word),
  )
  if (things.length === 0) return true
  const said = /^\w+\s+(it|them|this|that)\b/iu.test(text) ? `${before} ${text}` : text
  const named = new Set(said.toLowerCase().match(/\p{L}+/gu))
  return things.some(
    (thing) =>
      [...named].some((word) => word === thing || word === `${thing}s` || `${word}s` === thing) ||
      THINGS.some(([of, told]) => of.test(thing) && told.test(said)),
  )
}

/** Words after which a value may begin, and before which it may end, beside those of the tool and its arguments. */
const BEGINS =
  'to with for in at from of is be as by and or on into named called titled title description subject body content message saying says text name address'.split(
    ' ',
  )
const ENDS =
  /^("|[.,;:!?)■]|$|(to|with|and|or|for|at|on|in|into|from|of|by|as|until|subject|body|title|description|saying|titled|named|called|please)\b)/u

/**
 * Whether words that stand at a place in an act are all that was said there, not a piece of more: "Ben" in "to Ben,",
 * not "payment" in "a recurring payment". A name of a file, an address or an id is whole in itself.
 */
export function isWhole(value: string, [before, after]: [string, string], names: readonly string[]): boolean {
  if (/^\S*[\d@./]\S*$/.test(value)) return true
  const lead = before.trimEnd()
  const [last = ''] = /\p{L}*$/u.exec(lead) ?? []
  const begins =
    last === '' || BEGINS.includes(last) || names.some((name) => last === name || last === `${name}s`)
  return begins && ENDS.test(after.trimStart())
}

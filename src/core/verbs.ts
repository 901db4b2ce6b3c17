/** The verbs by which tools are named and people ask, in groups that mean the same act. Pure. */

/** Acts that only look. */
const LOOK =
  'get read list search find fetch show view check count describe lookup look query browse visit retrieve inspect explain compare calculate compute convert translate validate verify preview summarize tell see display print enumerate scan detect analyze is has exists select download open load ls cat grep head stat status tree info resolve ping crawl scrape return'.split(
    ' ',
  )

/** Acts that change something; within a group one word stands for another. */
const DO = [
  'create add make new write generate draft put insert upload save store register open start init append attach',
  'send mail email message write post reply respond tell notify forward share publish announce submit tweet comment dm',
  'delete remove cancel erase drop destroy purge clear wipe trash unsubscribe revoke uninstall kick ban archive close',
  'update change edit set modify rename replace adjust correct patch move reschedule postpone shift assign mark toggle switch enable disable configure reset',
  'invite add join enroll share grant',
  'pay transfer send refund charge buy purchase order donate wire',
  'book reserve schedule plan create make set arrange',
  'run execute start stop restart deploy launch trigger call invoke kill merge push commit approve reject sync import export install',
].map((group) => group.split(' '))

const ALL_DO = new Set(DO.flat())
const ALL_LOOK = new Set(LOOK)

/** The words of a tool's name: `searchFiles`, `search_files` and `search-files` are the same two. */
export function wordsOfName(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
}

/** The base form of an English verb as titles and descriptions use it: "Returns", "Listing", "created". */
function base(word: string): string[] {
  const stems = [word, word.replace(/(ies|ied)$/, 'y'), word.replace(/(es|ed|ing|s|d)$/, '')]
  const stripped = stems[2] ?? word
  return [...stems, `${stripped}e`, stripped.replace(/(.)\1$/, '$1'), word.replace(/s$/, '')]
}

/** Whether a word is a verb that looks, one that changes, or none we know. */
export function kindOfVerb(word: string): 'look' | 'do' | undefined {
  const forms = base(word)
  if (forms.some((form) => ALL_LOOK.has(form))) return 'look'
  return forms.some((form) => ALL_DO.has(form)) ? 'do' : undefined
}

/** Every word that names the same act as this verb, itself included. */
export function sameAct(verb: string): Set<string> {
  const forms = base(verb)
  const groups = [LOOK, ...DO].filter((group) => forms.some((form) => group.includes(form)))
  return new Set([verb, ...groups.flat()])
}

/** Whether a text of a person names the act of a verb: the verb, or one that means the same, in any form. */
export function namesAct(text: string, verb: string): boolean {
  const wanted = sameAct(verb)
  const words = text.toLowerCase().match(/[a-z]+/g) ?? []
  return words.some((word) => base(word).some((form) => wanted.has(form)))
}

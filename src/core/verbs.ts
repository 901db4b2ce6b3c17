/** The verbs by which tools are named and people ask, in groups that mean the same act. Pure. */

/** Acts that only look. What may also do (`open_issue`, `resolve_ticket`, `return_order`, `download`) is not here. */
const LOOK =
  'get read list search find fetch show view check count describe lookup look query browse visit retrieve inspect explain compare calculate compute summarize see display enumerate detect analyze is has exists ls cat grep head stat status tree info crawl scrape'.split(
    ' ',
  )

/** Acts that change something; within a group one word stands for another. */
const DO = [
  'create add make new write generate draft insert',
  'put upload save store append attach write add',
  'schedule create make plan arrange add book set',
  'send mail email message write reply respond tell notify forward dm',
  'post publish announce tweet comment write submit send',
  'share grant invite',
  'delete remove erase destroy purge wipe trash uninstall',
  'cancel unsubscribe revoke delete remove',
  'remove kick ban',
  'archive close drop clear',
  'update change edit set modify rename adjust correct patch',
  'replace move reschedule postpone shift change',
  'assign mark toggle switch enable disable configure reset',
  'invite add',
  'join enroll register open start',
  'pay transfer send refund donate wire',
  'buy purchase order charge',
  'book reserve',
  'run execute stop restart deploy launch trigger call invoke kill merge push commit approve reject sync import export install init',
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

/** Whether a word is such a verb as it stands, as people ask and tools are named: `update`, not `updates`. */
export function isBare(word: string): boolean {
  return ALL_LOOK.has(word) || ALL_DO.has(word)
}

/** Every word that names the same act as this verb, itself included. */
export function sameAct(verb: string): Set<string> {
  const forms = base(verb)
  const groups = [LOOK, ...DO].filter((group) => forms.some((form) => group.includes(form)))
  return new Set([verb, ...groups.flat()])
}

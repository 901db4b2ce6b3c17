/**
 * Whether a tainted run may make a call without asking, because the requester dictated it: the act and everything that
 * is sensitive in it stand in their own words. Pure, and made so that whoever wrote what the run has read gains nothing:
 * they can choose neither the act nor a word of it.
 */
import type { CatalogueTool } from './catalogue.ts'
import type { Rule } from './rules.ts'
import { kindOfVerb, namesAct, wordsOfName } from './verbs.ts'

/**
 * @param excuse the arguments that must be literal; `literal` for those the accepted definition marks
 * @param words  the requester's own messages; what they quote in them (`>` and code blocks) is not their word
 *
 * Also where a rule names few arguments, any other one may only hold a flag, a time or nothing.
 */
export function excused(
  excuse: NonNullable<Rule['excuse']>,
  tool: Pick<CatalogueTool, 'tool' | 'sensitive' | 'inputSchema'>,
  args: unknown,
  words: readonly string[],
): boolean {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return false
  const said = words.map(ownWords).join('\n')
  if (!namesTheAct(tool.tool, said)) return false
  const named = new Set(excuse === 'literal' ? tool.sensitive : excuse)
  const known = new Set(Object.keys(Object(tool.inputSchema.properties)))
  let distinct = false
  for (const [name, value] of Object.entries(args)) {
    if (!known.has(name)) return false
    const leaves = leavesOf(value)
    if (leaves === undefined) return false
    for (const leaf of leaves) {
      const free = !named.has(name) && isFree(leaf)
      if (free || leaf === '' || leaf === null || typeof leaf === 'boolean') continue
      if (!stands(leaf, said)) return false
      distinct ||= named.has(name) && isDistinct(leaf)
    }
  }
  return distinct
}

/** The requester asks for this kind of act: to name a file to read it is not to ask that it be deleted. */
function namesTheAct(tool: string, said: string): boolean {
  const verb = wordsOfName(tool).find((word) => kindOfVerb(word) !== undefined)
  return verb !== undefined && namesAct(said, verb)
}

/** What a person wrote themselves: without lines they quote, and without code blocks. */
function ownWords(text: string): string {
  return fold(text.replace(/```[\s\S]*?(```|$)/g, ' ').replace(/^\s*>.*$/gm, ' '))
}

function fold(text: string): string {
  return text.normalize('NFC').toLowerCase().replace(/\s+/g, ' ')
}

/** The values in an argument; undefined where it holds objects, whose names a model could choose. */
function leavesOf(value: unknown): (string | number | boolean | null)[] | undefined {
  if (Array.isArray(value)) {
    const each = value.map(leavesOf)
    return each.includes(undefined) ? undefined : each.flatMap((leaves) => leaves ?? [])
  }
  if (value === null || value === undefined) return []
  return typeof value === 'object' ? undefined : [value as string | number | boolean]
}

/** Times may be worked out of what was read: they reach nobody and say nothing. */
function isFree(leaf: unknown): boolean {
  if (typeof leaf === 'boolean') return true
  return (
    typeof leaf === 'string' &&
    /^(\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?|\d{2}:\d{2}(:\d{2})?)$/.test(
      leaf,
    )
  )
}

/** Whether a value stands in the words as a whole: not inside another word, address or path. */
function stands(leaf: string | number | boolean, said: string): boolean {
  const value = fold(String(leaf)).trim()
  if (value === '' || /[\p{Cc}\p{Cf}\p{DI}]/u.test(value)) return false
  // An id of digits stands in any date: it says nothing of what the person meant.
  if (typeof leaf === 'string' && !/\p{L}/u.test(value)) return false
  for (let at = said.indexOf(value); at >= 0; at = said.indexOf(value, at + 1)) {
    const before = said.slice(0, at)
    const after = said.slice(at + value.length)
    if (
      !/[\p{L}\p{N}_]$|[\p{L}\p{N}_][.@/:+-]$|[/@\\]$/u.test(before) &&
      !/^[\p{L}\p{N}_]|^[.@/:+-][\p{L}\p{N}_]|^[/@\\]/u.test(after)
    )
      return true
  }
  return false
}

/** Whether a value can only be there because it was meant: a name, an address, a sentence; not "a" or 5. */
function isDistinct(leaf: unknown): boolean {
  return typeof leaf === 'string' && (leaf.match(/[\p{L}\p{N}]/gu) ?? []).length >= 3
}

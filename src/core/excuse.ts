/**
 * Whether a tainted run may make a call without asking, because the requester dictated it: the act and everything that
 * is sensitive in it stand in their own words. Pure, and made so that whoever wrote what the run has read gains nothing:
 * they can choose neither the act nor a word of it.
 */
import { canonical } from './canonical.ts'
import type { CatalogueTool } from './catalogue.ts'
import { type Act, actsOf, isActOf, isWhole } from './dictated.ts'
import type { Rule } from './rules.ts'
import { kindOfVerb, wordsOfName } from './verbs.ts'

type Excuse = NonNullable<Rule['excuse']>
type Tool = Pick<CatalogueTool, 'tool' | 'sensitive' | 'inputSchema'>
type Leaf = string | number | boolean | null

/** Most values in one dictated call; nobody dictates more. */
const MOST_VALUES = 200
/** How far around a value is looked, in characters. */
const NEAR = 60

/**
 * @param excuse the arguments that must be literal; `literal` for those the accepted definition marks
 * @param words  the requester's own messages; what they quote in them (`>` and code blocks) is not their word
 * @param made   arguments of the calls of this tool that the run has made: what was dictated once is done once
 *
 * One act that the requester asks for must hold them all, so that what they said of something else cannot be mixed in.
 * Also where a rule names few arguments, any other one may only hold a time, or a flag that is off or was named.
 */
export function excused(
  excuse: Excuse,
  tool: Tool,
  args: unknown,
  words: readonly string[],
  made: readonly unknown[] = [],
): boolean {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return false
  const properties = Object(tool.inputSchema.properties) as Record<string, unknown>
  const named = new Set(excuse === 'literal' ? tool.sensitive : excuse)
  const told = toTell(args, properties, named)
  if (!told?.some((one) => one.named && isDistinct(one.leaf)) || told.length > MOST_VALUES) return false
  if (made.some((before) => meansTheSame(told, toTell(Object(before), properties, named)))) return false
  return words
    .flatMap((text) => actsOf(ownWords(text)))
    .filter((act) => isActOf(tool.tool, act))
    .some((act) => holdsAll(act, told, wordsOfName(tool.tool)))
}

/**
 * Whether an act holds every value; where it changes something the call must also use all that is quoted or pointed at
 * in the act, so that nobody can make another call of the pieces of one.
 */
function holdsAll({ verb, plain, quoted }: Act, told: readonly Told[], words: readonly string[]): boolean {
  const said = fold(plain)
  const parts = quoted.map(asQuoted)
  const used = new Set(told.map(({ leaf }) => asQuoted(String(leaf))))
  if (kindOfVerb(verb) === 'do' && [...parts, ...pointed(said, told)].some((part) => !used.has(part)))
    return false
  return told.every(({ name, leaf }) => {
    if (leaf === true) return namesFlag(name, said)
    return (
      isPlain(leaf) &&
      (parts.includes(asQuoted(String(leaf))) || stands(leaf, said, [verb, ...words, ...wordsOfName(name)]))
    )
  })
}

/** What an act points at outright: addresses, names of files, long ids; numbers where the call has one to mix up. */
function pointed(said: string, told: readonly Told[]): string[] {
  const tokens = said.match(/[^\s"'(),;<>]+/gu) ?? []
  const numbers = told.some(({ leaf }) => typeof leaf === 'number')
  return tokens.map(asQuoted).filter((token) => {
    if (/@[\p{L}\p{N}]|[\p{L}\p{N}]\.\p{L}/u.test(token)) return true
    if (token.length >= 8 && /\p{L}/u.test(token) && /\d/.test(token)) return !/^[\d-]+[a-z]+$/.test(token)
    return numbers && /^\d+(\.\d+)?$/.test(token)
  })
}

/** Sentences are quoted with their full stop or without. */
function asQuoted(text: string): string {
  return fold(text)
    .trim()
    .replace(/(?<![.!?])[.!?]+$/, '')
}

type Told = { name: string; named: boolean; leaf: Leaf }

/** The values that the requester must have said; undefined where one is of a kind nobody can have said. */
function toTell(
  args: object,
  properties: Record<string, unknown>,
  named: ReadonlySet<string>,
): Told[] | undefined {
  const told: Told[] = []
  for (const [name, value] of Object.entries(args)) {
    if (!Object.hasOwn(properties, name)) return undefined
    const { default: standard } = Object(properties[name]) as { default?: unknown }
    if (standard !== undefined && canonical(standard) === canonical(value)) continue
    const leaves = leavesOf(value)
    // An empty value where it is not the usual one takes away what was there.
    if (leaves === undefined || leaves.length === 0) return undefined
    for (const leaf of leaves) {
      const isOff = leaf === false && standard !== true
      if (isOff || (!named.has(name) && isTime(leaf))) continue
      told.push({ name, named: named.has(name), leaf })
    }
  }
  return told
}

function meansTheSame(a: readonly Told[], b: readonly Told[] | undefined): boolean {
  const plain = (told: readonly Told[]) =>
    told.map(({ name, leaf }) => `${name} ${fold(String(leaf))}`).sort()
  return b === undefined || plain(a).join('\n') === plain(b).join('\n')
}

/** A flag that is on: its name was said, as "recurring" or "all day". */
function namesFlag(name: string, said: string): boolean {
  return ` ${said.replace(/[^\p{L}\p{N}]+/gu, ' ')} `.includes(` ${wordsOfName(name).join(' ')} `)
}

/** What a person wrote themselves: without lines they quote (`>>>` quotes all that follows), and without code blocks. */
function ownWords(text: string): string {
  return (
    text
      .normalize('NFC')
      .replace(/```[\s\S]*?(```|$)/g, '\n')
      .replace(/^[^\S\n]*>>>[\s\S]*/m, '\n')
      .replace(/^[^\S\n]*>.*$/gm, '\n')
      // Slack makes links of addresses.
      .replace(/\b(mailto|tel):(?=[\p{L}\p{N}+])/gu, '')
  )
}

function fold(text: string): string {
  return text.normalize('NFC').toLowerCase().replace(/\s+/g, ' ')
}

/** The values in an argument; undefined where it holds objects, whose names a model could choose. */
function leavesOf(value: unknown): Leaf[] | undefined {
  if (Array.isArray(value)) {
    const each = value.map(leavesOf)
    return each.includes(undefined) ? undefined : each.flatMap((leaves) => leaves ?? [])
  }
  if (value === undefined) return []
  return typeof value === 'object' && value !== null ? undefined : [value as Leaf]
}

/** Times may be worked out of what was read: they reach nobody and say nothing. */
function isTime(leaf: unknown): boolean {
  return (
    typeof leaf === 'string' &&
    /^(\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?|\d{2}:\d{2}(:\d{2})?)$/.test(
      leaf,
    )
  )
}

/** Whether a value is one that a person can have meant by what they wrote: no hidden characters, no id of digits. */
function isPlain(leaf: Leaf): boolean {
  const value = String(leaf ?? '').trim()
  if (value === '' || /[\p{Cc}\p{Cf}\p{DI}]/u.test(value.replaceAll('\n', ' '))) return false
  // An id of digits stands in any date: it says nothing of what the person meant.
  return typeof leaf !== 'string' || /\p{L}/u.test(value)
}

/** Whether a value stands in the words as a whole: not inside another word, address or path, nor a piece of a phrase. */
function stands(leaf: Leaf, said: string, names: readonly string[]): boolean {
  const value = fold(String(leaf)).trim()
  for (let at = said.indexOf(value); at >= 0; at = said.indexOf(value, at + 1)) {
    const before = said.slice(Math.max(0, at - NEAR), at)
    const after = said.slice(at + value.length, at + value.length + NEAR)
    if (
      !/[\p{L}\p{N}_]$|[\p{L}\p{N}_][.@/:+-]$|[/@\\]$/u.test(before) &&
      !/^[\p{L}\p{N}_]|^[.@/:+-][\p{L}\p{N}_]|^[/@\\]/u.test(after) &&
      isWhole(value, [before, after], names)
    )
      return true
  }
  return false
}

/** Whether a value can only be there because it was meant: a name, an address, a sentence; not "a" or 5. */
function isDistinct(leaf: unknown): boolean {
  return typeof leaf === 'string' && (leaf.match(/[\p{L}\p{N}]/gu) ?? []).length >= 3
}

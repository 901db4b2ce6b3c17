/**
 * What a tool probably does, told from its definition. A proposal for a person who accepts the tool, never more: what
 * cannot be told is a write.
 */
import { namesAddress } from './addresses.ts'
import type { Effect } from './rules.ts'
import { isBare, kindOfVerb, wordsOfName } from './verbs.ts'

/** A tool's definition as its server lists it. */
export type Listed = {
  name: string
  title?: string | undefined
  description?: string | undefined
  inputSchema: Record<string, unknown>
  annotations?: Record<string, unknown> | undefined
}

/** Words in a tool's name that say it asks somebody outside. */
const OUTSIDE = new Set(
  'web internet online google bing duckduckgo http url urls webpage website site crawl scrape browse visit ping'.split(
    ' ',
  ),
)
const TELLS_OUTSIDE = /\b(web|internet|online|third[- ]part(y|ies)|external (api|service|site|website)s?)\b/i

/** What a tool does besides: "and deletes", "then emails it". */
const FURTHER = /\b(?:and|then|also|or)\s+(?:then\s+|also\s+)?([a-z]+)\b(\s+(?:it|them|this|these)\b)?/gi

/** Arguments that hold a program: what it does, its tool's name does not tell. */
const PROGRAM = /^(sql|statements?|commands?|cmd|code|scripts?|cypher|graphql|mutation|program|expression)$/i

/** Words that are also things, and so stand in names of tools that look: `search_email`, `get_order`. */
const ALSO_THINGS = new Set(
  'mail email message post comment dm book order plan schedule transfer draft store call share set charge import export new mark'.split(
    ' ',
  ),
)

/** Arguments that say how much, in which form or when, not who or what. */
const HOW =
  /^(limit|offset|page(_?(size|token|number))?|cursor|per_?page|count|max(_.*)?|min(_.*)?|n|top_?k|size|sort(_.*)?|order(_?by)?|direction|format|verbose|language|locale|lang|depth|timeout.*|head|tail|dry_?run)$/i
const WHEN =
  /(^|_)(time|date|datetime|start|end|day|week|month|year|when|until|since|after|before|duration|timezone|tz|deadline|expires?)(_|$)/i

/**
 * Proposes what a tool does and which of its arguments decide who is reached, what is said or what is changed: all of
 * them, but for flags, times and what only says how much is shown.
 */
export function suggestEffect(definition: Listed): { effect: Effect; sensitive: string[] } {
  const properties = propertiesOf(definition.inputSchema)
  const sensitive = properties.filter(([name, schema]) => !isHow(name, schema)).map(([name]) => name)
  return { effect: proposeEffect(definition, properties), sensitive }
}

function proposeEffect({ name, description, annotations }: Listed, properties: Property[]): Effect {
  if (annotations?.readOnlyHint === false || annotations?.destructiveHint === true) return 'write'
  const words = wordsOfName(name)
  const told = (description ?? '').replace(/output schema[\s\S]*/i, '')
  if (properties.some(([one]) => PROGRAM.test(one)) || !looks(words, told)) return 'write'
  const outside = words.some((word) => OUTSIDE.has(word)) || annotations?.openWorldHint === true
  return outside || TELLS_OUTSIDE.test(told) || properties.some(isAddress) ? 'egress_read' : 'read'
}

/** The verb a tool's name begins with, where nothing else in it or its description changes something. */
function looks(words: readonly string[], description: string): boolean {
  const verbs = words.map((word, i) => (opensToRead(words, i) ? 'look' : kindOfVerb(word)))
  const at = verbs.findIndex((kind) => kind !== undefined)
  if (verbs.some((kind, i) => kind === 'do' && changes(words, i))) return false
  if (/^check$/.test(words[0] ?? '') && /^(in|out|off)$/.test(words[1] ?? '')) return false
  for (const [, word = '', object] of description.matchAll(FURTHER)) {
    const bare = word.toLowerCase().replace(/e?s$/, '')
    const verb = [word.toLowerCase(), bare, `${bare}e`].find(isBare)
    const does = verb !== undefined && kindOfVerb(verb) === 'do'
    if (does && (object !== undefined || !ALSO_THINGS.has(verb))) return false
  }
  const first = firstVerb(description)
  // A name whose verb comes late (`directory_tree`, `users_list`) needs a description that agrees.
  if (at === 0) return verbs[0] === 'look' && !beginsToDo(description)
  return first === 'look' && (at < 0 || verbs[at] === 'look')
}

/** To open an issue, an account or a door changes something; to open a page only looks. */
function opensToRead(words: readonly string[], i: number): boolean {
  return words[i] === 'open' && /^(nodes?|files?|pages?|documents?|links?|urls?)$/.test(words[i + 1] ?? '')
}

/** `list_add`, `view_update`, `get_or_create`: a bare verb that changes, where it is no name of a thing. */
function changes(words: readonly string[], i: number): boolean {
  const word = words[i] ?? ''
  const joined = /^(and|or|then)$/.test(words[i - 1] ?? '')
  return joined || (isBare(word) && !ALSO_THINGS.has(word))
}

function firstVerb(description: string): 'look' | 'do' | undefined {
  const [word = ''] = /[A-Za-z]+/.exec(description) ?? []
  return /^(return|open|download|load)s?$/i.test(word) ? 'look' : kindOfVerb(word.toLowerCase())
}

/** "Permanently deletes …", "Use this tool to send …": a verb that changes comes before any that looks. */
function beginsToDo(description: string): boolean {
  const words = description.toLowerCase().match(/[a-z]+/g) ?? []
  const isNeutral = (word: string) => /^(return|open)s?$/.test(word)
  const verb = words.slice(0, 5).find((word) => kindOfVerb(word) !== undefined || isNeutral(word))
  return verb !== undefined && !isNeutral(verb) && kindOfVerb(verb) === 'do'
}

type Property = [string, Record<string, unknown>]

function propertiesOf(schema: Record<string, unknown>): Property[] {
  const { properties } = schema
  if (typeof properties !== 'object' || properties === null) return []
  return Object.entries(properties).map(([name, one]) => [
    name,
    typeof one === 'object' && one !== null ? (one as Record<string, unknown>) : {},
  ])
}

/** Whether an argument, or a member of one, holds an address. */
function isAddress([name, schema]: Property): boolean {
  const { format, description, items } = schema
  if (namesAddress(name) || /^(uri|url|hostname|iri)/.test(String(format ?? ''))) return true
  if (/\b(urls?|uris?|web ?address|host ?name)\b/i.test(String(description ?? ''))) return true
  const inside = typeof items === 'object' && items !== null ? (items as Record<string, unknown>) : schema
  return (inside !== schema && isAddress(['', inside])) || propertiesOf(inside).some(isAddress)
}

function isHow(name: string, schema: Record<string, unknown>): boolean {
  const plain = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2')
  if (schema.type === 'boolean' || HOW.test(plain)) return true
  return WHEN.test(plain) || /^(date|time|date-time|duration)$/.test(String(schema.format ?? ''))
}

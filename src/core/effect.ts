/**
 * What a tool probably does, told from its definition. A proposal for a person who accepts the tool, never more: what
 * cannot be told is a write.
 */
import { namesAddress } from './addresses.ts'
import type { Effect } from './rules.ts'
import { kindOfVerb, wordsOfName } from './verbs.ts'

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
  'web internet online google bing duckduckgo http url urls webpage website site'.split(' '),
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
  if (!looks(words, description ?? '')) return 'write'
  const outside = words.some((word) => OUTSIDE.has(word)) || annotations?.openWorldHint === true
  return outside || properties.some(isAddress) ? 'egress_read' : 'read'
}

/** The verb a tool's name begins with; where it has none, its description's. */
function looks(words: readonly string[], description: string): boolean {
  const verbs = words.map((word) => kindOfVerb(word))
  const at = verbs.findIndex((kind) => kind !== undefined)
  // `get_or_create` and `search_and_replace` change something.
  const joined = words.some((word, i) => (word === 'and' || word === 'or') && verbs[i + 1] === 'do')
  if (joined) return false
  const first = firstVerb(description)
  // A name whose verb comes late (`directory_tree`, `users_list`) needs a description that agrees.
  if (at === 0) return verbs[0] === 'look'
  return first === 'look' && (at < 0 || verbs[at] === 'look')
}

function firstVerb(description: string): 'look' | 'do' | undefined {
  const [word = ''] = /[A-Za-z]+/.exec(description) ?? []
  return kindOfVerb(word.toLowerCase())
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

function isAddress([name, schema]: Property): boolean {
  return namesAddress(name) || /^(uri|url|hostname|iri)$/.test(String(schema.format ?? ''))
}

function isHow(name: string, schema: Record<string, unknown>): boolean {
  const plain = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2')
  if (schema.type === 'boolean' || HOW.test(plain)) return true
  return WHEN.test(plain) || /^(date|time|date-time|duration)$/.test(String(schema.format ?? ''))
}

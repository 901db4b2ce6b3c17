/** How far the tool servers of a home may reach, and how much of ours they may take, by the rules of policy.yaml. */
import { hostFits } from './addresses.ts'
import { matches } from './pattern.ts'
import type { Policy, Rule } from './rules.ts'

/** Bounds of one server; what is left out is bounded by the runtime alone. Those of a call: see `limitsFor` of policy.ts. */
export type Limits = {
  /** How many tools of the server are taken. */
  tools?: number
  /** Calls at once. */
  atOnce?: number
}

/** What one server may reach, see and take. */
export type Reach = {
  /** The only hosts it may be reached at, each as a rule writes it; any public one where no rule names some. */
  egress?: string[]
  /** The only environment variables its process may see; those of mcp.json where no rule names some. */
  env?: string[]
  limits: Limits
}

/**
 * The reach of a server: by the rules for the whole workspace whose pattern covers every tool it could have
 * (`server__*`, `*`) and which speak of every call. Where several name hosts or variables only what all of them
 * name is left, and of limits the smallest holds.
 */
export function reachOf(policy: Policy, server: string): Reach {
  const rules = unconditional(policy).flatMap(([pattern, rule]) => (covers(pattern, server) ? [rule] : []))
  const egress = common(
    rules.map((rule) => rule.egress),
    narrower,
  )
  const env = common(
    rules.map((rule) => rule.env),
    (a, b) => (a === b ? a : undefined),
  )
  return { ...(egress && { egress }), ...(env && { env }), limits: smallest(rules) }
}

function unconditional(policy: Policy): [string, Rule][] {
  return Object.entries(policy.tools).flatMap(([pattern, rules]) =>
    rules.filter((rule) => !rule.when).map((rule): [string, Rule] => [pattern, rule]),
  )
}

/** Whether a pattern fits every name that begins with `server__`. */
function covers(pattern: string, server: string): boolean {
  if (!pattern.endsWith('*')) return false
  // A name that shares no letter with any pattern: what fits it by the stars alone fits every name.
  return matches(pattern, `${server}__\0`)
}

/** What every list names, as narrow as the narrowest of them; undefined where no list is there. */
function common(
  lists: (string[] | undefined)[],
  meet: (a: string, b: string) => string | undefined,
): string[] | undefined {
  const given = lists.filter((list) => list !== undefined)
  const [first, ...rest] = given
  if (!first) return undefined
  const left = rest.reduce(
    (known, list) => known.flatMap((a) => list.flatMap((b) => meet(a, b) ?? [])),
    first,
  )
  return [...new Set(left)].sort()
}

/** The hosts that two entries both name, as one entry. */
function narrower(a: string, b: string): string | undefined {
  const [hostA = '', portA] = a.split(':')
  const [hostB = '', portB] = b.split(':')
  if (portA !== undefined && portB !== undefined && portA !== portB) return undefined
  const port = portA ?? portB
  const named = (inner: string, outer: string) => hostFits(outer, { host: inner, port: undefined })
  const host = named(hostA, hostB) ? hostA : named(hostB, hostA) ? hostB : undefined
  return host && (port === undefined ? host : `${host}:${port}`)
}

/** The smallest of the numbers that are given; undefined where none is. */
export function least(values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value) => value !== undefined)
  return given.length > 0 ? Math.min(...given) : undefined
}

function smallest(rules: Rule[]): Limits {
  const tools = least(rules.map(({ limits }) => limits?.tools))
  const atOnce = least(rules.map(({ limits }) => limits?.at_once))
  return { ...(tools !== undefined && { tools }), ...(atOnce !== undefined && { atOnce }) }
}

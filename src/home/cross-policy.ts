/** What policy.yaml says of tools, held against the tools that were accepted: a rule that does nothing is an error. */
import type { Agent } from '../core/home.ts'
import type { Lock, Pin } from '../core/lock.ts'
import { matches } from '../core/pattern.ts'
import type { Policy, Rule, Rules } from '../core/rules.ts'
import { hint } from './nearest.ts'
import type { Path } from './placed.ts'

type Finding = { path: Path; what: string | undefined }

/**
 * Every rule that can never do what it says. `unmatched` tells of a pattern that names no server of mcp.json; with a
 * lock, a rule must also match a tool that was accepted, and speak only of arguments that one of these has.
 */
export function* checkRules(
  files: { policy: Policy | undefined; lock?: Lock | undefined; agents: Agent[] },
  unmatched: (pattern: string) => string | undefined,
): Generator<Finding> {
  const { policy, lock, agents } = files
  if (!policy) return
  const tools = lock && acceptedOf(lock)
  for (const { path, rules } of layersOf(policy)) {
    for (const [pattern, list] of Object.entries(rules)) {
      const at = [...path, pattern]
      const nowhere = unmatched(pattern)
      yield { path: at, what: nowhere }
      if (nowhere !== undefined) continue
      const matched = tools?.filter((tool) => speaksOf(pattern, tool))
      if (tools && matched?.length === 0) yield { path: at, what: unaccepted(pattern, tools) }
      for (const rule of list) yield* checkRule(rule, at, matched)
    }
  }
  const names = agents.map(({ name }) => name)
  for (const name of Object.keys(policy.agents)) {
    if (!names.includes(name))
      yield { path: ['agents', name], what: `there is no agent "${name}"${hint(name, names)}` }
  }
}

function layersOf(policy: Policy): { path: Path; rules: Rules }[] {
  const below = (key: 'channels' | 'agents') =>
    Object.entries(policy[key]).map(([name, layer]) => ({ path: [key, name, 'tools'], rules: layer.tools }))
  return [{ path: ['tools'], rules: policy.tools }, ...below('channels'), ...below('agents')]
}

/** `name` is `server__tool`, whole. */
type AcceptedTool = { name: string; pin: Pin }

function acceptedOf(lock: Lock): AcceptedTool[] {
  return Object.entries(lock.servers).flatMap(([server, { tools }]) =>
    Object.entries(tools).map(([tool, pin]) => ({
      name: `${server}__${tool}`,
      pin,
    })),
  )
}

/** A pattern may give the whole name or the one that is shown: no dots, and the tail of a long one is a hash. */
function speaksOf(pattern: string, { name }: AcceptedTool): boolean {
  const shown = name.replaceAll('.', '_')
  const long = name.length > 64 && pattern.startsWith(shown.slice(0, 55))
  return long || matches(pattern, name) || matches(pattern, shown)
}

function unaccepted(pattern: string, tools: readonly AcceptedTool[]): string {
  const names = tools.map(({ name }) => name)
  return `"${pattern}" matches no tool that was accepted${hint(pattern, names)}; \`quorum tools list\` shows them`
}

function* checkRule(rule: Rule, at: Path, matched: readonly AcceptedTool[] | undefined): Generator<Finding> {
  yield { path: at, what: unsatisfiable(rule) }
  if (!matched || matched.length === 0) return
  const known = [
    ...new Set(matched.flatMap(({ pin }) => Object.keys(Object(pin.definition.inputSchema.properties)))),
  ]
  const named = [
    ...Object.keys(rule.when ?? {}).map((path) => path.split('.')[0] ?? path),
    ...(Array.isArray(rule.excuse) ? rule.excuse : []),
  ]
  for (const name of new Set(named)) {
    if (known.includes(name)) continue
    yield { path: at, what: `no tool it matches has an argument "${name}"${hint(name, known)}` }
  }
}

/** Why nobody could ever approve by this rule alone; a group may have any number of members. */
function unsatisfiable({ approvers, need = 1, self_approve }: Rule): string | undefined {
  if (!approvers || approvers.some((who) => who.startsWith('S'))) return undefined
  const named = new Set(approvers)
  if (named.size < need) return `it needs ${need} approvals and names ${named.size} who may approve`
  if (self_approve !== false || !named.delete('requester') || named.size >= need) return undefined
  return named.size === 0
    ? 'only the requester may approve, and "self_approve" says they may not'
    : `it needs ${need} approvals and names ${named.size} who may approve beside the requester, who may not`
}

/** Who may approve what: the pure judgement of one tool call by the rules of policy.yaml. */
import type { CatalogueTool } from './catalogue.ts'
import type { Policy } from './home.ts'

type Verdict = 'allow' | 'ask' | 'deny'

/** `approvers` are Slack user ids, or the word `requester`; empty unless the verdict is `ask`. */
export type Judgement = { verdict: Verdict; why: string; approvers: string[]; expiresMs: number }

/** How long an approval waits where no rule says. */
export const DEFAULT_EXPIRES_MS = 8 * 3_600_000
const LONGEST_MS = 30 * 86_400_000
const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

type Rule = Policy['tools'][string] & { pattern: string }

/**
 * Judges a call. Every rule whose pattern matches counts, and the most restrictive one wins, so neither the
 * order of rules nor a further rule can loosen anything: `deny` beats `ask` beats `allow`; where several
 * rules ask, whoever approves must satisfy each that names approvers, and the shortest expiry holds.
 * Without a matching rule the call is asked about, and the requester may approve.
 *
 * @param tool a pattern may match either `name` (what the model sees) or the full `server__tool`
 * @param asker the Slack user id of whoever asked
 */
export function judge(
  policy: Policy,
  tool: Pick<CatalogueTool, 'name' | 'server'> & { tool?: string },
  asker: string,
): Judgement {
  const names = tool.tool === undefined ? [tool.name] : [tool.name, `${tool.server}__${tool.tool}`]
  const rules = Object.entries(policy.tools)
    .map(([pattern, rule]): Rule => ({ ...rule, pattern }))
    .filter((rule) => names.some((name) => matches(rule.pattern, name)))
    .sort((a, b) => (a.pattern < b.pattern ? -1 : 1))
  const asks = rules.filter((rule) => rule.decision === 'ask')
  const expiresMs = Math.min(...asks.map((rule) => lifetime(rule.expires)), LONGEST_MS)
  const verdict = (v: Verdict, why: string, approvers: string[] = []): Judgement => ({
    verdict: v,
    why,
    approvers,
    expiresMs: asks.some((rule) => rule.expires) ? expiresMs : DEFAULT_EXPIRES_MS,
  })

  const denies = rules.filter((rule) => rule.decision === 'deny')
  if (denies.length > 0) return verdict('deny', `The policy denies it: ${quoted(denies)}.`)
  if (rules.length > 0 && asks.length === 0)
    return verdict('allow', `The policy allows it: ${quoted(rules)}.`)
  const approvers = meet(asks, asker)
  if (approvers.length === 0) {
    return verdict('deny', `Nobody satisfies all the rules that ask: ${quoted(asks)}.`)
  }
  return verdict(
    'ask',
    asks.length > 0
      ? `The policy asks first: ${quoted(asks)}.`
      : 'No rule of the policy names it, so it asks first.',
    approvers,
  )
}

/** Whether a person may approve or deny a call that `asker` asked for. */
export function mayApprove(approvers: string[], asker: string, person: string): boolean {
  return approvers.some((who) => (who === 'requester' ? asker : who) === person)
}

/** Whether a name fits a pattern in which `*` stands for any characters, none included. Linear time. */
export function matches(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return name === pattern
  if (!name.startsWith(first)) return false
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}

/** The approvers every rule with approvers agrees on; `requester` where none names any. */
function meet(asks: Rule[], asker: string): string[] {
  const lists = asks.flatMap((rule) => (rule.approvers ? [rule.approvers] : []))
  if (lists.length === 0) return ['requester']
  const resolved = lists.map((list) => new Set(list.map((who) => (who === 'requester' ? asker : who))))
  const people = [...(resolved[0] ?? [])].filter((who) => resolved.every((set) => set.has(who)))
  const worded = lists.some((list) => list.includes('requester'))
  return people.map((who) => (worded && who === asker ? 'requester' : who)).sort()
}

function lifetime(expires: string | undefined): number {
  if (expires === undefined) return LONGEST_MS
  const unit = UNIT_MS[expires.slice(-1) as keyof typeof UNIT_MS]
  return Math.min(Number.parseInt(expires, 10) * unit, LONGEST_MS)
}

function quoted(rules: Rule[]): string {
  return rules.map((rule) => `"${rule.pattern}"`).join(', ')
}

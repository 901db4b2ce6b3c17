/** Who may approve what: the pure judgement of one tool call by the rules of policy.yaml. */
import type { CatalogueTool } from './catalogue.ts'
import type { Effect, Output, Policy, Rule } from './rules.ts'
import type { Taint } from './taint.ts'

/** A call to be judged, and where it comes from. */
export type Question = {
  tool: CatalogueTool
  args: unknown
  /** The Slack user id of whoever asked. */
  asker: string
  channel: string
  agent: string
  /** What the run has read that others wrote. */
  taint: readonly Taint[]
  /** The requester's own messages to this run. */
  words: readonly string[]
}

/** One thing that took part in a judgement, for `quorum policy explain`. */
export type Part = {
  layer: 'workspace' | 'channel' | 'agent' | 'lock' | 'hints' | 'taint' | 'default'
  /** The rule's pattern, or a name for what is no rule. */
  name: string
  /** What it says, in a few words. */
  says: string
}

export type Judgement = {
  verdict: 'allow' | 'ask' | 'deny'
  /** One sentence for people and for the model. */
  why: string
  effect: Effect
  output: Output
  /** Whoever approves must stand in each list: user ids, user group ids (S…), or `requester`. Empty unless asked. */
  approvers: string[][]
  /** How many different people must approve. */
  need: number
  /** Whether whoever asked may be one of them. */
  selfApprove: boolean
  expiresMs: number
  remember?: { scope: 'thread' | 'user'; ttlMs: number }
  limits: { timeoutMs?: number; resultBytes?: number; calls?: number }
  parts: Part[]
}

/** How long an approval waits where no rule says. */
export const DEFAULT_EXPIRES_MS = 8 * 3_600_000
const LONGEST_MS = 30 * 86_400_000
const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

type Matched = Rule & { pattern: string }

/**
 * Judges a call. Every rule whose pattern matches counts, and the most restrictive one wins, so neither the
 * order of rules nor a further rule can loosen anything: `deny` beats `ask` beats `allow`; where several
 * rules ask, whoever approves must satisfy each that names approvers, and the shortest expiry holds.
 * Without a matching rule the call is asked about, and the requester may approve.
 */
export function judge(policy: Policy, question: Question): Judgement {
  const { tool } = question
  const names = [tool.name, `${tool.server}__${tool.tool}`]
  const rules = Object.entries(policy.tools)
    .flatMap(([pattern, list]) => list.map((rule): Matched => ({ ...rule, pattern })))
    .filter((rule) => names.some((name) => matches(rule.pattern, name)))
    .sort((a, b) => (a.pattern < b.pattern ? -1 : 1))
  const asks = rules.filter((rule) => rule.decision === 'ask')
  const expiresMs = Math.min(...asks.map((rule) => lifetime(rule.expires)), LONGEST_MS)
  const verdict = (v: Judgement['verdict'], why: string, approvers: string[][] = []): Judgement => ({
    verdict: v,
    why,
    effect: tool.effect,
    output: 'untrusted',
    approvers,
    need: Math.max(1, ...asks.map((rule) => rule.need ?? 1)),
    selfApprove: asks.every((rule) => rule.self_approve !== false),
    expiresMs: asks.some((rule) => rule.expires) ? expiresMs : DEFAULT_EXPIRES_MS,
    ...rememberedBy(asks),
    limits: {},
    parts: [],
  })

  const denies = rules.filter((rule) => rule.decision === 'deny')
  if (denies.length > 0) return verdict('deny', `The policy denies it: ${quoted(denies)}.`)
  if (asks.length === 0 && rules.some((rule) => rule.decision === 'allow'))
    return verdict('allow', `The policy allows it: ${quoted(rules)}.`)
  const lists = asks.flatMap((rule) => (rule.approvers ? [rule.approvers] : []))
  return verdict(
    'ask',
    asks.length > 0
      ? `The policy asks first: ${quoted(asks)}.`
      : 'No rule of the policy names it, so it asks first.',
    lists.length > 0 ? lists : [['requester']],
  )
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

function lifetime(expires: string | undefined): number {
  if (expires === undefined) return LONGEST_MS
  const unit = UNIT_MS[expires.slice(-1) as keyof typeof UNIT_MS]
  return Math.min(Number.parseInt(expires, 10) * unit, LONGEST_MS)
}

/** An approval is remembered only where every rule that asks says so, for the shortest time. */
function rememberedBy(asks: Matched[]): Pick<Judgement, 'remember'> {
  const all = asks.map((rule) => rule.remember)
  const [first] = all
  if (!first || all.some((one) => one?.scope !== first.scope)) return {}
  const ttlMs = Math.min(...all.map((one) => lifetime(one?.ttl)))
  return { remember: { scope: first.scope, ttlMs } }
}

function quoted(rules: Matched[]): string {
  return rules.map((rule) => `"${rule.pattern}"`).join(', ')
}

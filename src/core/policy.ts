/** Who may approve what: the pure judgement of one tool call by the rules of policy.yaml. */
import { type Address, addressesIn, withinHosts } from './addresses.ts'
import type { CatalogueTool, Hints } from './catalogue.ts'
import { holds } from './condition.ts'
import { excused } from './excuse.ts'
import { matches } from './pattern.ts'
import { least } from './reach.ts'
import { type Effect, lifetime, type Output, type Policy, type Rule, type Rules } from './rules.ts'
import { type Taint, tellTaint } from './taint.ts'

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
  /** The arguments of the calls of this tool that the run has made. */
  made?: readonly unknown[]
  /** Whether people of other organisations can read the thread: a Slack Connect channel. */
  outside?: boolean | undefined
}

/** One thing that took part in a judgement, for `quorum policy explain`. */
export type Part = {
  layer: 'workspace' | 'channel' | 'agent' | 'lock' | 'hints' | 'taint' | 'connect' | 'default'
  /** The rule's pattern, or a name for what is no rule. */
  name: string
  /** What it says, in a few words. */
  says: string
}

export type Judgement = {
  verdict: 'allow' | 'ask' | 'deny'
  /** One sentence for people and for the model. */
  why: string
  /** What the call does and why it is asked about, in words for the card. */
  risk: string
  effect: Effect
  output: Output
  /** Whoever approves must stand in each list: user ids, user group ids (S…), or `requester`. Empty unless asked. */
  approvers: string[][]
  /** How many different people must approve. */
  need: number
  /** Whether whoever asked may be one of them. */
  selfApprove: boolean
  expiresMs: number
  /** For how long, and for whom, an approval also holds for the same call again. */
  remember?: { scope: 'thread' | 'user'; ttlMs: number }
  limits: { timeoutMs?: number; resultBytes?: number; calls?: number }
  parts: Part[]
}

/** How long an approval waits where no rule says. */
export const DEFAULT_EXPIRES_MS = 8 * 3_600_000

/** A rule that speaks of the call. */
type Matched = Rule & { pattern: string; layer: Part['layer'] }

/**
 * Judges a call. The rules of all layers (workspace, channel, agent) whose pattern matches count together, and the most
 * restrictive one wins, so neither the order of rules nor a further rule or layer can loosen anything: `deny` beats
 * `ask` beats `allow`; where several rules ask, whoever approves must satisfy each that names approvers, and the
 * shortest expiry holds. Without a rule that decides, the call is asked about and the requester may approve. Where people
 * of other organisations can read, a call is denied unless some rule lets it be made there and none forbids that.
 *
 * A run that has read what others wrote asks before a write and before a read from an address, whatever rules allow,
 * except where a rule excuses calls whose sensitive arguments stand literally in the requester's own words.
 */
export function judge(policy: Policy, question: Question): Judgement {
  const { tool, args } = question
  const rules = rulesFor(policy, question)
  const effect = effectOf(tool, rules)
  const decided = decisionOf(rules)
  const far = addressesIn(args).find((one) => outOfReach(one, rules))
  const tainted = effect !== 'read' && question.taint.length > 0
  const excuse = tainted && decided === 'allow' && isExcused(rules, question)
  const asks = decided === 'ask' || (tainted && !excuse && decided === 'allow')
  const terms = termsOf(rules, question.asker)
  const impossible = asks ? impossibleTerms(terms, question.asker) : undefined
  const withheld = question.outside === true && !letOutside(rules)
  const denied = decided === 'deny' || far || withheld || impossible
  const verdict = denied ? 'deny' : asks ? 'ask' : 'allow'

  const why = far
    ? `The policy does not let it reach ${far.host}.`
    : withheld && decided !== 'deny'
      ? WITHHELD
      : (impossible ?? whyOf(verdict, decided, rules))
  const remember = asks ? rememberOf(rules) : undefined
  return {
    verdict,
    why,
    risk: riskOf(effect, decided, rules, question.taint),
    effect,
    output: outputOf(rules),
    ...terms,
    approvers: verdict === 'ask' ? terms.approvers : [],
    expiresMs: expiryOf(rules),
    ...(remember ? { remember } : {}),
    limits: limitsOf(rules),
    parts: [
      ...rules.map((rule): Part => ({ layer: rule.layer, name: rule.pattern, says: tellRule(rule) })),
      ...otherParts(tool, question, { decided, tainted, excuse }),
      ...(question.outside ? [outsidePart(withheld)] : []),
    ],
  }
}

/**
 * Whether a tool is offered at all where people of other organisations can read: some rule must let it, and none that
 * holds whatever the arguments are may forbid it. What a call is then answered `judge` says.
 */
export function offeredOutside(policy: Policy, tool: CatalogueTool, run: Where): boolean {
  const rules = layersOf(policy, run).flatMap(({ rules, layer }) => matching(rules, layer, tool))
  return letOutside(rules.filter((rule) => rule.when === undefined || rule.connect === 'allow'))
}

/** Why a tool is not used in a channel that is shared with other organisations. */
export const WITHHELD =
  'People of another organisation can read here, and no rule of the policy lets it be used there (connect: allow).'

function letOutside(rules: readonly Rule[]): boolean {
  const said = rules.flatMap((rule) => rule.connect ?? [])
  return said.length > 0 && said.every((one) => one === 'allow')
}

function outsidePart(withheld: boolean): Part {
  const says = withheld ? 'withheld: no rule says connect: allow, or one says deny' : 'let be used there'
  return { layer: 'connect', name: 'others can read here', says }
}

/** Whose words a tool returns, for a run: only rules that hold whatever the arguments are can make it trusted. */
export function outputFor(policy: Policy, tool: CatalogueTool, run: Where): Output {
  const rules = layersOf(policy, run).flatMap(({ rules, layer }) => matching(rules, layer, tool))
  return outputOf(rules.filter((rule) => rule.when === undefined || rule.output === 'untrusted'))
}

/** How long a call of a run may be silent and how much it may return, by the rules of every layer. */
export function limitsFor(
  policy: Policy,
  tool: CatalogueTool,
  run: Where,
): Pick<Judgement['limits'], 'timeoutMs' | 'resultBytes'> {
  const rules = layersOf(policy, run).flatMap(({ rules, layer }) => matching(rules, layer, tool))
  const { calls: _, ...limits } = limitsOf(rules)
  return limits
}

/** Where a run takes place. */
type Where = Pick<Question, 'channel' | 'agent'>

/** All rules that speak of the call, in an order that does not depend on the file's. */
function rulesFor(policy: Policy, question: Question): Matched[] {
  return layersOf(policy, question)
    .flatMap(({ rules, layer }) => matching(rules, layer, question.tool))
    .filter((rule) => speaks(rule, question.args))
    .sort((a, b) => compare(a.pattern, b.pattern) || compare(a.layer, b.layer))
}

function layersOf(policy: Policy, { channel, agent }: { channel?: string; agent?: string }) {
  const layers: { layer: Part['layer']; rules: Rules }[] = [{ layer: 'workspace', rules: policy.tools }]
  const inChannel = channel !== undefined && own(policy.channels, channel)
  if (inChannel) layers.push({ layer: 'channel', rules: inChannel.tools })
  const ofAgent = agent !== undefined && own(policy.agents, agent)
  if (ofAgent) layers.push({ layer: 'agent', rules: ofAgent.tools })
  return layers
}

function own<V>(record: Record<string, V>, key: string): V | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

function matching(
  rules: Rules,
  layer: Part['layer'],
  tool: Pick<CatalogueTool, 'name' | 'server' | 'tool'>,
): Matched[] {
  const names = [tool.name, `${tool.server}__${tool.tool}`]
  return Object.entries(rules)
    .filter(([pattern]) => names.some((name) => matches(pattern, name)))
    .flatMap(([pattern, list]) => list.map((rule): Matched => ({ ...rule, pattern, layer })))
}

/**
 * Whether a rule's conditions hold. What cannot be told of the arguments tightens: a rule that allows is then silent,
 * any other rule speaks.
 */
function speaks(rule: Rule, args: unknown): boolean {
  const all = Object.entries(rule.when ?? {}).map(([path, condition]) => holds(condition, path, args))
  if (all.includes('no')) return false
  return !all.includes('unclear') || rule.decision !== 'allow'
}

function decisionOf(rules: readonly Matched[]): 'allow' | 'ask' | 'deny' {
  const said = new Set(rules.map((rule) => rule.decision))
  if (said.has('deny')) return 'deny'
  return said.has('ask') || !said.has('allow') ? 'ask' : 'allow'
}

const HARM: readonly Effect[] = ['read', 'egress_read', 'write']

function effectOf(tool: CatalogueTool, rules: readonly Matched[]): Effect {
  const said = [tool.effect, hinted(tool.hints), ...rules.flatMap((rule) => rule.effect ?? [])]
  return HARM[Math.max(...said.map((one) => HARM.indexOf(one)))] ?? 'write'
}

/** What a server's claims make of a tool at least. That it only reads is not believed. */
function hinted(hints: Hints): Effect {
  if (hints.readOnlyHint === false || hints.destructiveHint === true) return 'write'
  return hints.openWorldHint === true ? 'egress_read' : 'read'
}

function outputOf(rules: readonly Matched[]): Output {
  const said = rules.flatMap((rule) => rule.output ?? [])
  return said.length > 0 && said.every((one) => one === 'trusted') ? 'trusted' : 'untrusted'
}

function outOfReach(address: Address, rules: readonly Matched[]): boolean {
  return rules.some((rule) => rule.egress && !withinHosts(address, rule.egress))
}

/** Every rule that allows must excuse the call, by what each names. */
function isExcused(rules: readonly Matched[], { tool, args, words, made }: Question): boolean {
  const allows = rules.filter((rule) => rule.decision === 'allow')
  return allows.every((rule) => rule.excuse && excused(rule.excuse, tool, args, words, made))
}

type Terms = Pick<Judgement, 'approvers' | 'need' | 'selfApprove'>

function termsOf(rules: readonly Matched[], asker: string): Terms {
  const lists = rules.flatMap((rule) => (rule.approvers && rule.decision !== 'deny' ? [rule.approvers] : []))
  return {
    approvers: lists.length > 0 ? simplify(lists, asker) : [['requester']],
    need: Math.max(1, ...rules.map((rule) => rule.need ?? 1)),
    selfApprove: rules.every((rule) => rule.self_approve !== false),
  }
}

/** The lists without repetition: one of the people who stand in every list of people, and those that name groups. */
function simplify(lists: string[][], asker: string): string[][] {
  const grouped = new Map<string, string[]>()
  const plain: string[][] = []
  for (const list of lists.map((one) => [...new Set(one)].sort())) {
    if (list.some(isGroup)) grouped.set(list.join(), list)
    else plain.push(list)
  }
  const rest = [...grouped].sort(([a], [b]) => compare(a, b)).map(([, list]) => list)
  return plain.length > 0 ? [inAll(plain, asker), ...rest] : rest
}

function inAll(lists: string[][], asker: string): string[] {
  const sets = lists.map((list) => new Set(list.map((who) => (who === 'requester' ? asker : who))))
  const worded = lists.some((list) => list.includes('requester'))
  const people = [...(sets[0] ?? [])].filter((who) => sets.every((set) => set.has(who)))
  return people.map((who) => (worded && who === asker ? 'requester' : who)).sort()
}

/** Who is in a group only Slack knows. */
function isGroup(who: string): boolean {
  return who.startsWith('S')
}

/** Why nobody could ever satisfy the terms; undefined where somebody may, as far as is known without Slack. */
function impossibleTerms({ approvers, need, selfApprove }: Terms, asker: string): string | undefined {
  const people = approvers.find((list) => !list.some(isGroup))
  if (!people) return undefined
  const able = people.filter((who) => selfApprove || (who !== 'requester' && who !== asker))
  if (able.length === 0) return 'Nobody satisfies all the rules that ask, so it cannot be approved.'
  if (able.length < need)
    return `The rules ask for ${need} approvals and let only ${able.length} approve, so it cannot be approved.`
  return undefined
}

/** Only rules that ask, or allow what taint then asks about, say how long; the shortest holds. */
function expiryOf(rules: readonly Matched[]): number {
  const said = rules.flatMap((rule) => (rule.expires ? [lifetime(rule.expires)] : []))
  return least(said) ?? DEFAULT_EXPIRES_MS
}

function rememberOf(rules: readonly Matched[]): Judgement['remember'] {
  const deciding = rules.filter((rule) => rule.decision === 'ask' || rule.remember)
  const said = deciding.flatMap((rule) => rule.remember ?? [])
  if (said.length === 0 || said.length < deciding.length) return undefined
  return {
    scope: said.every((one) => one.scope === 'user') ? 'user' : 'thread',
    ttlMs: Math.min(...said.map((one) => lifetime(one.ttl))),
  }
}

function limitsOf(rules: readonly Matched[]): Judgement['limits'] {
  const timeouts = rules.flatMap((rule) => rule.limits?.timeout ?? [])
  const timeoutMs = least(timeouts.map(lifetime))
  const resultBytes = least(rules.map((rule) => rule.limits?.result_bytes))
  const calls = least(rules.map((rule) => rule.limits?.calls))
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(resultBytes === undefined ? {} : { resultBytes }),
    ...(calls === undefined ? {} : { calls }),
  }
}

function whyOf(
  verdict: Judgement['verdict'],
  decided: Judgement['verdict'],
  rules: readonly Matched[],
): string {
  const saying = rules.filter((rule) => rule.decision === decided)
  if (verdict === 'deny') return `The policy denies it: ${quoted(saying)}.`
  if (verdict === 'allow') return `The policy allows it: ${quoted(saying)}.`
  if (decided === 'allow') return 'What I have read could have made me ask for this, so a person decides.'
  if (saying.length > 0) return `The policy asks first: ${quoted(saying)}.`
  return rules.length > 0
    ? 'No rule of the policy decides about it, so it asks first.'
    : 'No rule of the policy names it, so it asks first.'
}

const DOES: Record<Effect, string> = {
  read: 'It only reads.',
  egress_read: 'It reads from an address or a party outside, which can carry data out.',
  write: 'It changes something.',
}

function riskOf(
  effect: Effect,
  decided: Judgement['verdict'],
  rules: readonly Matched[],
  taint: readonly Taint[],
): string {
  const asking = rules.filter((rule) => rule.decision === 'ask')
  const rule = asking.length > 0 ? `The policy asks first: ${quoted(asking)}.` : 'No rule decides about it.'
  const read = effect === 'read' || taint.length === 0 ? '' : `Before it, I have read ${tellTaint(taint)}.`
  return [DOES[effect], decided === 'ask' ? rule : '', read].filter((part) => part !== '').join(' ')
}

function otherParts(
  tool: CatalogueTool,
  { taint }: Question,
  { decided, tainted, excuse }: { decided: string; tainted: boolean; excuse: boolean },
): Part[] {
  const parts: Part[] = [{ layer: 'lock', name: 'accepted as', says: tool.effect }]
  const claim = hinted(tool.hints)
  if (HARM.indexOf(claim) > HARM.indexOf(tool.effect))
    parts.push({ layer: 'hints', name: 'the server says', says: claim })
  if (tainted && decided === 'allow') {
    const says = excuse
      ? `excused: what is sensitive stands in the requester's words (has read ${tellTaint(taint)})`
      : `asks: the run has read ${tellTaint(taint)}`
    parts.push({ layer: 'taint', name: 'taint', says })
  }
  return parts
}

function tellRule(rule: Matched): string {
  const { pattern: _, layer: __, ...says } = rule
  return Object.entries(says)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ')
}

function quoted(rules: readonly Matched[]): string {
  return [...new Set(rules.map((rule) => `"${rule.pattern}"`))].join(', ')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** budgets.yaml: how many tokens and how much money may be spent by whom in a day or a month. Pure. */
import { z } from 'zod'
import { Fairness } from './fair.ts'
import type { Price, Purpose, Used } from './meter.ts'
import { shaped } from './shaped.ts'

const ABOUT_TOKENS = 'a number of tokens such as 200000, 200k or 2M'

/** A number of tokens, also as `500k` or `2M`. */
const tokens = z.union([
  z.int(ABOUT_TOKENS).min(1),
  shaped(/^\d{1,6}(\.\d{1,3})?[kM]$/, ABOUT_TOKENS).transform((text) =>
    Math.round(Number.parseFloat(text) * (text.endsWith('k') ? 1_000 : 1_000_000)),
  ),
])

const Amounts = z.strictObject({
  /** Read and written, of every model. */
  tokens: tokens.optional(),
  /** For cloud models. */
  dollars: z.number().min(0.01).max(1_000_000).optional(),
})

const Budget = z.strictObject({ day: Amounts.optional(), month: Amounts.optional() })
type Budget = z.infer<typeof Budget>

const each = (shape: RegExp, about: string) => z.record(shaped(shape, about), Budget).default({})

export const BudgetsFile = z.strictObject({
  /** Whose midnight begins a day and a month. */
  zone: z.string().refine(isZone, 'a time zone such as Europe/Berlin, or UTC').default('UTC'),
  /** Whether local models answer while nobody can tell what has been spent; cloud models never do. */
  local: z.enum(['open', 'closed']).default('closed'),
  workspace: Budget.optional(),
  /** User groups. */
  teams: each(/^S[A-Z0-9]+$/, 'a Slack user group id (S…)'),
  /** `*`: each channel that has no line of its own. */
  channels: each(/^(\*|[CGD][A-Z0-9]+)$/, 'a Slack channel id, or *'),
  /** `*`: each person who has no line of their own. */
  users: each(/^(\*|[UW][A-Z0-9]+)$/, 'a Slack user id, or *'),
  /** Each person of another organisation, in channels shared with it. Without it, and a line of their own, they cannot ask. */
  outsiders: Budget.optional(),
  agents: z.record(z.string(), Budget).default({}),
  /** Who gets how much of the workers beside others who wait. */
  fairness: Fairness.default({ users: {}, teams: {}, agents: {} }),
})
export type Budgets = z.infer<typeof BudgetsFile>

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return /^[A-Za-z]/.test(name)
  } catch {
    return false
  }
}

export type Scope = 'workspace' | 'team' | 'channel' | 'user' | 'agent'
export type Unit = 'tokens' | 'dollars'

/** What one budget allows in one window. `allowed` in tokens, or in millionths of a dollar. */
export type Limit = {
  scope: Scope
  /** Whose; empty for the workspace. */
  holder: string
  unit: Unit
  every: 'day' | 'month'
  allowed: number
}

/** Whom something is spent for: a purpose, or a person who wants to know. `teams`: the user groups they are in. */
export type Concerned = Partial<Pick<Purpose, 'channel' | 'user'>> & {
  agents: readonly string[]
  teams: readonly string[]
  /** Whether the person is of another organisation. */
  outsider?: boolean | undefined
}

/** Whether anything may be spent for a person at all. */
export function mayAsk(budgets: Budgets, user: string, outsider: boolean): boolean {
  return !outsider || budgets.outsiders !== undefined || Object.hasOwn(budgets.users, user)
}

/** Every limit that concerns a call or a person; the workspace's first. */
export function limitsFor(budgets: Budgets, of: Concerned): Limit[] {
  const found: [Scope, string, Budget | undefined][] = [
    ['workspace', '', budgets.workspace],
    ...of.teams.map((team): [Scope, string, Budget | undefined] => ['team', team, budgets.teams[team]]),
  ]
  if (of.channel) {
    // A direct message is the person's, whatever holds for each channel.
    const others = of.channel.startsWith('D') ? undefined : budgets.channels['*']
    found.push(['channel', of.channel, budgets.channels[of.channel] ?? others])
  }
  const each = of.outsider ? budgets.outsiders : budgets.users['*']
  if (of.user) found.push(['user', of.user, budgets.users[of.user] ?? each])
  for (const agent of of.agents) found.push(['agent', agent, budgets.agents[agent]])
  return found.flatMap(([scope, holder, budget]) => (budget ? limitsOf(scope, holder, budget) : []))
}

function limitsOf(scope: Scope, holder: string, budget: Budget): Limit[] {
  return (['day', 'month'] as const).flatMap((every) => {
    const { tokens, dollars } = budget[every] ?? {}
    const limit = (unit: Unit, allowed: number): Limit => ({ scope, holder, unit, every, allowed })
    return [
      ...(tokens === undefined ? [] : [limit('tokens', tokens)]),
      ...(dollars === undefined ? [] : [limit('dollars', Math.round(dollars * MILLION))]),
    ]
  })
}

const MILLION = 1_000_000

/** Whether there is a budget in dollars at all: without one no cloud model answers. */
export function allowsMoney({ workspace, outsiders, teams, channels, users, agents }: Budgets): boolean {
  const all = [
    workspace,
    outsiders,
    ...[teams, channels, users, agents].flatMap((each) => Object.values(each)),
  ]
  return all.some((one) => one?.day?.dollars !== undefined || one?.month?.dollars !== undefined)
}

/** What a call cost, in millionths of a dollar, rounded up. Nothing where it has no price. */
export function costOf(
  used: Pick<Used, 'prompt' | 'completion' | 'cached'>,
  price: Price | undefined,
): number {
  if (!price) return 0
  const cached = Math.min(used.cached ?? 0, used.prompt)
  const read = (used.prompt - cached) * price.prompt + cached * (price.cached ?? price.prompt)
  return Math.ceil((read + used.completion * price.completion) / MILLION)
}

/** By how much one press raises a budget: half of what it allows, to at least one of its unit that can be shown. */
export function raiseOf({ allowed, unit }: Pick<Limit, 'allowed' | 'unit'>): number {
  return Math.max(Math.round(allowed / 2), unit === 'tokens' ? 1 : 10_000)
}

/** An amount as people say it: `200,000 tokens`, `$12.50`. */
export function tellAmount(unit: Unit, amount: number): string {
  if (unit === 'tokens') return `${amount.toLocaleString('en-US')} ${amount === 1 ? 'token' : 'tokens'}`
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: Math.abs(amount) < 10_000 ? 6 : 2 }
  const said = Math.abs(amount / MILLION).toLocaleString('en-US', digits)
  return `${amount < 0 ? '-' : ''}$${said}`
}

/** A part of an amount: `4,000 of 5,000 tokens`. */
export function tellPart(unit: Unit, part: number, whole: number): string {
  const said = unit === 'tokens' ? part.toLocaleString('en-US') : tellAmount(unit, part)
  return `${said} of ${tellAmount(unit, whole)}`
}

/** Whose budget it is, to begin a sentence: `The daily budget of Ana`. `name` is the holder's. */
export function tellBudget({ scope, every }: Pick<Limit, 'scope' | 'every'>, name: string): string {
  const whose = {
    workspace: 'the workspace',
    team: `the team ${name}`,
    channel: /^[CGD][A-Z0-9]+$/.test(name) ? 'this channel' : name,
    user: name,
    agent: `the agent ${name}`,
  }
  return `The ${every === 'day' ? 'daily' : 'monthly'} budget of ${whose[scope]}`
}

/** The moment a window ends as people of its zone say it: `1 Dec 2026, 00:00 Europe/Berlin`. */
export function tellReset(ends: string, zone: string): string {
  const said = new Date(ends).toLocaleString('en-GB', {
    timeZone: zone,
    dateStyle: 'medium',
    timeStyle: 'short',
  })
  return `${said} ${zone}`
}

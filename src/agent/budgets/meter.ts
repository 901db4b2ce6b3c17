/** The meter over the ledger: what concerns a call, whether it may be made, and what it waits for where not. */
import {
  type Budgets,
  type Limit,
  limitsFor,
  tellAmount,
  tellBudget,
  tellPart,
  tellReset,
} from '../../core/budget.ts'
import type { Attempt, Meter, Purpose } from '../../core/meter.ts'
import { CLOSED, type Wait } from '../../core/wait.ts'
import type { Ledger, Short } from '../../store/ledger.ts'

export type MeterContext = {
  ledger: Pick<Ledger, 'hold' | 'trust'>
  budgets: Budgets
  /** The members of a user group; nobody where Slack does not tell. */
  members: (group: string) => Promise<string[]>
  /** What people call a person or a group. */
  name: (id: string) => Promise<string>
  /** Whether a person is of another organisation; nobody is where it is left out. */
  outsider?: (user: string) => Promise<boolean>
}

/** How long a run waits before it looks again where nothing may tell it, in ms. */
const LOOK = { ledger: 15_000, held: 20_000, closed: 3_600_000 }

/**
 * Holds every call within what budgets.yaml allows for it. Fails closed for cloud models: without a price, without a
 * budget in dollars, or without an answer of the ledger nothing is spent there.
 */
export function openMeter(context: MeterContext): Meter {
  return async (about, attempt) => {
    const limits = await limitsOf(context, about, attempt)
    const closed = attempt.tier === 'cloud' ? whyClosed(limits, attempt) : undefined
    if (closed) return { wait: waiting(CLOSED, LOOK.closed, closed) }
    const asked = { about, attempt, limits, zone: context.budgets.zone }
    const held = await context.ledger.hold(asked)
    if (held === 'unreachable') {
      if (attempt.tier === 'local' && context.budgets.local === 'open') return context.ledger.trust(asked)
      return { wait: waiting('ledger', LOOK.ledger, UNREACHABLE) }
    }
    return 'short' in held ? { wait: await waitFor(context, held.short) } : held
  }
}

const UNREACHABLE = 'I cannot find out just now what may still be spent, so I wait a moment.'

/** What concerns a call. A price in dollars is a matter of cloud models only. */
async function limitsOf(context: MeterContext, about: Purpose, attempt: Attempt): Promise<Limit[]> {
  const { budgets } = context
  const teams = about.user === '' ? [] : await teamsOf(context, about.user)
  const agents = about.agent === '' ? [] : [about.agent]
  // Only a budget of theirs makes a difference: without one they were not let in.
  const outsider = budgets.outsiders && about.user !== '' && (await context.outsider?.(about.user))
  const limits = limitsFor(budgets, {
    channel: about.channel,
    user: about.user,
    agents,
    teams,
    outsider: outsider === true,
  })
  return limits.filter(({ unit }) => unit === 'tokens' || attempt.tier === 'cloud')
}

/** The user groups with a budget that a person is in. */
export async function teamsOf(
  { budgets, members }: Pick<MeterContext, 'budgets' | 'members'>,
  user: string,
): Promise<string[]> {
  const teams = Object.keys(budgets.teams)
  const inside = await Promise.all(teams.map(async (team) => (await members(team)).includes(user)))
  return teams.filter((_, i) => inside[i])
}

function whyClosed(limits: readonly Limit[], { model, price }: Attempt): string | undefined {
  if (!price) return `${model} is a cloud model without a price in models.yaml, so I do not spend on it.`
  if (limits.some(({ unit }) => unit === 'dollars')) return undefined
  return `No budget in dollars is set for this, so I do not spend on the cloud model ${model}.`
}

async function waitFor({ budgets, name }: MeterContext, short: Short): Promise<Wait> {
  const { limit, key, lasting, ends } = short
  const whose = tellBudget(limit, limit.holder === '' ? '' : await name(limit.holder))
  const total = short.allowed + short.raised
  if (!lasting) {
    const text = `${whose} is held by answers under way; I go on when one of them is done.`
    return waiting(`${key}:held`, LOOK.held, text)
  }
  const left = total - short.used
  const state =
    left <= 0
      ? `is used up: ${tellPart(limit.unit, short.used, total)}`
      : `has too little left: ${tellPart(limit.unit, left, total)}, and this needs ${tellAmount(limit.unit, short.need)}`
  const text = `${whose} ${state}. I go on when it resets, ${tellReset(ends, budgets.zone)}, or when an admin raises it.`
  return { for: 'budget', key, until: ends, text, seen: String(short.raised) }
}

function waiting(key: string, ms: number, text: string): Wait {
  return { for: 'budget', key, until: new Date(Date.now() + ms).toISOString(), text }
}

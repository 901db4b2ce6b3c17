/** What App Home shows to one person. */
import type { HomeView } from '@slack/types'
import type { Budgets } from '../core/budget.ts'
import { plan } from '../core/plan.ts'
import type { Policy } from '../core/rules.ts'
import { type HomeParts, homeView } from '../slack/blocks/home.ts'
import type { Speak } from '../slack/speak.ts'
import { readLoad } from '../store/line.ts'
import { findPreferences } from '../store/preferences.ts'
import { readActiveRuns, readSteps } from '../store/runs.ts'
import { readSpend } from '../store/spend.ts'
import type { Db } from '../store/transaction.ts'
import type { Health } from '../tools/connection.ts'
import { isAdmin } from './admins.ts'
import { openQuestions } from './approvals/input.ts'
import { approvalsFor, linkToPost } from './approvals/waiting.ts'
import { budgetsAtHome } from './budgets/show.ts'
import { sourcesFor } from './knowledge/readable.ts'
import type { Rights } from './knowledge/rights.ts'

export type HomeContext = {
  pool: Db
  workspace: string
  /** Our own user. */
  self: string
  policy: Policy
  budgets: Budgets
  speak: Pick<Speak, 'name' | 'decider' | 'permalink' | 'members'>
  health: () => readonly Health[]
  rights: Pick<Rights, 'meet' | 'readable'>
  /** Accounts the person has connected or can connect. */
  connections: (user: string) => Promise<HomeParts['connections']>
}

/** A person's Home as it is now. */
export async function homeOf(context: HomeContext, user: string): Promise<HomeView> {
  const admin = await isAdmin(context, user)
  const [name, { runs, questions }, { mine: approvals }, connections, budgets, sources, preferences, load] =
    await Promise.all([
      context.speak.name(context.self),
      ownOf(context, user),
      approvalsFor(context, user),
      context.connections(user),
      budgetsAtHome(context, user, admin),
      sourceRowsFor(context, user, admin),
      findPreferences(context.pool, context.workspace, user),
      admin ? loadOf(context) : undefined,
    ])
  return homeView({
    name,
    runs,
    questions,
    approvals,
    connections,
    budgets,
    servers: serversFor(context, admin),
    sources,
    preferences,
    load,
  })
}

/** What was spent and who waits, for admins. */
async function loadOf({ pool, workspace, budgets }: HomeContext): Promise<HomeParts['load']> {
  const since = new Date(Date.now() - 30 * 24 * 3_600_000).toISOString()
  const [days, room] = await Promise.all([
    readSpend(pool, { by: 'day', since, zone: budgets.zone, workspace }),
    readLoad(pool, workspace),
  ])
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: budgets.zone, dateStyle: 'short' }).format()
  const sum = (some: typeof days) => ({
    calls: some.reduce((all, one) => all + one.calls, 0),
    tokens: some.reduce((all, one) => all + one.prompt + one.completion, 0),
    cost: some.reduce((all, one) => all + one.cost, 0),
  })
  return { today: sum(days.filter(({ what }) => what === today)), month: sum(days), ...room }
}

/** A person's own runs, and what tool servers want to know of them. */
async function ownOf(context: HomeContext, user: string): Promise<Pick<HomeParts, 'runs' | 'questions'>> {
  const { pool, workspace } = context
  const active = await readActiveRuns(pool, { workspace, asker: user })
  const each = await Promise.all(
    active.map(async ({ id, channel }) => {
      const steps = await readSteps(pool, id)
      // What was stopped is only waiting for a worker to say so.
      if (steps.some((s) => s.kind === 'stopped')) return { runs: [], questions: [] }
      const asked = steps[0]?.kind === 'asked' ? steps[0].text : ''
      const questions = openQuestions(steps).map(async ({ part, ...question }) => ({
        ...question,
        link: await linkToPost(context, channel, id, [part]),
      }))
      return {
        runs: [{ run: id, title: asked, state: plan(steps).title }],
        questions: await Promise.all(questions),
      }
    }),
  )
  return { runs: each.flatMap(({ runs }) => runs), questions: each.flatMap(({ questions }) => questions) }
}

/** How the tool servers are: for everybody whether they are there, for admins why not. */
function serversFor({ health }: HomeContext, admin: boolean): HomeParts['servers'] {
  return health().map(({ server, state, tools, why }) => {
    const ready = state === 'ready'
    const said =
      ready || state === 'idle' ? `${tools} tools` : admin && why ? why : 'somebody who runs me can look'
    return { server, ready: ready || state === 'idle', said }
  })
}

/** How fresh what a person may read is; admins see every source, and why one could not be read. */
async function sourceRowsFor(
  { pool, workspace, rights }: HomeContext,
  user: string,
  admin: boolean,
): Promise<HomeParts['sources']> {
  const mine = await sourcesFor({ pool, rights }, { workspace, user }, admin)
  return mine.map(({ name, documents, readAt, error }) => ({
    name,
    documents,
    readAt,
    ...(admin ? { error } : {}),
  }))
}

/** What App Home shows to one person. */
import type { HomeView } from '@slack/types'
import { groupsOf, mayDecide } from '../core/approvers.ts'
import type { Budgets } from '../core/budget.ts'
import { plan } from '../core/plan.ts'
import type { Policy } from '../core/rules.ts'
import { type HomeParts, homeView } from '../slack/blocks/home.ts'
import type { Speak } from '../slack/speak.ts'
import { type Approval, readPending } from '../store/approvals.ts'
import { findPost } from '../store/posts.ts'
import { readActiveRuns, readRun, readSteps } from '../store/runs.ts'
import type { Db } from '../store/transaction.ts'
import type { Health } from '../tools/connection.ts'
import { isAdmin } from './admins.ts'
import { budgetsAtHome } from './budgets/show.ts'

export type HomeContext = {
  pool: Db
  workspace: string
  /** Our own user. */
  self: string
  policy: Policy
  budgets: Budgets
  speak: Pick<Speak, 'name' | 'decider' | 'permalink' | 'members'>
  health: () => readonly Health[]
  /** Accounts the person has connected or can connect. */
  connections: (user: string) => Promise<HomeParts['connections']>
}

/** Approvals that are looked through for one person, the first to expire first. */
const MOST = 200

/** A person's Home as it is now. */
export async function homeOf(context: HomeContext, user: string): Promise<HomeView> {
  const admin = await isAdmin(context, user)
  const [name, runs, approvals, connections, budgets] = await Promise.all([
    context.speak.name(context.self),
    runsOf(context, user),
    approvalsFor(context, user),
    context.connections(user),
    budgetsAtHome(context, user, admin),
  ])
  return homeView({ name, runs, approvals, connections, budgets, servers: serversFor(context, admin) })
}

async function runsOf({ pool, workspace }: HomeContext, user: string): Promise<HomeParts['runs']> {
  const runs = await readActiveRuns(pool, { workspace, asker: user })
  const each = await Promise.all(
    runs.map(async ({ id }) => {
      const steps = await readSteps(pool, id)
      // What was stopped is only waiting for a worker to say so.
      if (steps.some((s) => s.kind === 'stopped')) return []
      const asked = steps[0]?.kind === 'asked' ? steps[0].text : ''
      return [{ run: id, title: asked, state: plan(steps).title }]
    }),
  )
  return each.flat()
}

async function approvalsFor(context: HomeContext, user: string): Promise<HomeParts['approvals']> {
  const pending = await readPending(context.pool, context.workspace, MOST)
  const groups = [...new Set(pending.flatMap(groupsOf))]
  const person = await context.speak.decider(user, groups)
  const mine = pending.filter((one) => mayDecide(one, person) && !one.votes.includes(user))
  return Promise.all(
    mine.map(async (one) => {
      const { tool, asker, expires } = one
      return { tool, asker, expires, link: await linkTo(context, one) }
    }),
  )
}

async function linkTo({ pool, speak }: HomeContext, approval: Approval): Promise<string | undefined> {
  const { run: id, batch } = approval
  const run = await readRun(pool, id)
  const parts = [`card-${approval.id}`, ...(batch ? [`card-${batch}`] : [])]
  for (const part of run ? parts : []) {
    const post = await findPost(pool, id, part)
    if (post?.ts && run) return speak.permalink(run.channel, post.ts)
  }
  return undefined
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

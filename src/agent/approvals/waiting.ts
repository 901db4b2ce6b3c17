/** Approvals that wait: for one person to decide, and what one person asked for. */
import { groupsOf, mayDecide } from '../../core/approvers.ts'
import type { ApprovalRow } from '../../slack/blocks/approvals.ts'
import type { Speak } from '../../slack/speak.ts'
import { type Approval, readPending } from '../../store/approvals.ts'
import { findPost } from '../../store/posts.ts'
import { readRun } from '../../store/runs.ts'
import type { Db } from '../../store/transaction.ts'

export type WaitingContext = {
  pool: Db
  workspace: string
  speak: Pick<Speak, 'decider' | 'permalink'>
}

/** Approvals that are looked through for one person, the first to expire first. */
const MOST = 200

/** Those a person may decide and has not, and those they asked for that others decide, with links to their cards. */
export async function approvalsFor(
  context: WaitingContext,
  user: string,
): Promise<{ mine: ApprovalRow[]; asked: ApprovalRow[] }> {
  const pending = await readPending(context.pool, context.workspace, MOST)
  const groups = [...new Set(pending.flatMap(groupsOf))]
  const person = await context.speak.decider(user, groups)
  const mine = pending.filter((one) => mayDecide(one, person) && !one.votes.includes(user))
  const asked = pending.filter((one) => one.asker === user && !mine.includes(one))
  const rows = (some: Approval[]) => Promise.all(some.map((one) => rowOf(context, one)))
  const [decide, wait] = await Promise.all([rows(mine), rows(asked)])
  return { mine: decide, asked: wait }
}

async function rowOf(context: WaitingContext, approval: Approval): Promise<ApprovalRow> {
  const { tool, asker, expires } = approval
  return { tool, asker, expires, link: await linkTo(context, approval) }
}

async function linkTo(
  context: WaitingContext,
  { run: id, ...approval }: Approval,
): Promise<string | undefined> {
  const run = await readRun(context.pool, id)
  const parts = [approval.id, approval.batch].flatMap((one) => (one ? [`card-${one}`] : []))
  return run && linkToPost(context, run.channel, id, parts)
}

/** The link to the first of these messages of a run that stands in Slack. */
export async function linkToPost(
  { pool, speak }: { pool: Db; speak: Pick<Speak, 'permalink'> },
  channel: string,
  run: string,
  parts: readonly string[],
): Promise<string | undefined> {
  for (const part of parts) {
    const post = await findPost(pool, run, part)
    if (post?.ts) return speak.permalink(channel, post.ts)
  }
  return undefined
}

/** Approvals that also hold for the same call again: given with the last yes, found when a call is weighed. */
import type { StepOf } from '../../core/run.ts'
import type { Approval } from '../../store/approvals.ts'
import { createGrant, findGrant, type Holder } from '../../store/grants.ts'
import type { Run } from '../../store/runs.ts'
import type { Db } from '../../store/transaction.ts'
import type { Weighed } from './weigh.ts'

/** Remembers an approval that was given, where its policy says so. */
export async function giveGrant(
  tx: Db,
  run: Run,
  approval: Approval,
  given: { by: string[]; at: string },
): Promise<void> {
  const { remember, bound, workspace, tool, id } = approval
  if (!remember || !bound) return
  const expires = new Date(Date.parse(given.at) + remember.ttlMs).toISOString()
  const holder = holderOf(run, remember.scope)
  await createGrant(tx, { ...holder, workspace, bound, tool, approval: id, givenBy: given.by, expires })
}

/** A call that would be asked about is allowed where somebody approved the same one before and that still holds. */
export async function applyGrant(db: Db, run: Run, weighed: Weighed): Promise<Weighed> {
  const { step, approval } = weighed
  if (step.verdict !== 'ask' || !approval?.remember || !approval.bound) return weighed
  const sought = { workspace: run.workspace, bound: approval.bound, at: step.at }
  const givenBy = await findGrant(db, { ...sought, ...holderOf(run, approval.remember.scope) })
  if (!givenBy) return weighed
  const why = 'The same call was approved before, and that still holds.'
  const allowed: StepOf<'proposed'> = { ...step, verdict: 'allow', why, remembered: givenBy.join(', ') }
  return { step: allowed, approval: { ...approval, state: 'allowed' } }
}

function holderOf(run: Run, scope: Holder['scope']): Holder {
  return { scope, holder: scope === 'user' ? run.asker : `${run.channel}:${run.thread}` }
}

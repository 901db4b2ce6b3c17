/** A click on Approve or Deny: the person is checked and the approval moved in one transaction with its step. */
import { mayDecide } from '../core/approvers.ts'
import type { HeardOf } from '../core/heard.ts'
import { type Approval, moveApproval, readApproval } from '../store/approvals.ts'
import { appendFromOutside, lockRun } from '../store/runs.ts'
import type { Tx } from '../store/transaction.ts'

/** What became of a click; all but `taken` are told to the person who clicked, and to nobody else. */
export type Decision =
  | { outcome: 'taken' }
  | { outcome: 'not-yours'; approvers: string[] }
  | { outcome: 'late'; approval: Approval }
  | { outcome: 'expired' }
  | { outcome: 'gone' }

/** Decides on an approval. Only the first click of somebody who may decide counts. */
export async function takeDecision(tx: Tx, heard: HeardOf<'clicked'>): Promise<Decision> {
  const found = await readApproval(tx, heard.approval)
  const run = found && (await lockRun(tx, found.run))
  const here = run?.workspace === heard.workspace && run.channel === heard.channel
  if (!found || !run || !here) return { outcome: 'gone' }
  if (!mayDecide(found, { id: heard.user, groups: [] })) {
    return {
      outcome: 'not-yours',
      approvers: found.approvers.flat().map((a) => (a === 'requester' ? found.asker : a)),
    }
  }
  if (!run.active) return { outcome: 'late', approval: (await readApproval(tx, found.id)) ?? found }
  if (found.state === 'pending' && Date.parse(found.expires) <= Date.now()) return { outcome: 'expired' }

  if (heard.choice !== 'approve' && heard.choice !== 'deny') return { outcome: 'gone' }
  const to = heard.choice === 'approve' ? 'approved' : 'rejected'
  if (!(await moveApproval(tx, found.id, ['pending'], to, heard.user))) {
    return { outcome: 'late', approval: (await readApproval(tx, found.id)) ?? found }
  }
  const at = new Date().toISOString()
  await appendFromOutside(tx, run, { kind: 'decided', at, approval: found.id, outcome: to, by: heard.user })
  return { outcome: 'taken' }
}

/** The private sentence for a click that did not count; undefined where it did. `name` gives a person's name. */
export async function tellDecision(
  decision: Decision,
  name: (user: string) => Promise<string>,
): Promise<string | undefined> {
  switch (decision.outcome) {
    case 'taken':
      return undefined
    case 'not-yours': {
      const names = await Promise.all(decision.approvers.map(name))
      return `This is not yours to decide. It waits for ${names.join(' or ')}.`
    }
    case 'expired':
      return EXPIRED
    case 'gone':
      return 'I do not know this approval any more, so nothing was run. Ask again if it is still wanted.'
    case 'late':
      return tellLate(decision.approval, name)
  }
}

const EXPIRED = 'This approval has expired, so nothing was run. Ask again if it is still wanted.'

async function tellLate(approval: Approval, name: (user: string) => Promise<string>): Promise<string> {
  const who = approval.decidedBy ? ` by ${await name(approval.decidedBy)}` : ''
  switch (approval.state) {
    case 'rejected':
      return `This was denied already${who}; your click changed nothing.`
    case 'expired':
      return EXPIRED
    case 'pending':
    case 'void':
      return 'This no longer holds: the run is over or what it would call has changed. Your click ran nothing.'
    default:
      return `This was approved already${who}; your click changed nothing.`
  }
}

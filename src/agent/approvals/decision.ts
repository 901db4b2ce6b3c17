/** A click on a card: the person is checked, and what it decides is written in one transaction with its step. */
import { type Barred, tellApprovers } from '../../core/approvers.ts'
import type { HeardOf } from '../../core/heard.ts'
import type { StepOf } from '../../core/run.ts'
import { type Approval, castVote, moveApproval } from '../../store/approvals.ts'
import { appendFromOutside, type Run } from '../../store/runs.ts'
import type { Tx } from '../../store/transaction.ts'
import { type Decision, type Known, type Opened, openApprovals, tooLate } from './deciding.ts'
import { giveGrant } from './grant.ts'
import { runAgain, settleByPerson } from './resolve.ts'

/** Decides on one approval, or on all of a batch that still wait: on every one of them or, where one is not theirs, on none. */
export async function takeDecision(tx: Tx, heard: HeardOf<'clicked'>, known: Known): Promise<Decision> {
  const opened = await openApprovals(tx, heard, known.person)
  if ('outcome' in opened) return opened
  switch (heard.choice) {
    case 'approve':
    case 'deny':
      return decideAll(tx, opened, heard.choice, heard.user)
    case 'again':
      return runAgain(tx, opened, heard.user, known)
    case 'decline':
      return { outcome: 'gone' }
    case 'done':
    case 'not-done':
      return settleByPerson(tx, opened, heard.user, heard.choice)
  }
}

async function decideAll(tx: Tx, opened: Opened, choice: 'approve' | 'deny', by: string): Promise<Decision> {
  const { run, first, approvals } = opened
  const now = Date.now()
  const pending = approvals.filter((approval) => approval.state === 'pending')
  if (!run.active || pending.length === 0) return tooLate(tx, first)
  const waiting = pending.filter((approval) => Date.parse(approval.expires) > now)
  const [one] = waiting
  if (!one) return { outcome: 'expired' }
  const steps: StepOf<'decided'>[] = []
  for (const approval of waiting) {
    const at = new Date(now).toISOString()
    const outcome =
      choice === 'approve' ? await approve(tx, run, approval, { by, at }) : await reject(tx, approval, by)
    if (outcome) steps.push({ kind: 'decided', at, approval: approval.id, outcome, by })
  }
  if (steps.length === 0) return { outcome: 'voted', approval: one }
  await appendFromOutside(tx, run, ...steps)
  return { outcome: 'taken' }
}

/** One more yes, or undefined where they have said yes already. The last one that is needed is remembered where the policy says so. */
async function approve(
  tx: Tx,
  run: Run,
  approval: Approval,
  { by, at }: { by: string; at: string },
): Promise<'approved' | 'counted' | undefined> {
  const cast = await castVote(tx, approval.id, by)
  if (!cast?.approved) return cast && 'counted'
  await giveGrant(tx, run, approval, { by: cast.votes, at })
  return 'approved'
}

async function reject(tx: Tx, approval: Approval, by: string): Promise<'rejected' | undefined> {
  return (await moveApproval(tx, approval.id, ['pending'], 'rejected', by)) ? 'rejected' : undefined
}

/** The private sentence for a decision that did not count; undefined where it did. `name` gives a person's name. */
export async function tellDecision(
  decision: Decision,
  name: (id: string) => Promise<string>,
): Promise<string | undefined> {
  switch (decision.outcome) {
    case 'taken':
      return undefined
    case 'not-yours':
      return `This is not yours to decide. It waits for ${await tellApprovers(decision.approval, name)}.`
    case 'barred':
      return BARRED[decision.barred]
    case 'untold':
      return BARRED.unknown
    case 'voted':
      return tellVoted(decision.approval)
    case 'expired':
      return EXPIRED
    case 'over':
      return 'This run is over, so your click changed nothing. Ask again if it is still wanted.'
    case 'gone':
      return 'I do not know this approval any more, so your click ran nothing. Ask again if it is still wanted.'
    case 'refused':
      return decision.why
    case 'late':
      return tellLate(decision, name)
  }
}

const BARRED: Record<Barred, string> = {
  bot: 'An app cannot decide this; a person has to.',
  guest: 'Guests cannot decide here, so your click changed nothing. A full member of the workspace has to.',
  deactivated: 'This account is deactivated, so the click changed nothing.',
  outsider: 'Only members of this workspace can decide here, so your click changed nothing.',
  unknown:
    'Slack did not tell me just now whether you may decide this, so your click changed nothing. Please try again.',
}

const EXPIRED = 'This approval has expired, so your click ran nothing. Ask again if it is still wanted.'

function tellVoted({ need, votes }: Approval): string {
  const missing = need - votes.length
  return `You have said yes already; ${missing === 1 ? 'one other person has' : `${missing} other people have`} to say yes as well.`
}

async function tellLate(
  { approval, last }: Extract<Decision, { outcome: 'late' }>,
  name: (id: string) => Promise<string>,
): Promise<string> {
  const by = last?.by ?? approval.decidedBy
  const who = by ? ` by ${await name(by)}` : ''
  switch (last?.outcome) {
    case 'rejected':
      return `This was denied already${who}; your click changed nothing.`
    case 'edited':
      return `This was edited already${who}; your click changed nothing. What would be called now stands on a newer card.`
    case 'done':
    case 'not-done':
      return `That it ${last.outcome === 'done' ? 'ran' : 'did not run'} was said already${who}; your click changed nothing.`
    case 'again':
      return `This was proposed again already${who}; your click changed nothing. It waits on a newer card.`
    case 'expired':
      if (approval.state === 'unknown') return 'Nobody said in time what became of this; I went on without.'
      return EXPIRED
    case 'approved':
      return `This was approved already${who}; your click changed nothing.`
    default:
      return 'This no longer holds: the run is over or what it would call has changed. Your click ran nothing.'
  }
}

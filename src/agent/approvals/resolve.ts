/** What a person says of a call whose outcome is unknown: that it ran, that it did not, or that it shall run again. */
import { type Approval, createApproval, resolveApproval } from '../../store/approvals.ts'
import { appendFromOutside, readSteps } from '../../store/runs.ts'
import type { Tx } from '../../store/transaction.ts'
import { type Decision, type Known, type Opened, tooLate } from './deciding.ts'
import { weighInstead } from './instead.ts'

/** How much of what came of the time before is kept for the card, in characters. */
const PREVIOUS = 300

/** A person found out what became of the call. */
export async function settleByPerson(
  tx: Tx,
  { run, first }: Opened,
  by: string,
  outcome: 'done' | 'not-done',
): Promise<Decision> {
  if (!run.active && isOpen(first)) return { outcome: 'over' }
  if (!run.active || !(await resolveApproval(tx, first.id, outcome))) return tooLate(tx, first)
  const at = new Date().toISOString()
  await appendFromOutside(tx, run, { kind: 'decided', at, approval: first.id, outcome, by })
  return { outcome: 'taken' }
}

/** The call shall run again: that is a new proposal with an approval of its own. */
export async function runAgain(tx: Tx, opened: Opened, by: string, known: Known): Promise<Decision> {
  const { run, first } = opened
  if (!run.active && isOpen(first)) return { outcome: 'over' }
  if (!run.active || !isOpen(first)) return tooLate(tx, first)
  const steps = await readSteps(tx, run.id)
  const before = steps.findLast((s) => s.kind === 'proposed' && s.approval === first.id)
  const returned = steps.findLast((s) => s.kind === 'returned' && s.call === first.call)
  const instead = weighInstead(known, opened, steps, {
    args: first.args,
    attempt: (before?.kind === 'proposed' ? (before.attempt ?? 1) : 1) + 1,
    previous: returned?.kind === 'returned' ? returned.text.slice(0, PREVIOUS) : 'The outcome is unknown.',
  })
  if (typeof instead === 'string') return { outcome: 'refused', why: instead }
  if (!(await resolveApproval(tx, first.id, 'again'))) return tooLate(tx, first)
  const { step, approval } = instead
  const decided = { kind: 'decided', at: step.at, approval: first.id, outcome: 'again', by } as const
  await appendFromOutside(tx, run, decided, step)
  await createApproval(tx, approval)
  return { outcome: 'taken' }
}

/** Whether nobody has said yet what became of the call. */
function isOpen(approval: Approval): boolean {
  return approval.state === 'unknown' && approval.resolved === null
}

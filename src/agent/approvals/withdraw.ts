/** Withdrawing tools: what waits for their calls, or was remembered for them, holds no longer. */
import { findPending, moveApproval } from '../../store/approvals.ts'
import { voidGrants } from '../../store/grants.ts'
import { appendFromOutside, lockRun } from '../../store/runs.ts'
import type { Tx } from '../../store/transaction.ts'

/**
 * Voids every waiting approval and every remembered grant of these tools (catalogue names), and wakes the runs that
 * waited. `why` is one sentence for the card and the model. Approvals that were given already are held against the
 * tool as it is when they are claimed.
 */
export async function withdrawTools(
  tx: Tx,
  workspace: string,
  tools: readonly string[],
  why: string,
): Promise<{ approvals: number; grants: number }> {
  let approvals = 0
  for (const { id, run: of } of await findPending(tx, workspace, tools)) {
    const run = await lockRun(tx, of)
    if (!run?.active || !(await moveApproval(tx, id, ['pending'], 'void'))) continue
    const at = new Date().toISOString()
    await appendFromOutside(tx, run, { kind: 'decided', at, approval: id, outcome: 'void', why })
    approvals += 1
  }
  // Last, so that a grant of an approval that was given meanwhile is seen.
  return { approvals, grants: await voidGrants(tx, workspace, tools) }
}

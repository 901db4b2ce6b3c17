/** A call that a person asked for themselves, with no model: weighed as any other. */
import type { CatalogueTool } from '../../core/catalogue.ts'
import type { Policy } from '../../core/rules.ts'
import type { ToolCall } from '../../core/run.ts'
import { createApproval } from '../../store/approvals.ts'
import type { Run } from '../../store/runs.ts'
import { record, type Work } from '../lease.ts'
import { applyGrant } from './grant.ts'
import { weigh, wordsOf } from './weigh.ts'

/** Appends the verdict on the call, with its approval where there is one. */
export async function propose(
  context: {
    policy: Policy
    catalogue: () => Promise<CatalogueTool[]>
    outside: (run: Run) => Promise<boolean>
  },
  work: Work,
  call: ToolCall,
): Promise<'recorded' | 'lost'> {
  const tool = (await context.catalogue()).find((t) => t.name === call.tool)
  const words = wordsOf(work.steps, work.run.asker)
  const at = new Date().toISOString()
  const outside = await context.outside(work.run)
  const proposal = { tool, call, at, taint: [], words, steps: work.steps, outside }
  const weighed = weigh(context.policy, work.run, proposal)
  const { step, approval } = await applyGrant(work.pool, work.run, weighed)
  return record(work, [step], approval && ((tx) => createApproval(tx, approval)))
}

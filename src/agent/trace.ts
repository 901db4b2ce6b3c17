/** "How I got here": the steps of a run, for somebody who can read its thread. */
import type { ModalView } from '@slack/types'
import { traceView } from '../slack/blocks/trace.ts'
import { readRun, readSteps } from '../store/runs.ts'
import { readSpendOf } from '../store/spend.ts'
import type { Db } from '../store/transaction.ts'

/** The modal of a run's trace, or a sentence where the viewer's channel is not the run's. */
export async function traceOf(
  db: Db,
  id: string,
  viewer: { workspace: string; channel: string },
): Promise<ModalView | string> {
  const run = /^[0-9a-f-]{36}$/.test(id) ? await readRun(db, id) : undefined
  if (!run || run.workspace !== viewer.workspace || run.channel !== viewer.channel)
    return 'I do not know this run any more, so there is no trace to show.'
  const [steps, spent] = await Promise.all([readSteps(db, run.id), readSpendOf(db, run.id)])
  return traceView(run.id, steps, spent)
}

/** What the agent is doing for a person, in words. */
import { plan } from '../../core/plan.ts'
import { shortRun } from '../../core/tell.ts'
import { readActiveRuns, readSteps } from '../../store/runs.ts'
import type { Db } from '../../store/transaction.ts'

/** What the agent has under way for a person, a line a run. */
export async function tellStatus(db: Db, of: { workspace: string; user: string }): Promise<string> {
  const runs = await readActiveRuns(db, { workspace: of.workspace, asker: of.user })
  if (runs.length === 0) return 'I am doing nothing for you right now.'
  const lines: string[] = []
  for (const run of runs.slice(0, 10)) {
    const steps = await readSteps(db, run.id)
    const asked = steps[0]?.kind === 'asked' ? steps[0].text.replace(/\s+/g, ' ').slice(0, 80) : ''
    lines.push(`• “${asked}”: ${plan(steps).title} (run ${shortRun(run.id)})`)
  }
  if (runs.length > 10) lines.push(`… and ${runs.length - 10} more.`)
  return lines.join('\n')
}

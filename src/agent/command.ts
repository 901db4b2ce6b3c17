/** Words for the agent itself, after `/quorum` or after a mention in a thread. */
import { plan } from '../core/plan.ts'
import { shortRun } from '../core/tell.ts'
import { readActiveRuns, readSteps } from '../store/runs.ts'
import type { Db } from '../store/transaction.ts'

/** A word that is meant for the runtime and not for the model. */
export type Word = 'ask' | 'status' | 'stop' | 'help'

export const HELP = [
  'Mention me in a channel, or write me a direct message. In a thread I am part of, just write on.',
  '`/quorum ask <question>` asks here, for everyone to see.',
  '`/quorum status` shows what I am doing for you.',
  '`/quorum stop` stops what I am doing for you in this channel; in a thread, write `@quorum stop`.',
  '`/quorum help` shows this.',
].join('\n')

/** The word in a message that holds nothing else; undefined where it is a question. */
export function readWord(text: string): Exclude<Word, 'ask'> | undefined {
  const word = text.trim().toLowerCase().replace(/[.!]$/, '')
  return word === 'stop' || word === 'status' || word === 'help' ? word : undefined
}

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

/** Stopping runs: by word, by button, by deleting the question. */
import type { HeardOf } from '../core/heard.ts'
import type { Thread } from '../core/run.ts'
import { appendFromOutside, lockActiveRun, lockRun, type Run, readActiveRuns } from '../store/runs.ts'
import type { Tx } from '../store/transaction.ts'
import { runOfMessage } from './mention.ts'

/** Stops the run at work in a thread; undefined where there is none. */
export async function stopThread(tx: Tx, thread: Thread, by: string, why: string): Promise<Run | undefined> {
  const run = await lockActiveRun(tx, thread)
  if (run) await stopRun(tx, run, by, why)
  return run
}

/** Stops what one person has under way in a channel, and says how many runs that were. */
export async function stopMine(
  tx: Tx,
  of: { workspace: string; channel: string; user: string },
): Promise<number> {
  let stopped = 0
  for (const { id } of await readActiveRuns(tx, {
    workspace: of.workspace,
    channel: of.channel,
    asker: of.user,
  })) {
    const run = await lockRun(tx, id)
    if (!run?.active) continue
    await stopRun(tx, run, of.user, 'asked by command')
    stopped += 1
  }
  return stopped
}

/** A deleted question stops its run. */
export async function stopDeleted(tx: Tx, heard: HeardOf<'deleted'>): Promise<void> {
  const run = await runOfMessage(tx, heard)
  if (run?.active) await stopRun(tx, run, heard.user, 'the question was deleted')
}

/** The Stop of App Home: whoever asked may stop their run, and an admin any. Says whether it was stopped. */
export async function stopPressed(tx: Tx, heard: HeardOf<'pressed'>, admin: boolean): Promise<boolean> {
  const run = /^[0-9a-f-]{36}$/.test(heard.subject) ? await lockRun(tx, heard.subject) : undefined
  if (!run?.active || run.workspace !== heard.workspace) return false
  if (run.asker !== heard.user && !admin) return false
  await stopRun(tx, run, heard.user, 'the Stop in App Home')
  return true
}

async function stopRun(tx: Tx, run: Run, by: string, why: string): Promise<void> {
  await appendFromOutside(tx, run, { kind: 'stopped', at: new Date().toISOString(), by, why })
}

/** Stopping runs: by word, by button, by deleting the question. */
import type { HeardOf } from '../core/heard.ts'
import type { Thread } from '../core/run.ts'
import { readUnheard } from '../store/inbox.ts'
import { appendFromOutside, lockActiveRun, lockRun, type Run, readActiveRuns } from '../store/runs.ts'
import { lockThread, meetStop, rememberStop, type Stop } from '../store/stops.ts'
import type { Tx } from '../store/transaction.ts'
import { runOfMessage, threadOf } from './mention.ts'

/**
 * Stops the run at work in a thread, where its question is not newer than the stop; undefined where there is none.
 * The stop is kept: what it was meant for may not have been heard yet.
 */
export async function stopThread(tx: Tx, thread: Thread, stop: Stop): Promise<Run | undefined> {
  await lockThread(tx, thread)
  await rememberStop(tx, thread, stop)
  const run = await lockActiveRun(tx, thread)
  if (!run || Number(run.message) > Number(stop.until)) return undefined
  await stopRun(tx, run, stop)
  await meetStop(tx, thread)
  return run
}

/** Stops what one person has under way in a channel, or has asked for and is not taken up yet, and says how much that was. */
export async function stopMine(
  tx: Tx,
  of: { workspace: string; channel: string; user: string },
): Promise<number> {
  const why = 'asked by command'
  let stopped = 0
  for (const message of await readUnheard(tx, of)) {
    await lockThread(tx, threadOf(message))
    await rememberStop(tx, threadOf(message), { until: message.ts, by: of.user, why })
    stopped += 1
  }
  const { workspace, channel, user: asker } = of
  for (const { id } of await readActiveRuns(tx, { workspace, channel, asker })) {
    const run = await lockRun(tx, id)
    if (!run?.active) continue
    await stopRun(tx, run, { by: of.user, why })
    stopped += 1
  }
  return stopped
}

/** A deleted question stops its run. */
export async function stopDeleted(tx: Tx, heard: HeardOf<'deleted'>): Promise<void> {
  const run = await runOfMessage(tx, heard)
  if (run?.active) await stopRun(tx, run, { by: heard.user, why: 'the question was deleted' })
}

/** The Stop of App Home: whoever asked may stop their run, and an admin any. Says whether it was stopped. */
export async function stopPressed(tx: Tx, heard: HeardOf<'pressed'>, admin: boolean): Promise<boolean> {
  const run = /^[0-9a-f-]{36}$/.test(heard.subject) ? await lockRun(tx, heard.subject) : undefined
  if (!run?.active || run.workspace !== heard.workspace) return false
  if (run.asker !== heard.user && !admin) return false
  await stopRun(tx, run, { by: heard.user, why: 'the Stop in App Home' })
  return true
}

async function stopRun(tx: Tx, run: Run, { by, why }: { by: string; why: string }): Promise<void> {
  await appendFromOutside(tx, run, { kind: 'stopped', at: new Date().toISOString(), by, why })
}

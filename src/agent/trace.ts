/** "How I got here": the steps of a run, for somebody who can read its thread. */
import type { ModalView } from '@slack/types'
import { traceView } from '../slack/blocks/trace.ts'
import type { Viewer } from '../slack/opening.ts'
import type { Speak } from '../slack/speak.ts'
import { findNewestRun, findRun, findRunAt, type Run, readSteps } from '../store/runs.ts'
import { readSpendOf } from '../store/spend.ts'
import { type ReadableContext, readablePassages } from './knowledge/readable.ts'
import { canRead } from './seeing.ts'

export type TraceContext = ReadableContext & { speak: Pick<Speak, 'roster'> }

/** Slack waits 3 s for a modal; finding out what the viewer may read may take so long, in ms. */
const PATIENCE_MS = 1_500

const GONE = 'I do not know this run, or you may not read its thread, so there is no trace to show.'

/**
 * The modal of a run's trace, or a sentence where there is none that the viewer may see. Of what was read it names only
 * what they may read themselves. `id`: as people write it, eight digits or more; the newest run where it is empty.
 */
export async function traceOf(
  context: TraceContext,
  id: string,
  viewer: Viewer,
): Promise<ModalView | string> {
  const run = await findTraced(context, id, viewer)
  if (typeof run === 'string') return run
  const [steps, spent] = await Promise.all([
    readSteps(context.pool, run.id),
    readSpendOf(context.pool, run.id),
  ])
  const passages = steps.flatMap((s) => (s.kind === 'recalled' ? s.passages.map((one) => one.passage) : []))
  const of = { workspace: run.workspace, readers: `user:${viewer.user}` }
  const readable = await readablePassages(context, of, [...new Set(passages)], PATIENCE_MS)
  return traceView(run.id, steps, { spent, readable })
}

/** The trace of the run that a message belongs to: its question, something we said for it, or the newest of its thread. */
export async function traceOfMessage(
  context: TraceContext,
  ts: string,
  viewer: Viewer,
): Promise<ModalView | string> {
  const { workspace, channel, thread = ts } = viewer
  const run = await findRunAt(context.pool, { workspace, channel, ts, thread })
  return run
    ? traceOf(context, run.id, viewer)
    : 'I did nothing in this thread, so there is no trace to show.'
}

/** The run that somebody wants to see the trace of, where they may; else a sentence. */
export async function findTraced(
  context: Pick<TraceContext, 'pool' | 'speak'>,
  id: string,
  viewer: Viewer,
): Promise<Run | string> {
  const { workspace, channel, thread, user } = viewer
  const asked = id.trim()
  if (asked === '') {
    const newest = await findNewestRun(context.pool, { workspace, channel, thread, asker: user })
    return (
      newest ?? 'There is nothing yet that I could show the way of. `/quorum trace` takes the id of a run.'
    )
  }
  const run = await findRun(context.pool, workspace, asked)
  return run && (await mayRead(context, run, viewer)) ? run : GONE
}

/** Whether somebody can read the thread of a run: for sure, by where they are, or by what Slack says. */
async function mayRead(
  { speak }: Pick<TraceContext, 'speak'>,
  run: Run,
  { channel, user }: Viewer,
): Promise<boolean> {
  if (run.dm || run.reply) return run.asker === user
  return run.channel === channel || canRead(speak, run.channel, user)
}

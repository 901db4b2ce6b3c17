/** Nobody listened for a while: what was said to us meanwhile is read and taken up, each thing once. */
import type pg from 'pg'
import { Fault } from '../core/fault.ts'
import type { Heard } from '../core/heard.ts'
import { tsOf } from '../core/overheard.ts'
import type { Missed } from '../slack/missed.ts'
import { claimMissed, endMissed, holdMissed, noteHearing, readActiveThreads } from '../store/presence.ts'
import { repeat } from './repeat.ts'

export type MissedContext = {
  pool: pg.Pool
  workspace: string
  missed: Missed
  /** As if Slack had sent it: stored once, then handled. */
  hear: (heard: Heard) => Promise<void>
  log: (level: 'info' | 'warn', message: string, fields?: Record<string, unknown>) => void
}

/** Nobody listened for so long, in ms: Slack repeats what is not acknowledged only for some minutes. */
const GAP_MS = 90_000
/** Our clock and Slack's may differ by so much, in ms: by more, Slack's own signatures would not hold. */
const SKEW_MS = 5 * 60_000
/** What was said longer ago is left alone, in ms: nobody waits for it any more. */
const OLDEST_MS = 24 * 3_600_000
/** Threads that began so long before, in ms, are looked into; older ones where a run of theirs is at work. */
const THREADS_MS = 24 * 3_600_000
/** Whoever reads holds that for so long, in ms, and renews it. */
const HOLD_MS = 60_000

/** Call it now and then while Slack can reach us: by this a gap is seen afterwards. */
export function noteListening({ pool, workspace }: Pick<MissedContext, 'pool' | 'workspace'>): Promise<void> {
  return noteHearing(pool, workspace, GAP_MS)
}

/** Reads what was missed, where something was and nobody else is at it. Ended at any point it is begun again. */
export async function catchUp(context: MissedContext, signal: AbortSignal): Promise<'read' | 'nothing'> {
  const { pool, workspace, missed, log } = context
  const from = await claimMissed(pool, workspace, HOLD_MS)
  if (!from) return 'nothing'
  const since = tsOf(Math.max(from.getTime() - SKEW_MS, Date.now() - OLDEST_MS))
  const began = tsOf(Number(since) * 1000 - THREADS_MS)
  log('info', 'nobody listened for a while; what was said meanwhile is read', { since: from.toISOString() })
  const holding = repeat(HOLD_MS / 3, () => holdMissed(pool, workspace, HOLD_MS), log)
  let heard = 0
  const hearAll = async (channel: string, said: AsyncGenerator<Heard>) => {
    try {
      for await (const one of said) {
        signal.throwIfAborted()
        await context.hear(one)
        heard += 1
      }
    } catch (error) {
      // What Slack will never give must not keep us from the rest.
      if (!(error instanceof Fault) || error.retry) throw error
      log('warn', 'what was missed in a channel cannot be read', { channel, why: error.message })
    }
  }
  try {
    for (const { channel, thread } of await readActiveThreads(pool, workspace))
      await hearAll(channel, missed.inThread(channel, thread, since, signal))
    for await (const channel of missed.places(signal))
      await hearAll(channel, missed.in(channel, { since, began }, signal))
    await endMissed(pool, workspace, from)
    log('info', 'what was said meanwhile was read', { messages: heard })
    return 'read'
  } finally {
    await holding.close()
  }
}

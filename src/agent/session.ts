/** The session of a run as Slack shows it: at work with a Stop, waiting for a person, or idle. */
import type { SessionStatus, Speak } from '../slack/speak.ts'
import type { Run } from '../store/runs.ts'

/** Slack takes a session for idle an hour after it was last told that it is at work; it is told again this often, in ms. */
const RENEW_MS = 25 * 60_000

export type Session = {
  /** Tells Slack where it is new, one after another. Never fails. */
  set(status: SessionStatus): Promise<void>
  /** Slack was told already, as the end of a stream does. */
  told(status: SessionStatus): void
  close(): void
}

/** `known` is what Slack was told before. */
export function openSession(
  speak: Pick<Speak, 'status'>,
  run: Pick<Run, 'channel' | 'thread'>,
  known?: SessionStatus,
  renewMs = RENEW_MS,
): Session {
  let shown = known
  let last = Promise.resolve()
  const tell = (status: SessionStatus) => {
    last = last.then(() => speak.status(run.channel, run.thread, status))
    return last
  }
  const renewing = setInterval(() => void (shown === 'processing' && tell(shown)), renewMs)
  renewing.unref()
  return {
    set(status) {
      if (status === shown) return last
      shown = status
      return tell(status)
    },
    told(status) {
      shown = status
    },
    close: () => clearInterval(renewing),
  }
}

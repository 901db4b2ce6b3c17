/** Native streams: messages that grow while they are read, for one person. */
import type { AnyChunk } from '@slack/types'
import { z } from 'zod'
import { Fault } from '../core/fault.ts'
import type { Call } from './call.ts'
import { mayHaveArrived, slackWord } from './faults.ts'
import type { Log } from './message.ts'

/** Where a stream stands, and whom it is for. */
export type StreamPlace = { channel: string; thread: string; user: string }

export type Streams = {
  /**
   * Begins one that shows its tasks as a plan. `unavailable`: this workspace, or this conversation, has none, or Slack
   * limits us just now. Never throws.
   */
  start(place: StreamPlace, chunks: AnyChunk[]): Promise<{ ts: string } | 'unavailable'>
  /**
   * Adds to one. `dropped`: Slack limits us, nothing was added. `over`: it takes nothing more, or nobody knows whether
   * this was added; what it shows must be set by an edit. Never throws.
   */
  append(channel: string, ts: string, chunks: AnyChunk[]): Promise<'sent' | 'dropped' | 'over'>
  /** Ends one, and tells its session. `over`: it had ended before. @throws Fault where Slack cannot be reached, or limits us for long */
  stop(
    channel: string,
    ts: string,
    chunks: AnyChunk[],
    session: 'processing' | 'suspended' | 'active',
  ): Promise<'stopped' | 'over'>
  /** Streams of ours in a thread that nobody has ended. */
  findOpen(channel: string, thread: string): Promise<string[]>
  /** How often each of the streams that are open now may be added to, in ms. */
  paceMs(): number
}

/** Slack's words for a workspace, a plan or an app without streams. */
const NO_STREAMS = /^(unknown_method|not_allowed|missing_scope|feature_|access_denied|no_permission|method_)/

/** A stream is added to this often, in ms, and less often where others are open: Slack counts them all together. */
const SHARE_MS = 1000
/** Slack ends a stream by itself after so long. */
const LONGEST_MS = 300_000

export function openStreams(
  call: Call,
  self: { workspace: string; botId: string; botUser: string },
  log: Log | undefined,
): Streams {
  let available = true
  /** Since when, by channel and ts. */
  const open = new Map<string, number>()

  async function begin({ channel, thread, user }: StreamPlace, chunks: AnyChunk[]) {
    const recipient = { recipient_user_id: user, recipient_team_id: self.workspace }
    const args = { channel, thread_ts: thread, ...recipient, task_display_mode: 'plan', chunks }
    try {
      const answer = await call('chat.startStream', args, { priority: 'progress', droppable: true })
      return answer === 'dropped' ? undefined : Started.parse(answer).ts
    } catch (error) {
      const word = slackWord(error)
      if (word && NO_STREAMS.test(word)) available = false
      const sentence = available
        ? 'A stream could not be begun; the message is edited instead'
        : 'This workspace has no streams; messages are edited instead'
      log?.('info', sentence, { error: String(error) })
      // Slack's answer was lost: where the stream began nevertheless, it is ours.
      const lost = error instanceof Fault && mayHaveArrived(error.cause)
      return lost ? (await findOpen(channel, thread).catch(() => [])).at(-1) : undefined
    }
  }

  async function findOpen(channel: string, thread: string): Promise<string[]> {
    const answer = await call('conversations.replies', { channel, ts: thread, limit: 200 })
    return Replies.parse(answer).messages.flatMap(({ ts, user, bot_id, streaming_state }) =>
      (bot_id === self.botId || user === self.botUser) && streaming_state === 'in_progress' ? [ts] : [],
    )
  }

  return {
    async start(place, chunks) {
      const ts = available ? await begin(place, chunks) : undefined
      if (ts === undefined) return 'unavailable'
      open.set(`${place.channel} ${ts}`, Date.now())
      return { ts }
    },
    async append(channel, ts, chunks) {
      const key = `${channel} ${ts}`
      if (!open.has(key)) open.set(key, Date.now())
      try {
        const answer = await call(
          'chat.appendStream',
          { channel, ts, chunks },
          { priority: 'progress', droppable: true },
        )
        return answer === 'dropped' ? 'dropped' : 'sent'
      } catch (error) {
        log?.('debug', 'A stream takes nothing more', { error: String(error) })
        open.delete(key)
        return 'over'
      }
    },
    async stop(channel, ts, chunks, session) {
      open.delete(`${channel} ${ts}`)
      const args = { channel, ts, ...(chunks.length > 0 ? { chunks } : {}), session_status: session }
      try {
        await call('chat.stopStream', args)
        return 'stopped'
      } catch (error) {
        if (error instanceof Fault && error.retry) throw error
        log?.('debug', 'A stream had ended before', { error: String(error) })
        return 'over'
      }
    },
    findOpen,
    paceMs() {
      for (const [key, since] of open) if (Date.now() - since > LONGEST_MS) open.delete(key)
      return Math.max(1, open.size) * SHARE_MS
    },
  }
}

const Started = z.object({ ts: z.string() })
const Replies = z.object({
  messages: z.array(
    z.object({
      ts: z.string(),
      user: z.string().optional(),
      bot_id: z.string().optional(),
      streaming_state: z.string().optional(),
    }),
  ),
})

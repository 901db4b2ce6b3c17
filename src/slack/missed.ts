/** What was said to us while Slack could not reach us, read from history, behind everything else we ask of Slack. */
import { z } from 'zod'
import type { Heard } from '../core/heard.ts'
import type { Call } from './call.ts'
import { slackWord } from './faults.ts'
import { hear } from './hear.ts'
import type { Identity } from './identify.ts'

/** A place where we are, and what was said in it. */
export type Missed = {
  /** Every conversation we are in, direct ones included. @throws Fault */
  places(signal: AbortSignal): AsyncGenerator<string>
  /**
   * What was said to us in a channel after a moment, oldest first: its first messages, and replies in threads in which
   * somebody wrote since then and that began after `began`. @throws Fault
   */
  in(channel: string, range: { since: string; began: string }, signal: AbortSignal): AsyncGenerator<Heard>
  /** The same of one thread. @throws Fault */
  inThread(channel: string, thread: string, since: string, signal: AbortSignal): AsyncGenerator<Heard>
}

const Next = z.looseObject({ next_cursor: z.string().nullish() }).nullish()
const Said = z.looseObject({
  ts: z.string(),
  thread_ts: z.string().nullish(),
  reply_count: z.number().nullish(),
  latest_reply: z.string().nullish(),
})
type Said = z.infer<typeof Said>
const Places = z.looseObject({
  channels: z.array(z.looseObject({ id: z.string() })),
  response_metadata: Next,
})
const Messages = z.looseObject({ messages: z.array(z.unknown()), response_metadata: Next })

const PAGE = 200
/** Not there any more, or not for us. */
const GONE = new Set(['channel_not_found', 'not_in_channel', 'thread_not_found', 'missing_scope'])

export function openMissed(call: Call, identity: Identity): Missed {
  const { workspace, scopes } = identity
  const may = (scope: string) => scopes.length === 0 || scopes.includes(scope)
  const kinds = [
    'public_channel',
    ...(may('groups:read') ? ['private_channel'] : []),
    ...(may('im:read') ? ['im'] : []),
    ...(may('mpim:read') ? ['mpim'] : []),
  ]

  async function* pages<T extends { response_metadata?: z.infer<typeof Next> }>(
    method: 'users.conversations' | 'conversations.history' | 'conversations.replies',
    args: Record<string, unknown>,
    shape: z.ZodType<T>,
    signal: AbortSignal,
  ): AsyncGenerator<T> {
    let cursor: string | undefined
    do {
      const at = { ...args, limit: PAGE, ...(cursor ? { cursor } : {}) }
      const page = shape.parse(await call(method, at, { priority: 'background', signal }))
      yield page
      cursor = page.response_metadata?.next_cursor || undefined
    } while (cursor)
  }

  /** All messages of the pages, oldest first; none where we may not read them. */
  async function read(
    method: 'conversations.history' | 'conversations.replies',
    args: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<Said[]> {
    const all: Said[] = []
    try {
      for await (const { messages } of pages(method, args, Messages, signal))
        all.push(...messages.flatMap((message) => Said.safeParse(message).data ?? []))
    } catch (error) {
      if (!GONE.has(slackWord(error) ?? '')) throw error
    }
    return all.sort((a, b) => Number(a.ts) - Number(b.ts))
  }

  /** As Slack would have sent it. History does not say whether others share the channel: it is taken for shared. */
  function heardOf(channel: string, message: Said): Heard[] {
    const event = { type: 'message', channel, ...message }
    const of = { team_id: workspace, authorizations: [{ team_id: workspace }] }
    const heard = hear({ ...of, is_ext_shared_channel: !channel.startsWith('D'), event }, identity)
    return heard === 'ignored' ? [] : [heard]
  }

  async function* inThread(channel: string, thread: string, since: string, signal: AbortSignal) {
    const replies = await read('conversations.replies', { channel, ts: thread, oldest: since }, signal)
    for (const message of replies)
      if (message.ts !== thread && Number(message.ts) > Number(since)) yield* heardOf(channel, message)
  }

  return {
    async *places(signal) {
      const args = { types: kinds.join(','), exclude_archived: true }
      for await (const { channels } of pages('users.conversations', args, Places, signal))
        for (const { id } of channels) yield id
    },
    async *in(channel, { since, began }, signal) {
      const roots = await read('conversations.history', { channel, oldest: began }, signal)
      for (const root of roots) {
        if (Number(root.ts) > Number(since)) yield* heardOf(channel, root)
        const lively = (root.reply_count ?? 0) > 0 && Number(root.latest_reply ?? 0) > Number(since)
        // A reply that was also sent to the channel stands here as well, but belongs to its thread.
        if (lively && (root.thread_ts ?? root.ts) === root.ts)
          yield* inThread(channel, root.ts, since, signal)
      }
    },
    inThread,
  }
}

/** Messages on the wire: with plain text where Slack refuses the blocks, and never posted twice. */
import type { WebAPICallResult } from '@slack/web-api'
import { z } from 'zod'
import { Fault } from '../core/fault.ts'
import { cut } from './blocks/text.ts'
import type { Call, CallOptions } from './call.ts'
import { mayHaveArrived, slackWord } from './faults.ts'
import type { Log, Message } from './message.ts'

export type SayOptions = Pick<CallOptions, 'priority' | 'droppable'> & {
  /** Where Slack refuses the blocks this fails: the text alone would say too little. */
  exact?: boolean
}
export type Say = (
  method: 'chat.postMessage' | 'chat.update' | 'chat.postEphemeral',
  args: Record<string, unknown>,
  message: Message,
  options?: SayOptions,
) => Promise<WebAPICallResult | 'dropped'>

/** Slack's words for blocks it does not take. */
const BAD_BLOCKS = new Set([
  'invalid_blocks',
  'invalid_blocks_format',
  'msg_blocks_too_long',
  'invalid_attachments',
  'block_mismatch',
  'unsupported_block',
])

/** Slack takes this much text with an edit; where there are blocks the text only stands in notifications. */
const LONGEST_EDIT = 4_000

/** Blocks that Slack has not had for long. */
const YOUNG = new Set<string>(['plan', 'context_actions'])

/**
 * Where Slack refuses the blocks the text is sent. Where a message was taken without its young blocks, none of their kind
 * is tried again.
 */
export function sayWith(call: Call, log: Log | undefined): Say {
  const unknown = new Set<string>()
  return async (method, args, message, { exact = false, ...options } = {}) => {
    const full: Record<string, unknown> = { ...args, ...wireOf(message) }
    // An edit without blocks would keep the old ones.
    const plain = { ...full, blocks: method === 'chat.update' ? [] : undefined }
    const rest = message.blocks?.filter((block) => !YOUNG.has(block.type)) ?? []
    const young = message.blocks?.filter((block) => YOUNG.has(block.type)) ?? []
    const hasYoung = young.length > 0
    const hopeless = young.some((block) => unknown.has(block.type))
    const text = method === 'chat.update' && message.blocks ? cut(message.text, LONGEST_EDIT) : message.text
    const tries = [
      ...(hopeless && !exact ? [] : [{ ...full, text }]),
      ...(hasYoung && rest.length > 0 && !exact ? [{ ...full, text, blocks: rest }] : []),
      ...(message.blocks && !exact ? [plain] : []),
    ]
    let refused = ''
    for (let i = 0; ; i++) {
      try {
        const said = await call(method, tries[i] ?? plain, options)
        // What was edited may be of a kind that holds no such blocks at all.
        if (i === 1 && hasYoung && !hopeless && refused !== 'block_mismatch')
          for (const block of young) unknown.add(block.type)
        return said
      } catch (error) {
        refused = slackWord(error) ?? ''
        if (i >= tries.length - 1 || !BAD_BLOCKS.has(refused)) throw error
        const fields = { method, error: String(error) }
        log?.('warn', 'Slack refused the blocks of a message; its text is sent instead', fields)
      }
    }
  }
}

export type Find = (
  channel: string,
  thread: string | undefined,
  run: string,
  part: string,
) => Promise<string | undefined>

type Said = z.infer<typeof Page>['messages'][number]

/** Looks for a message of ours: in the thread, or among the channel's newest. */
function findOurs(call: Call, self: { botId: string; botUser: string }) {
  return async (channel: string, thread: string | undefined, isIt: (said: Said) => boolean) => {
    let cursor: string | undefined
    for (let page = 0; page < (thread ? 5 : 1); page++) {
      const args = { channel, include_all_metadata: true, ...(cursor ? { cursor } : {}) }
      const answer = thread
        ? await call('conversations.replies', { ...args, ts: thread, limit: 999 })
        : await call('conversations.history', { ...args, limit: 100 })
      const { messages, response_metadata } = Page.parse(answer)
      const ours = messages.find(
        (said) => (said.bot_id === self.botId || said.user === self.botUser) && isIt(said),
      )
      if (ours) return ours.ts
      cursor = response_metadata?.next_cursor || undefined
      if (!cursor) return undefined
    }
    return undefined
  }
}

/** Looks for our own message that carries this metadata. */
export function findWith(call: Call, self: { botId: string; botUser: string }): Find {
  const find = findOurs(call, self)
  return (channel, thread, run, part) =>
    find(
      channel,
      thread,
      ({ metadata }) =>
        metadata?.event_type === EVENT_TYPE &&
        metadata.event_payload?.run === run &&
        metadata.event_payload.part === part,
    )
}

/** Looks for our own message with a file of this name: a message with files cannot carry metadata. */
export function findFileWith(call: Call, self: { botId: string; botUser: string }) {
  const find = findOurs(call, self)
  return (channel: string, thread: string, name: string): Promise<string | undefined> =>
    find(channel, thread, ({ files }) => files?.some((file) => file.name === name) ?? false)
}

/**
 * Posts. Where the answer of Slack was lost, looks for the message before it posts again. What is dropped for a limit of
 * Slack's is a fault, `slack-limited`.
 */
export function postWith(say: Say, find: Find) {
  return async (
    channel: string,
    thread: string | undefined,
    message: Message,
    options?: SayOptions,
  ): Promise<{ ts: string }> => {
    // Slack must not open links to show what is behind them: that would be a way out for data.
    const quiet = { unfurl_links: false, unfurl_media: false }
    const args = { channel, ...(thread ? { thread_ts: thread } : {}), ...quiet }
    const send = async () => {
      const said = await say('chat.postMessage', args, message, options)
      if (said !== 'dropped') return Posted.parse(said)
      throw new Fault('slack-limited', 'A message waits for a limit of Slack’s to end.', { retry: true })
    }
    try {
      return await send()
    } catch (error) {
      if (!(error instanceof Fault) || !mayHaveArrived(error.cause) || !message.metadata) throw error
      const ts = await find(channel, thread, message.metadata.run, message.metadata.part)
      return ts ? { ts } : send()
    }
  }
}

const EVENT_TYPE = 'quorum_message'
const Posted = z.object({ ts: z.string() })
const Metadata = z.object({
  event_type: z.string(),
  event_payload: z.record(z.string(), z.unknown()).optional(),
})
const Page = z.object({
  messages: z.array(
    z.object({
      ts: z.string(),
      user: z.string().optional(),
      bot_id: z.string().optional(),
      metadata: Metadata.optional(),
      files: z.array(z.object({ name: z.string().nullish() })).optional(),
    }),
  ),
  response_metadata: z.object({ next_cursor: z.string().optional() }).optional(),
})

function wireOf(message: Message) {
  const { run, part } = message.metadata ?? {}
  return {
    text: message.text,
    ...(message.blocks ? { blocks: message.blocks } : {}),
    ...(message.metadata ? { metadata: { event_type: EVENT_TYPE, event_payload: { run, part } } } : {}),
    parse: 'none',
    link_names: false,
  }
}

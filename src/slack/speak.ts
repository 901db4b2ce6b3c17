/** Everything the agent says to Slack. */
import type { View } from '@slack/types'
import { z } from 'zod'
import { Fault } from '../core/fault.ts'
import { type Call, openCalls, type Priority } from './call.ts'
import { mayHaveArrived, slackWord } from './faults.ts'
import { type Identity, identify, webClient } from './identify.ts'
import type { Log, Message } from './message.ts'
import { openPeople, type People } from './people.ts'

export type Speak = People & {
  /** Posts; `thread` undefined posts to the channel itself. Never twice, also where Slack's answer was lost and the message has metadata. */
  post(channel: string, thread: string | undefined, message: Message, options?: Say): Promise<{ ts: string }>
  /** Edits. A droppable edit is dropped where Slack limits us. */
  update(
    channel: string,
    ts: string,
    message: Message,
    options?: Say & { droppable?: boolean },
  ): Promise<'sent' | 'dropped'>
  /** Only `user` sees it, until they reload. */
  whisper(channel: string, user: string, thread: string | undefined, message: Message): Promise<void>
  /** Answers a command or a click at the address Slack gave with it; only the person sees it, unless `replace`. */
  respond(url: string, message: Message, options?: { replace?: boolean }): Promise<void>
  /** The ts of our message with this metadata, if it was posted. Looks at the 1,000 oldest replies, or the 100 newest messages of a channel. */
  find(channel: string, thread: string | undefined, run: string, part: string): Promise<string | undefined>
  /** Where Slack shows agent sessions: the state of this one. Never fails; silent where Slack does not know sessions. */
  status(channel: string, thread: string, status: SessionStatus): Promise<void>
  /** Within 3 s of the click that carried `trigger`. */
  openView(trigger: string, view: View): Promise<void>
  publishHome(user: string, view: View): Promise<void>
}
export type SessionStatus = 'processing' | 'suspended' | 'active' | 'closed'
type Say = { priority?: Priority }

export type SpeakerSettings = { botToken: string; apiUrl?: string | undefined; log?: Log | undefined }
export type Speaker = {
  identity: Identity
  speak: Speak
  close(): void
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Checks the token and its scopes, and opens what a process that only speaks needs.
 * @throws Fault slack-token, slack-scope, slack-unreachable
 */
export async function openSpeaker(settings: SpeakerSettings): Promise<Speaker> {
  const client = webClient(settings.botToken, settings.apiUrl, settings.log)
  const calls = openCalls(client)
  try {
    const identity = await identify(calls.call, settings.log)
    const speak = speakWith(calls.call, identity, settings)
    return { identity, speak, close: calls.close, [Symbol.asyncDispose]: async () => calls.close() }
  } catch (error) {
    calls.close()
    throw error
  }
}

/** Slack's words for blocks it does not take; the text is sent instead. */
const BAD_BLOCKS = new Set([
  'invalid_blocks',
  'invalid_blocks_format',
  'msg_blocks_too_long',
  'unsupported_block',
])
/** Slack's words for a workspace or an app without agent sessions. */
const NO_SESSIONS =
  /^(unknown_method|not_allowed|missing_scope|feature_|access_denied|no_permission|method_|.*not_enabled|.*not_agent)/

function speakWith(call: Call, identity: Identity, settings: SpeakerSettings): Speak {
  const { log } = settings
  let sessions = true

  async function say(
    method: 'chat.postMessage' | 'chat.update' | 'chat.postEphemeral',
    args: object,
    message: Message,
    options: Say & { droppable?: boolean } = {},
  ) {
    const full = { ...args, ...wireOf(message) }
    try {
      return await call(method, full, options)
    } catch (error) {
      const word = slackWord(error)
      if (!message.blocks || !word || !BAD_BLOCKS.has(word)) throw error
      log?.('warn', 'Slack refused the blocks of a message; its text is sent instead', {
        method,
        error: String(error),
      })
      return await call(method, { ...full, blocks: method === 'chat.update' ? [] : undefined }, options)
    }
  }

  async function post(channel: string, thread: string | undefined, message: Message, options: Say = {}) {
    // Slack must not open links to show what is behind them: that would be a way out for data.
    const args = {
      channel,
      ...(thread ? { thread_ts: thread } : {}),
      unfurl_links: false,
      unfurl_media: false,
    }
    const posted = z.object({ ts: z.string() })
    try {
      return posted.parse(await say('chat.postMessage', args, message, options))
    } catch (error) {
      if (!(error instanceof Fault) || !mayHaveArrived(error.cause) || !message.metadata) throw error
      const ts = await find(channel, thread, message.metadata.run, message.metadata.part)
      return ts ? { ts } : posted.parse(await say('chat.postMessage', args, message, options))
    }
  }

  async function find(channel: string, thread: string | undefined, run: string, part: string) {
    let cursor: string | undefined
    for (let page = 0; page < (thread ? 5 : 1); page++) {
      const args = { channel, include_all_metadata: true, ...(cursor ? { cursor } : {}) }
      const answer = thread
        ? await call('conversations.replies', { ...args, ts: thread, limit: 200 })
        : await call('conversations.history', { ...args, limit: 100 })
      const { messages, response_metadata } = Page.parse(answer)
      const ours = messages.find(
        ({ metadata, bot_id, user }) =>
          (bot_id === identity.botId || user === identity.botUser) &&
          metadata?.event_type === EVENT_TYPE &&
          metadata.event_payload?.run === run &&
          metadata.event_payload.part === part,
      )
      if (ours) return ours.ts
      cursor = response_metadata?.next_cursor || undefined
      if (!cursor) return undefined
    }
    return undefined
  }

  async function status(channel: string, thread: string, state: SessionStatus) {
    if (!sessions) return
    try {
      const args = { channel_id: channel, thread_ts: thread, status: state }
      await call('agents.sessions.setStatus', args, {
        priority: 'progress',
        droppable: state === 'processing',
      })
    } catch (error) {
      if (NO_SESSIONS.test(slackWord(error) ?? '')) {
        sessions = false
        log?.('info', 'This workspace has no agent sessions; they are not used', { error: String(error) })
      } else log?.('debug', 'The state of an agent session was not set', { error: String(error) })
    }
  }

  return {
    ...openPeople(call, log),
    post,
    find,
    status,
    update: async (channel, ts, message, options = {}) => {
      const answer = await say('chat.update', { channel, ts }, message, options)
      return answer === 'dropped' ? 'dropped' : 'sent'
    },
    whisper: async (channel, user, thread, message) => {
      const args = { channel, user, ...(thread ? { thread_ts: thread } : {}) }
      const { metadata: _, ...rest } = message
      await say('chat.postEphemeral', args, rest)
    },
    respond: (url, message, options = {}) => respond(url, message, { ...options, apiUrl: settings.apiUrl }),
    openView: async (trigger, view) => {
      await call('views.open', { trigger_id: trigger, view })
    },
    publishHome: async (user, view) => {
      await call('views.publish', { user_id: user, view })
    },
  }
}

const EVENT_TYPE = 'quorum_message'
const Page = z.object({
  messages: z.array(
    z.object({
      ts: z.string(),
      user: z.string().optional(),
      bot_id: z.string().optional(),
      metadata: z
        .object({ event_type: z.string(), event_payload: z.record(z.string(), z.unknown()).optional() })
        .optional(),
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

async function respond(
  url: string,
  message: Message,
  options: { replace?: boolean; apiUrl?: string | undefined },
) {
  const { protocol, hostname, origin } = new URL(url)
  const slack = protocol === 'https:' && /(^|\.)slack(-gov)?\.com$/.test(hostname)
  if (!slack && !(options.apiUrl && new URL(options.apiUrl).origin === origin)) {
    throw new Fault('slack-refused', `An answer was asked for at ${hostname}, which is not Slack.`)
  }
  const body = {
    text: message.text,
    ...(message.blocks ? { blocks: message.blocks } : {}),
    ...(options.replace
      ? { replace_original: true }
      : { response_type: 'ephemeral', replace_original: false }),
  }
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    })
  } catch (cause) {
    throw new Fault('slack-unreachable', 'Slack cannot be reached to answer a command or click.', {
      retry: true,
      cause,
    })
  }
  const words = await response.text()
  if (response.ok) return
  const sentence = `Slack refused the answer to a command or click: HTTP ${response.status} ${words.slice(0, 100)}`
  throw new Fault('slack-refused', sentence, { retry: response.status === 429 || response.status >= 500 })
}

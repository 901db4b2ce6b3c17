/** Everything the agent says to Slack. */
import type { View } from '@slack/types'
import { z } from 'zod'
import { clean, cut } from './blocks/text.ts'
import { type Call, openCalls } from './call.ts'
import { type Channels, openChannels } from './channels.ts'
import { slackWord } from './faults.ts'
import { type Identity, identify, webClient } from './identify.ts'
import type { Log, Message } from './message.ts'
import { type Missed, openMissed } from './missed.ts'
import { openPeople, type People } from './people.ts'
import { findFileWith, findWith, postWith, type SayOptions, sayWith } from './post.ts'
import { openReading, type Reading } from './reading.ts'
import { respond } from './respond.ts'
import { openRoster, type Roster } from './roster.ts'
import { openStreams, type Streams } from './stream.ts'
import { fixedToken, type Tokens } from './token.ts'
import { type File, uploadWith } from './upload.ts'

export type Speak = People & {
  roster: Roster
  /**
   * Posts; `thread` undefined posts to the channel itself. Never twice, also where Slack's answer was lost and the message
   * has metadata. @throws Fault, `slack-limited` where it was droppable and was dropped
   */
  post(
    channel: string,
    thread: string | undefined,
    message: Message,
    options?: SayOptions,
  ): Promise<{ ts: string }>
  /** Puts files into a thread, in one message whose text is `comment`; gives the id of the first. @throws Fault */
  upload(channel: string, thread: string, files: readonly File[], comment: string): Promise<{ file: string }>
  /** The ts of our message in the thread with a file of this name. */
  findFile(channel: string, thread: string, name: string): Promise<string | undefined>
  /** Edits. A droppable edit is dropped where Slack limits us. */
  update(channel: string, ts: string, message: Message, options?: SayOptions): Promise<'sent' | 'dropped'>
  /** Takes one of our messages away; fine where it is gone. Says whether it is gone. Never fails. */
  remove(channel: string, ts: string): Promise<boolean>
  streams: Streams
  /** Only `user` sees it, until they reload. */
  whisper(channel: string, user: string, thread: string | undefined, message: Message): Promise<void>
  /** The address of a message; undefined where Slack does not tell. */
  permalink(channel: string, ts: string): Promise<string | undefined>
  /** Answers a command or a click at the address Slack gave with it; only the person sees it, unless `replace`. */
  respond(url: string, message: Message, options?: { replace?: boolean }): Promise<void>
  /** The ts of our message with this metadata, if it was posted. Looks at the 5,000 oldest replies, or the 100 newest messages of a channel. */
  find(channel: string, thread: string | undefined, run: string, part: string): Promise<string | undefined>
  /**
   * Where Slack shows agent sessions: the state of this one. Never fails; silent where Slack does not know sessions.
   * `begun` counts where the session is new: what it is called, and who began it.
   */
  status(
    channel: string,
    thread: string,
    status: SessionStatus,
    begun?: { title: string; by: string },
  ): Promise<void>
  /** Within 3 s of the click that carried `trigger`. */
  openView(trigger: string, view: View): Promise<void>
  publishHome(user: string, view: View): Promise<void>
}
export type SessionStatus = 'processing' | 'suspended' | 'active' | 'closed'

export type SpeakerSettings = {
  botToken: string | Tokens
  /** The workspace that is meant, where an organisation's token is good for several. */
  workspace?: string | undefined
  apiUrl?: string | undefined
  /**
   * How fast the clock of Slack's published limits goes: as ours with Slack itself. The local workspace has none unless
   * it is told to.
   */
  speed?: number | undefined
  log?: Log | undefined
}
export type Speaker = {
  identity: Identity
  speak: Speak
  channels: Channels
  /** What was said to us while Slack could not reach us. */
  missed: Missed
  reading: Reading
  close(): void
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Checks the token and its scopes, and opens what a process that only speaks needs.
 * @throws Fault slack-token, slack-scope, slack-unreachable
 */
export async function openSpeaker(settings: SpeakerSettings): Promise<Speaker> {
  const { botToken, workspace, apiUrl, log, speed = apiUrl ? undefined : 1 } = settings
  const tokens = typeof botToken === 'string' ? fixedToken(botToken) : botToken
  const calls = openCalls(webClient(tokens, { apiUrl, log, team: workspace }), tokens, { speed, log })
  try {
    const identity = await identify(calls.call, log, workspace)
    const speak = speakWith(calls.call, identity, settings)
    const channels = openChannels(calls.call, identity, speak.name)
    const reading = openReading(calls.call, identity, { tokens, apiUrl })
    return {
      identity,
      speak,
      channels,
      missed: openMissed(calls.call, identity),
      reading,
      close: calls.close,
      [Symbol.asyncDispose]: async () => calls.close(),
    }
  } catch (error) {
    calls.close()
    throw error
  }
}

/** Slack's words for a workspace or an app without agent sessions. */
const NO_SESSIONS =
  /^(unknown_method|not_allowed|missing_scope|feature_|access_denied|no_permission|method_|.*not_enabled|.*not_agent)/

function speakWith(call: Call, identity: Identity, settings: SpeakerSettings): Speak {
  const { log, apiUrl } = settings
  const say = sayWith(call, log)
  const find = findWith(call, identity)
  return {
    ...openPeople(call, identity.workspace, log),
    roster: openRoster(call, identity.workspace),
    post: postWith(say, find),
    find,
    findFile: findFileWith(call, identity),
    upload: uploadWith(call),
    streams: openStreams(call, identity, log),
    remove: async (channel, ts) => {
      try {
        await call('chat.delete', { channel, ts }, { priority: 'progress' })
        return true
      } catch (error) {
        log?.('debug', 'A message could not be taken away', { error: String(error) })
        return slackWord(error) === 'message_not_found'
      }
    },
    status: statusWith(call, log),
    update: async (channel, ts, message, options = {}) => {
      const answer = await say('chat.update', { channel, ts }, message, options)
      return answer === 'dropped' ? 'dropped' : 'sent'
    },
    whisper: async (channel, user, thread, message) => {
      const args = { channel, user, ...(thread ? { thread_ts: thread } : {}) }
      const { metadata: _, ...rest } = message
      await say('chat.postEphemeral', args, rest)
    },
    permalink: async (channel, ts) => {
      try {
        const answer = await call('chat.getPermalink', { channel, message_ts: ts })
        return z.object({ permalink: z.string() }).parse(answer).permalink
      } catch {
        return undefined
      }
    },
    respond: (url, message, options = {}) => respond(url, message, { ...options, apiUrl }),
    openView: async (trigger, view) => {
      await call('views.open', { trigger_id: trigger, view })
    },
    publishHome: async (user, view) => {
      await call('views.publish', { user_id: user, view })
    },
  }
}

/** A question as the name of its session: one line, without tokens of people and channels. */
function titleOf(question: string): string {
  const line = clean(question)
    .replace(/<[@#!][^>]*>/g, '…')
    .replace(/\s+/g, ' ')
    .trim()
  return cut(line, LONGEST_TITLE) || 'A question'
}

/** How long the state of a session waits for room, in ms. */
const UNTOLD_MS = 10 * 60_000

/** Slack takes 200 characters; a list of sessions shows fewer. */
const LONGEST_TITLE = 100

function statusWith(call: Call, log: Log | undefined): Speak['status'] {
  let sessions = true
  let warned = false
  return async (channel, thread, state, begun) => {
    if (!sessions) return
    const session = begun ? { title: titleOf(begun.title), initiator_user_id: begun.by } : {}
    const args = { channel_id: channel, thread_ts: thread, status: state, ...session }
    try {
      const answer = await call('agents.sessions.setStatus', args, {
        priority: 'progress',
        // Slack shows Stop until it is told: that may take a while, but must not be left out.
        droppable: state === 'processing' || UNTOLD_MS,
      })
      const { warning } = answer === 'dropped' ? {} : (answer as { warning?: string })
      if (warning && !warned)
        log?.('warn', 'Slack shows no Stop: subscribe the app to agent_session_stopped', { warning })
      warned ||= warning !== undefined
    } catch (error) {
      sessions = !NO_SESSIONS.test(slackWord(error) ?? '')
      const sentence = sessions
        ? 'The state of an agent session was not set'
        : 'This workspace has no agent sessions; they are not used'
      log?.(sessions ? 'debug' : 'info', sentence, { error: String(error) })
    }
  }
}

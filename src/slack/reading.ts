/** Reading for a run that answers now: what was said before, and the bytes of files. */
import { z } from 'zod'
import type { Said, SharedFile } from '../core/enclosed.ts'
import { Fault } from '../core/fault.ts'
import type { Call } from './call.ts'
import { filesOf } from './enclosed.ts'
import { slackWord } from './faults.ts'
import type { Self } from './hear.ts'
import { WireMessage } from './overhear.ts'
import { wordsOf } from './plain.ts'
import type { Tokens } from './token.ts'

/** What was said somewhere, oldest first; `whole` is false where there was more than was read. */
export type Earlier = { said: (Said & { files: SharedFile[] })[]; whole: boolean }

export type Reading = {
  /**
   * What was said in a thread before the message `before`, its first message included; where that is left out, all of it,
   * by any of its messages. `not-ours` where we may not read it. @throws Fault
   */
  thread(
    channel: string,
    thread: string,
    before: string | undefined,
    signal: AbortSignal,
  ): Promise<Earlier | 'not-ours'>
  /** The newest messages of a channel, without their threads. @throws Fault */
  newest(channel: string, signal: AbortSignal): Promise<Earlier | 'not-ours'>
  /** What a file is, asked of Slack where the message did not say; else why it cannot be had. Never fails. */
  describe(file: SharedFile, signal: AbortSignal): Promise<SharedFile | { why: string }>
  /** The bytes of a file, no more than `most`; else why it cannot be had, which begins with "it". Never fails. */
  file(file: SharedFile, most: number, signal: AbortSignal): Promise<Uint8Array | { why: string }>
}

const Page = z.looseObject({
  messages: z.array(z.unknown()),
  response_metadata: z.looseObject({ next_cursor: z.string().nullish() }).nullish(),
})

/** Slack gives at most so many messages at once; a thread is read no further than so many pages. */
const PAGE = 1_000
const MOST_PAGES = 3
const NEWEST = 30
const NOT_OURS = new Set(['not_in_channel', 'channel_not_found', 'thread_not_found', 'message_not_found'])

/**
 * @param self `scopes` is empty where Slack does not tell
 * @param site where bytes are fetched, and with which token
 */
export function openReading(call: Call, self: Self & { scopes: readonly string[] }, site: Site): Reading {
  const read: Reading['thread'] = async (channel, thread, before, signal) => {
    const said: Earlier['said'] = []
    let cursor: string | undefined
    try {
      for (let pages = 0; pages < MOST_PAGES; pages++) {
        const until = before ? { latest: before, inclusive: false } : {}
        const args = { channel, ts: thread, limit: PAGE, ...until, ...(cursor ? { cursor } : {}) }
        const page = Page.parse(await call('conversations.replies', args, { signal }))
        const root = before === undefined ? rootOf(page.messages, thread) : undefined
        if (root) return await read(channel, root, before, signal)
        said.push(...saidIn(page.messages, self).filter((one) => one.ts !== before))
        cursor = page.response_metadata?.next_cursor || undefined
        if (!cursor) break
      }
      return { said, whole: !cursor }
    } catch (error) {
      if (NOT_OURS.has(slackWord(error) ?? '')) return 'not-ours'
      if (said.length > 0) return { said, whole: false } // What came before Slack made us wait for the rest.
      throw error
    }
  }
  return {
    thread: read,
    newest: async (channel, signal) => {
      try {
        const page = Page.parse(await call('conversations.history', { channel, limit: NEWEST }, { signal }))
        return { said: saidIn(page.messages.toReversed(), self), whole: true }
      } catch (error) {
        if (NOT_OURS.has(slackWord(error) ?? '')) return 'not-ours'
        throw error
      }
    },
    describe: async (file, signal) => {
      if (file.url) return file
      if (self.scopes.length > 0 && !self.scopes.includes('files:read')) return { why: NO_SCOPE }
      try {
        return await describe(call, file, signal)
      } catch (error) {
        return whyNot(error)
      }
    },
    file: async (file, most, signal) => {
      if (self.scopes.length > 0 && !self.scopes.includes('files:read')) return { why: NO_SCOPE }
      try {
        if (file.size !== undefined && file.size > most) return tooLarge(most)
        return file.url ? await download(file.url, most, site, signal) : { why: NO_PLACE }
      } catch {
        return { why: NOT_NOW }
      }
    },
  }
}

/** Of a reply Slack gives nothing else: then the thread is read by its first message. */
function rootOf(messages: readonly unknown[], thread: string): string | undefined {
  const first = WireMessage.safeParse(messages[0]).data
  return messages.length === 1 && first?.thread_ts && first.thread_ts !== thread ? first.thread_ts : undefined
}

/** Subtypes in which somebody says something. */
const SPOKEN = new Set(['file_share', 'thread_broadcast', 'me_message', 'bot_message'])

function saidIn(messages: readonly unknown[], self: Self): Earlier['said'] {
  return messages.flatMap((raw) => {
    const message = WireMessage.safeParse(raw).data
    return message && (!message.subtype || SPOKEN.has(message.subtype)) ? (saidOf(message, self) ?? []) : []
  })
}

/** A message as somebody said it, ours included; undefined where it holds nothing. */
export function saidOf(message: WireMessage, self: Self): Earlier['said'][number] | undefined {
  const { ts, user, bot_id } = message
  const ours = user === self.botUser || (Boolean(bot_id) && bot_id === self.botId)
  const app = Boolean(bot_id) || message.subtype === 'bot_message'
  const from = app && !ours ? (message.bot_profile?.name ?? message.username ?? 'app') : user
  const files = filesOf(message.files)
  const text = wordsOf(message, app && !ours)
  if (!from || (text === '' && files.length === 0)) return undefined
  const quotes = (message.attachments ?? []).length > 0
  const by = ours ? 'us' : app ? 'app' : 'person'
  return { from: from.slice(0, 200), by, ts, text, ...(quotes ? { quotes } : {}), files }
}

function whyNot(error: unknown): { why: string } {
  const word = slackWord(error)
  if (word === 'file_not_found' || word === 'file_deleted') return { why: 'it is not there any more' }
  return { why: error instanceof Fault && error.code === 'slack-scope' ? NO_SCOPE : NOT_NOW }
}

const Described = z.looseObject({ file: z.unknown() })
const NO_PLACE = 'it is kept outside of Slack'
const NO_SCOPE = 'the app lacks the scope files:read'
const NOT_NOW = 'it could not be fetched from Slack just now'

/** Of files in shared channels a message holds no more than the id. */
async function describe(call: Call, { id }: SharedFile, signal: AbortSignal): Promise<SharedFile> {
  const answer = Described.parse(await call('files.info', { file: id }, { signal }))
  return filesOf([answer.file])[0] ?? { id, name: id }
}

/** Where files are, beside Slack's own hosts, and the token that opens them. */
export type Site = { tokens: Pick<Tokens, 'now'>; apiUrl?: string | undefined }

/** The hosts Slack keeps files on; the token must reach no other. */
const HOSTS = new Set(['files.slack.com', 'files.slack-gov.com'])

function isOurs(address: URL, { apiUrl }: Site): boolean {
  if (address.protocol === 'https:' && address.port === '' && HOSTS.has(address.hostname)) return true
  return apiUrl !== undefined && address.origin === new URL(apiUrl).origin
}

/** A redirection would take the token elsewhere, or lead to the page where people sign in: it is not followed. */
async function download(
  url: string,
  most: number,
  site: Site,
  signal: AbortSignal,
): Promise<Uint8Array | { why: string }> {
  const address = URL.canParse(url) ? new URL(url) : undefined
  if (!address || address.username || !isOurs(address, site)) return { why: NO_PLACE }
  const headers = { authorization: `Bearer ${await site.tokens.now()}` }
  const response = await fetch(address, { headers, redirect: 'manual', signal })
  const cancel = () => response.body?.cancel().catch(() => {})
  if (response.status !== 200 || !response.body) {
    await cancel()
    if (response.status >= 500 || response.status === 429) return { why: NOT_NOW }
    return { why: response.status === 404 ? 'it is not there any more' : 'Slack does not give it to me' }
  }
  if (Number(response.headers.get('content-length') ?? 0) > most) {
    await cancel()
    return tooLarge(most)
  }
  return readAll(response.body, most)
}

async function readAll(
  body: ReadableStream<Uint8Array>,
  most: number,
): Promise<Uint8Array | { why: string }> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of body) {
    size += part.length
    if (size > most) return tooLarge(most)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function tooLarge(most: number): { why: string } {
  return { why: `it is larger than ${Math.floor(most / 1024 / 1024)} MB` }
}

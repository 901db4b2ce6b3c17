/** Channels as sources: which we are in, what was said in them, page by page, behind everything else we ask of Slack. */
import { z } from 'zod'
import { Fault } from '../core/fault.ts'
import type { Turn } from '../core/overheard.ts'
import type { Call } from './call.ts'
import { slackWord } from './faults.ts'
import type { Self } from './hear.ts'
import { turnOf, WireMessage } from './overhear.ts'
import { askUser, nameOf, User } from './user.ts'

/** What is known of a channel; `member`: we may read it. */
export type Channel = { id: string; name: string; isPrivate: boolean; archived: boolean; member: boolean }

/**
 * First messages of a channel, newest first, and what hangs on them. `turn` is absent where the message is left out;
 * `replies` where nobody replied.
 */
export type Root = { ts: string; turn?: Turn; replies?: { count: number; latest: string } }

export type Channels = {
  /** Every channel we are a member of. @throws Fault */
  mine(signal?: AbortSignal): Promise<Channel[]>
  /** `not-there` where there is no such channel, or we may not know of it. @throws Fault */
  info(channel: string, signal?: AbortSignal): Promise<Channel | 'not-there'>
  /**
   * The newest first messages said before `before` (exclusive; now where left out) and after `after`. They are all
   * there are down to `reached`; where that is left out, down to `after`. Slack gives as many as it likes: to some apps
   * no more than 15. `not-ours` where we may not read the channel. @throws Fault
   */
  page(
    channel: string,
    range: { before?: string | undefined; after: string },
    signal?: AbortSignal,
  ): Promise<{ roots: Root[]; reached?: string } | 'not-ours'>
  /**
   * What was said in a thread, first message included; all of it, but for threads of thousands of replies (`whole` is
   * false). `not-there` where it is gone. @throws Fault
   */
  thread(
    channel: string,
    root: string,
    signal?: AbortSignal,
  ): Promise<{ turns: Turn[]; whole: boolean } | 'not-there' | 'not-ours'>
  /** The names of people and user groups, kept for an hour; one that Slack does not tell is left out. Never fails. */
  names(ids: readonly string[]): Promise<Map<string, string>>
  /** The address of a message. Made, not asked for. */
  linkTo(channel: string, ts: string, thread?: string): string
}

const Info = z.looseObject({
  id: z.string(),
  name: z.string().nullish(),
  is_private: z.boolean().nullish(),
  is_archived: z.boolean().nullish(),
  is_member: z.boolean().nullish(),
})
const Next = z.looseObject({ next_cursor: z.string().nullish() }).nullish()
const Messages = z.looseObject({
  messages: z.array(z.unknown()),
  has_more: z.boolean().nullish(),
  response_metadata: Next,
})

/** As many as Slack recommends to ask for at once. */
const PAGE = 200
/** A thread is read no further than this many replies. */
const LONGEST_THREAD = 5_000
const NOT_OURS = new Set(['not_in_channel', 'channel_not_found'])

/**
 * @param self `url` is the workspace's address, as auth.test gives it, with a slash at the end
 * @param groupName how a user group is called; the id where Slack does not tell
 */
export function openChannels(
  call: Call,
  self: Self & { url: string },
  groupName: (id: string) => Promise<string>,
): Channels {
  const behind = (signal: AbortSignal | undefined) => ({
    priority: 'background' as const,
    ...(signal ? { signal } : {}),
  })

  return {
    mine: async (signal) => {
      const all: Channel[] = []
      let cursor: string | undefined
      do {
        const answer = await call(
          'users.conversations',
          {
            types: 'public_channel,private_channel',
            exclude_archived: false,
            limit: PAGE,
            ...(cursor ? { cursor } : {}),
          },
          behind(signal),
        )
        const page = z.looseObject({ channels: z.array(Info), response_metadata: Next }).parse(answer)
        all.push(...page.channels.map((info) => ({ ...channelOf(info), member: true })))
        cursor = page.response_metadata?.next_cursor || undefined
      } while (cursor)
      return all
    },
    info: async (channel, signal) => {
      try {
        const answer = await call('conversations.info', { channel }, behind(signal))
        return channelOf(z.looseObject({ channel: Info }).parse(answer).channel)
      } catch (error) {
        if (slackWord(error) === 'channel_not_found') return 'not-there'
        throw error
      }
    },
    page: async (channel, { before, after }, signal) => {
      const args = { channel, oldest: after, limit: PAGE, ...(before ? { latest: before } : {}) }
      try {
        const page = Messages.parse(await call('conversations.history', args, behind(signal)))
        const read = page.messages.flatMap((message) => WireMessage.safeParse(message).data ?? [])
        const roots = read.flatMap((message) => (isRoot(message) ? [rootOf(message, self)] : []))
        if (!page.has_more) return { roots }
        const [reached] = read.map((message) => message.ts).sort()
        if (!reached) throw new Fault('slack-refused', 'Slack gave a page of messages that cannot be read.')
        return { roots, reached }
      } catch (error) {
        if (NOT_OURS.has(slackWord(error) ?? '')) return 'not-ours'
        throw error
      }
    },
    thread: async (channel, root, signal) => {
      const turns: Turn[] = []
      let cursor: string | undefined
      try {
        do {
          const args = { channel, ts: root, limit: PAGE, ...(cursor ? { cursor } : {}) }
          const page = Messages.parse(await call('conversations.replies', args, behind(signal)))
          for (const message of page.messages) {
            const read = WireMessage.safeParse(message).data
            const turn = read && turnOf(read, self)
            if (turn) turns.push(turn)
          }
          cursor = page.response_metadata?.next_cursor || undefined
        } while (cursor && turns.length < LONGEST_THREAD)
        return { turns, whole: !cursor }
      } catch (error) {
        const word = slackWord(error) ?? ''
        if (word === 'thread_not_found') return 'not-there'
        if (NOT_OURS.has(word)) return 'not-ours'
        throw error
      }
    },
    names: openNames(call, groupName),
    linkTo: (channel, ts, thread) => {
      const address = new URL(`archives/${channel}/p${ts.replace('.', '')}`, self.url)
      if (thread && thread !== ts) {
        address.searchParams.set('thread_ts', thread)
        address.searchParams.set('cid', channel)
      }
      return address.href
    },
  }
}

function channelOf(info: z.infer<typeof Info>): Channel {
  return {
    id: info.id,
    name: info.name ?? info.id,
    isPrivate: info.is_private === true,
    archived: info.is_archived === true,
    member: info.is_member === true,
  }
}

/** A reply that was also sent to the channel stands among the first messages, but belongs to its thread. */
function isRoot(message: WireMessage): boolean {
  return !message.thread_ts || message.thread_ts === message.ts
}

function rootOf(message: WireMessage, self: Self): Root {
  const turn = turnOf(message, self)
  const count = message.reply_count ?? 0
  return {
    ts: message.ts,
    ...(turn ? { turn } : {}),
    ...(count > 0 ? { replies: { count, latest: message.latest_reply ?? '' } } : {}),
  }
}

const NAMES_MS = 3_600_000
/** More unknown people than this are looked up by listing the whole workspace. */
const ONE_BY_ONE = 30
const People = z.looseObject({ members: z.array(User), response_metadata: Next })

/** Names in the background: history is of many people at once. */
function openNames(call: Call, groupName: (id: string) => Promise<string>): Channels['names'] {
  const kept = new Map<string, { name: string; until: number }>()
  const lookUp = (id: string) => {
    const one = kept.get(id)
    return one && one.until > Date.now() ? one.name : undefined
  }
  const keep = (id: string, name: string) => kept.set(id, { name, until: Date.now() + NAMES_MS })

  async function askName(id: string): Promise<string | undefined> {
    if (id.startsWith('S')) return groupName(id)
    return askUser(call, id, { priority: 'background' }).then(nameOf, () => undefined)
  }

  async function listAll(): Promise<void> {
    let cursor: string | undefined
    do {
      const args = { limit: PAGE, ...(cursor ? { cursor } : {}) }
      const page = People.parse(await call('users.list', args, { priority: 'background' }))
      for (const user of page.members) keep(user.id, nameOf(user))
      cursor = page.response_metadata?.next_cursor || undefined
    } while (cursor)
  }

  return async (ids) => {
    if (kept.size > 100_000) kept.clear()
    const lacking = () => ids.filter((id) => lookUp(id) === undefined)
    if (lacking().length > ONE_BY_ONE) await listAll().catch(() => {})
    for (const id of lacking()) {
      const name = await askName(id)
      if (name !== undefined && name !== id) keep(id, name)
    }
    return new Map(
      ids.flatMap((id): [string, string][] => {
        const name = lookUp(id)
        return name === undefined ? [] : [[id, name]]
      }),
    )
  }
}

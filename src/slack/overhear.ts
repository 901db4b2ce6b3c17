/** From what Slack sends to what was said in a channel. Pure, and it never throws. */
import { z } from 'zod'
import type { Overheard, Turn } from '../core/overheard.ts'
import { withoutSecrets } from '../core/secrets.ts'
import type { Self } from './hear.ts'
import { Worded, wordsOf } from './plain.ts'

const id = z.string().min(1)

/** A message as it lies in an event, and in answers of conversations.history and .replies. */
export const WireMessage = Worded.extend({
  subtype: z.string().nullish(),
  ts: id,
  thread_ts: id.nullish(),
  user: z.string().nullish(),
  bot_id: z.string().nullish(),
  username: z.string().nullish(),
  bot_profile: z.looseObject({ name: z.string().nullish() }).nullish(),
  edited: z.looseObject({ ts: z.string() }).nullish(),
  reply_count: z.int().nullish(),
  latest_reply: z.string().nullish(),
})
export type WireMessage = z.infer<typeof WireMessage>

const Envelope = z.object({
  team_id: id.nullish(),
  authorizations: z.array(z.object({ team_id: id.nullish() })).nullish(),
  event: z.looseObject({ type: z.string(), subtype: z.string().nullish(), channel: z.unknown() }),
})
const Changed = z.looseObject({ message: WireMessage })
const Deleted = z.looseObject({
  deleted_ts: id.optional(),
  previous_message: z.looseObject({ ts: id }).nullish(),
})

/** Subtypes in which somebody says something; all the others are Slack telling of itself. */
const SPOKEN = new Set(['file_share', 'thread_broadcast', 'me_message', 'bot_message'])

/** What becomes of a channel by an event. */
const CHANGES: Record<string, 'left' | 'gone' | 'archived' | 'unarchived' | 'renamed'> = {
  channel_left: 'left',
  group_left: 'left',
  channel_deleted: 'gone',
  group_deleted: 'gone',
  channel_archive: 'archived',
  group_archive: 'archived',
  channel_unarchive: 'unarchived',
  group_unarchive: 'unarchived',
  channel_rename: 'renamed',
  group_rename: 'renamed',
}

/** What a delivery tells of a channel; undefined where that is nothing. Direct messages are never listened to. */
export function overhear(body: unknown, self: Self): Overheard | undefined {
  const envelope = Envelope.safeParse(body)
  if (!envelope.success) return undefined
  const { event, authorizations, team_id } = envelope.data
  const workspace = authorizations?.[0]?.team_id ?? self.workspace ?? team_id
  const channel = channelOf(event.channel)
  if (!workspace || !channel) return undefined
  const place = { workspace, channel }
  if (event.type === 'message') return overhearMessage(event, place, self)
  if (event.type === 'member_joined_channel' || event.type === 'member_left_channel') {
    if (event.user !== self.botUser) return undefined
    return { kind: 'channel', ...place, change: event.type === 'member_left_channel' ? 'left' : 'joined' }
  }
  const change = CHANGES[event.type]
  return change && { kind: 'channel', ...place, change }
}

/** Some events hold the id of the channel, others a description of it. */
function channelOf(channel: unknown): string | undefined {
  const value = typeof channel === 'object' && channel !== null && 'id' in channel ? channel.id : channel
  return typeof value === 'string' && /^[CG]/.test(value) ? value : undefined
}

function overhearMessage(
  event: z.infer<typeof Envelope>['event'],
  place: { workspace: string; channel: string },
  self: Self,
): Overheard | undefined {
  if (event.subtype === 'message_deleted') {
    const deleted = Deleted.safeParse(event)
    const ts = deleted.data?.deleted_ts ?? deleted.data?.previous_message?.ts
    return ts === undefined ? undefined : { kind: 'unsaid', ...place, ts }
  }
  if (event.subtype === 'message_changed') {
    const changed = Changed.safeParse(event)
    return changed.success ? turnOrGap(changed.data.message, place, self) : undefined
  }
  const message = WireMessage.safeParse(event)
  if (!message.success) return undefined
  const turn = turnOf(message.data, self)
  return turn && { kind: 'said', ...place, turn }
}

/** A changed message that is nothing to keep now may have been kept as it was before. */
function turnOrGap(
  message: WireMessage,
  place: { workspace: string; channel: string },
  self: Self,
): Overheard {
  const turn = turnOf(message, self)
  if (turn) return { kind: 'said', ...place, turn }
  // A tombstone was deleted for good; of a message that may be edited back the later edit counts.
  const edited = message.subtype === 'tombstone' ? undefined : message.edited?.ts
  return { kind: 'unsaid', ...place, ts: message.ts, ...(edited ? { edited } : {}) }
}

/**
 * A message as a turn of the conversation. Undefined for what is left out: what Slack says of itself (joining, topics),
 * what is ours (an answer must not become its own source), what is addressed to us, and what has no words. Secrets are
 * taken out.
 */
export function turnOf(message: WireMessage, self: Self): Turn | undefined {
  const { subtype, user, bot_id, ts, thread_ts, edited } = message
  if (subtype && !SPOKEN.has(subtype)) return undefined
  if (user === self.botUser || (bot_id && bot_id === self.botId) || user === 'USLACKBOT') return undefined
  const app = Boolean(bot_id) || subtype === 'bot_message'
  const author = app ? (message.bot_profile?.name ?? message.username ?? 'app') : user
  if (!author || isForUs(message.text ?? '', self)) return undefined
  const text = withoutSecrets(wordsOf(message, app))
  if (text === '') return undefined
  return {
    ts,
    ...(thread_ts && thread_ts !== ts ? { thread: thread_ts } : {}),
    author: author.slice(0, 200),
    app,
    text,
    ...(edited ? { edited: edited.ts } : {}),
  }
}

/** Whether a message begins by naming us: a question or a command, not a statement. */
function isForUs(raw: string, self: Self): boolean {
  const [, named] = /^\s*<@([A-Z0-9]+)(?:\|[^<>]*)?>/.exec(raw) ?? []
  return named === self.botUser
}

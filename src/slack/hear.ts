/** From what Slack sends to what the agent heard. Pure, and it never throws. */
import { z } from 'zod'
import { Enclosed } from '../core/enclosed.ts'
import type { Heard, HeardOf } from '../core/heard.ts'
import { enclosedIn } from './enclosed.ts'

/** Who we are. Without `workspace` the envelope names it. */
export type Self = { workspace?: string; botUser: string; botId: string }

/** Slack's own limit for one message; what is longer is cut. */
const LONGEST_TEXT = 40_000

const id = z.string().min(1)
const Author = z.looseObject({
  user: id.optional(),
  bot_id: z.string().nullish(),
  subtype: z.string().nullish(),
  text: z.string().nullish(),
  ts: id.optional(),
  thread_ts: id.optional(),
  edited: z.object({ ts: z.string() }).nullish(),
})
const Envelope = z.object({
  team_id: id.nullish(),
  event_id: id.optional(),
  authorizations: z.array(z.object({ team_id: id.nullish() })).nullish(),
  is_ext_shared_channel: z.boolean().nullish(),
  event: Author.extend({
    type: z.string(),
    channel: id,
    channel_type: z.string().nullish(),
    message: Author.nullish(),
    previous_message: Author.nullish(),
    deleted_ts: id.optional(),
    event_ts: id.optional(),
  }),
})
const Click = z.object({
  type: z.literal('block_actions'),
  team: z.object({ id }).nullish(),
  user: z.object({ id }),
  channel: z.object({ id }).nullish(),
  container: z.object({ channel_id: id.optional(), thread_ts: id.optional() }).nullish(),
  message: z.object({ thread_ts: id.optional() }).nullish(),
  response_url: z.string().optional(),
  actions: z.array(z.object({ action_id: z.string(), value: z.string().optional(), action_ts: id })).min(1),
})
const Submission = z.object({
  type: z.literal('view_submission'),
  team: z.object({ id }).nullish(),
  user: z.object({ id }),
  view: z.object({
    id,
    callback_id: z.enum(['edit', 'answer', 'feedback', 'preferences', 'ask_about', 'share', 'settings']),
    private_metadata: z.string(),
    state: z.object({ values: z.record(z.string(), z.record(z.string(), z.unknown())) }),
  }),
})
const Command = z.object({
  command: z.string(),
  team_id: id.nullish(),
  channel_id: id,
  user_id: id,
  text: z.string().nullish(),
  trigger_id: id,
  response_url: z.string(),
})

/** What stands in a delivery from Slack, or `ignored` where it is nothing for an agent. */
export function hear(body: unknown, self: Self): Heard | 'ignored' {
  const envelope = Envelope.safeParse(body)
  if (envelope.success) return hearEvent(envelope.data, self)
  const click = Click.safeParse(body)
  if (click.success) return hearClick(click.data, self)
  const submission = Submission.safeParse(body)
  if (submission.success) return hearSubmission(submission.data, self)
  const command = Command.safeParse(body)
  if (command.success) return hearCommand(command.data, self)
  return 'ignored'
}

function hearEvent(body: z.infer<typeof Envelope>, self: Self): Heard | 'ignored' {
  const { event } = body
  const workspace = body.authorizations?.[0]?.team_id ?? self.workspace ?? body.team_id
  if (!workspace) return 'ignored'
  const place = { workspace, channel: event.channel }
  if (event.type === 'agent_session_stopped') {
    if (!event.user || !event.thread_ts || !body.event_id) return 'ignored'
    return {
      kind: 'interrupted',
      ...place,
      user: event.user,
      thread: event.thread_ts,
      eventId: body.event_id,
      ...(event.event_ts ? { ts: event.event_ts } : {}),
    }
  }
  if (event.type !== 'message' && event.type !== 'app_mention') return 'ignored'
  if (event.subtype === 'message_deleted') return hearDeletion(event, place, self)
  const heard =
    event.subtype === 'message_changed' ? hearChange(event, place, self) : hearMessage(event, place, self)
  if (heard === 'ignored' || heard.kind === 'deleted' || body.is_ext_shared_channel !== true) return heard
  return { ...heard, shared: true }
}

type SlackEvent = z.infer<typeof Envelope>['event']
type Place = { workspace: string; channel: string }

/** Subtypes that are still a person writing. */
const SPOKEN = new Set(['file_share', 'thread_broadcast', 'me_message'])

function byPerson(message: z.infer<typeof Author>, self: Self): boolean {
  if (message.bot_id) return false
  if (message.user === self.botUser || message.user === 'USLACKBOT') return false
  return !message.subtype || SPOKEN.has(message.subtype)
}

function hearMessage(event: SlackEvent, place: Place, self: Self): HeardOf<'message'> | 'ignored' {
  if (!event.user || !event.ts || !byPerson(event, self)) return 'ignored'
  const raw = event.text ?? ''
  return {
    kind: 'message',
    ...place,
    user: event.user,
    ts: event.ts,
    ...threadOf(event),
    text: readable(raw, self),
    mention: event.type === 'app_mention' || mentions(raw, self),
    forOther: forOther(raw, self),
    dm: isDirect(event),
    ...enclosedIn(event, isDirect(event) ? event.channel : undefined),
  }
}

function mentions(raw: string, self: Self): boolean {
  return raw.includes(`<@${self.botUser}>`) || raw.includes(`<@${self.botUser}|`)
}

function isDirect(event: SlackEvent): boolean {
  return event.channel_type === 'im' || event.channel.startsWith('D')
}

function hearChange(event: SlackEvent, place: Place, self: Self): HeardOf<'edited' | 'deleted'> | 'ignored' {
  const now = event.message
  const before = event.previous_message
  if (!now?.ts) return 'ignored'
  // A deleted message that others replied to stays as a tombstone, and arrives as a change.
  if (now.subtype === 'tombstone') {
    if (before && !byPerson(before, self)) return 'ignored'
    const gone = {
      user: before?.user ?? '',
      mention: mentions(before?.text ?? '', self),
      dm: isDirect(event),
    }
    return { kind: 'deleted', ...place, ...gone, ts: now.ts, ...threadOf(now) }
  }
  if (!now.user || !byPerson(now, self)) return 'ignored'
  if (!now.edited || (before && (before.text ?? '') === (now.text ?? ''))) return 'ignored'
  return {
    kind: 'edited',
    ...place,
    user: now.user,
    ts: now.ts,
    ...threadOf(now),
    text: readable(now.text ?? '', self),
    editedTs: now.edited.ts,
    mention: mentions(now.text ?? '', self),
    dm: isDirect(event),
    ...enclosedIn(now),
  }
}

function hearDeletion(event: SlackEvent, place: Place, self: Self): Heard | 'ignored' {
  const before = event.previous_message
  const ts = event.deleted_ts ?? before?.ts
  if (!ts || (before && !byPerson(before, self))) return 'ignored'
  const gone = { user: before?.user ?? '', mention: mentions(before?.text ?? '', self), dm: isDirect(event) }
  return { kind: 'deleted', ...place, ...gone, ts, ...(before ? threadOf(before) : {}) }
}

function hearClick(body: z.infer<typeof Click>, self: Self): Heard | 'ignored' {
  const action = body.actions[0]
  const channel = body.channel?.id ?? body.container?.channel_id
  const thread = body.container?.thread_ts ?? body.message?.thread_ts
  // Across a Grid or a shared channel the clicker's team is not the team that installed us.
  const workspace = self.workspace ?? body.team?.id
  if (!action?.value || !workspace) return 'ignored'
  const pressed = { workspace, user: body.user.id, clickTs: action.action_ts }
  const { action_id: name, value: subject } = action
  if (name === 'disconnect' || name === 'stop' || name === 'raise' || name === 'feedback')
    return { kind: 'pressed', ...pressed, channel: channel ?? '', button: name, subject }
  const choice = CHOICES[name]
  if (!choice || !channel) return 'ignored'
  const [, approval = subject, round] = name === 'decline' ? (/^(\S+) (\d+)$/.exec(subject) ?? []) : []
  return {
    kind: 'clicked',
    ...pressed,
    channel,
    ...choice,
    approval,
    ...(round ? { round: Number(round) } : {}),
    ...(thread ? { thread } : {}),
    ...(body.response_url ? { responseUrl: body.response_url } : {}),
  }
}

/** What the buttons of an approval card say. */
const CHOICES: Record<string, Pick<HeardOf<'clicked'>, 'choice' | 'batch'>> = {
  approve: { choice: 'approve' },
  deny: { choice: 'deny' },
  'approve-all': { choice: 'approve', batch: true },
  'deny-all': { choice: 'deny', batch: true },
  again: { choice: 'again' },
  done: { choice: 'done' },
  'not-done': { choice: 'not-done' },
  decline: { choice: 'decline' },
}

/** What stands in `private_metadata` of our modals: whose they are. */
const Whose = z.object({
  approval: id,
  channel: id,
  thread: id.optional(),
  round: z.int().positive().optional(),
})

/** What stands in `private_metadata` of modals that are not about a call. Sent from App Home they have no channel. */
const About = z.object({
  subject: z.string(),
  channel: z.string(),
  thread: id.optional(),
  ...Enclosed.shape,
  responseUrl: z.string().optional(),
})

function hearSubmission(body: z.infer<typeof Submission>, self: Self): Heard | 'ignored' {
  const workspace = self.workspace ?? body.team?.id
  if (!workspace) return 'ignored'
  const { id: view, callback_id: form, private_metadata: held, state } = body.view
  const sent = { workspace, user: body.user.id, view, values: valuesOf(state.values) }
  if (form === 'edit' || form === 'answer') {
    const whose = Whose.safeParse(jsonOf(held))
    return whose.success ? { kind: 'submitted', form, ...sent, ...whose.data } : 'ignored'
  }
  const about = About.safeParse(jsonOf(held))
  return about.success ? { kind: 'filled', form, ...sent, ...about.data } : 'ignored'
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What was filled in, by the id of its block: text, a date, seconds, the value of a choice, or a list of them. */
function valuesOf(state: Record<string, Record<string, unknown>>): Record<string, unknown> {
  const Held = z.looseObject({
    type: z.string(),
    value: z.string().nullish(),
    selected_option: z.object({ value: z.string() }).nullish(),
    selected_options: z.array(z.object({ value: z.string() })).nullish(),
    selected_users: z.array(z.string()).nullish(),
    selected_date: z.string().nullish(),
    selected_date_time: z.number().nullish(),
  })
  return Object.fromEntries(
    Object.entries(state).flatMap(([block, actions]) => {
      const read = Held.safeParse(Object.values(actions)[0])
      if (!read.success) return []
      const { value, selected_option: one, selected_options: several } = read.data
      const { selected_date: day, selected_date_time: moment, selected_users: people } = read.data
      const list = several?.map((option) => option.value) ?? people
      const given = list ?? one?.value ?? day ?? moment ?? value
      return given === undefined || given === null ? [] : [[block, given]]
    }),
  )
}

function hearCommand(body: z.infer<typeof Command>, self: Self): Heard | 'ignored' {
  const workspace = self.workspace ?? body.team_id
  if (!workspace) return 'ignored'
  const text = readable(body.text ?? '', self)
  const [word = ''] = text.split(/\s+/, 1)
  return {
    kind: 'commanded',
    workspace,
    channel: body.channel_id,
    user: body.user_id,
    word: word.toLowerCase() || 'help',
    rest: text.slice(word.length).trim(),
    trigger: body.trigger_id,
    responseUrl: body.response_url,
  }
}

function threadOf(message: { ts?: string | undefined; thread_ts?: string | undefined }) {
  return message.thread_ts && message.thread_ts !== message.ts ? { thread: message.thread_ts } : {}
}

/** Whether the first one mentioned is not us. A group counts: its members are meant. */
function forOther(raw: string, self: Self): boolean {
  const first = /<(?:@([UWB][A-Z0-9]+)|!subteam\^([A-Z0-9]+))/.exec(raw)
  return first !== null && first[1] !== self.botUser
}

/** Slack's escaped text as a person wrote it: our mention gone, links and channels spelt out, other mentions kept. */
function readable(raw: string, self: Self): string {
  const long = raw.length > LONGEST_TEXT
  const text = (long ? raw.slice(0, LONGEST_TEXT) : raw)
    .replace(
      /<([@#!]?)([^<>|\s][^<>|]*)(?:\|([^<>]*))?>/g,
      (whole, sign: string, target: string, label?: string) => {
        if (sign === '@') return target === self.botUser ? '' : `<@${target}>`
        if (sign === '#') return label ? `#${label}` : whole
        if (sign === '!') return label || `@${target.replace(/^subteam\^/, '')}`
        return label && !target.endsWith(label) ? `${label} (${target})` : target
      },
    )
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
    .replaceAll('\0', '')
    .toWellFormed()
    .trim()
  return long ? `${text}\n[The message was cut here: it had ${raw.length} characters.]` : text
}

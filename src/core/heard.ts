/** What the agent heard from Slack, freed of Slack's shapes: the inbox holds exactly this. */
import { z } from 'zod'
import { Enclosed } from './enclosed.ts'

/** What a prompt of a tool server made, by its name: fetched once, so that what is asked is what was shown. */
export const Made = z.object({ prompt: z.string(), text: z.string() })
export type Made = z.infer<typeof Made>

const where = { workspace: z.string(), channel: z.string(), user: z.string() }

export const Heard = z.discriminatedUnion('kind', [
  /** A person wrote. `thread` is the thread's first ts where the message is a reply. */
  z.object({
    kind: z.literal('message'),
    ...where,
    ts: z.string(),
    thread: z.string().optional(),
    /** The text with our own mention removed and trimmed. */
    text: z.string(),
    mention: z.boolean(),
    /** Somebody else is mentioned first: the message is for them. */
    forOther: z.boolean(),
    dm: z.boolean(),
    /** People of other organisations share the channel, or may: then it is looked who wrote. */
    shared: z.literal(true).optional(),
    made: Made.optional(),
    ...Enclosed.shape,
  }),
  /** A person changed the words of an earlier message. */
  z.object({
    kind: z.literal('edited'),
    ...where,
    ts: z.string(),
    thread: z.string().optional(),
    text: z.string(),
    editedTs: z.string(),
    mention: z.boolean(),
    dm: z.boolean(),
    shared: z.literal(true).optional(),
    ...Enclosed.shape,
  }),
  z.object({
    kind: z.literal('deleted'),
    ...where,
    ts: z.string(),
    thread: z.string().optional(),
    mention: z.boolean(),
    dm: z.boolean(),
  }),
  /** A button of an approval card was pressed; `again`, `done` and `not-done`
   * say what became of a call with an unknown outcome, `decline` that a tool server gets no answer. */
  z.object({
    kind: z.literal('clicked'),
    ...where,
    choice: z.enum(['approve', 'deny', 'again', 'done', 'not-done', 'decline']),
    /** The approval, or the batch of all that stand on the card. */
    approval: z.string(),
    batch: z.boolean().optional(),
    /** Which question of the tool server is declined, from 1. */
    round: z.int().positive().optional(),
    clickTs: z.string(),
    /** The thread the card stands in. */
    thread: z.string().optional(),
    responseUrl: z.string().optional(),
  }),
  /** A modal was sent: other arguments for a call (`edit`), or an answer to what a tool server wanted to know. */
  z.object({
    kind: z.literal('submitted'),
    ...where,
    form: z.enum(['edit', 'answer']),
    approval: z.string(),
    /** Which question of the tool server is answered, from 1. */
    round: z.int().positive().optional(),
    /** What was filled in, by the id of its block. */
    values: z.record(z.string(), z.unknown()),
    view: z.string(),
    thread: z.string().optional(),
  }),
  /** A button was pressed that is not about a call. `channel` is empty in App Home, which is nowhere. */
  z.object({
    kind: z.literal('pressed'),
    ...where,
    button: z.enum(['disconnect', 'stop', 'raise', 'feedback']),
    subject: z.string(),
    clickTs: z.string(),
  }),
  /** A modal was sent that is not about a call: what it is about, and what was filled in, by the id of its block. */
  z.object({
    kind: z.literal('filled'),
    ...where,
    form: z.enum(['feedback', 'preferences', 'ask_about', 'share', 'settings']),
    subject: z.string(),
    /** The message that a shortcut was used on, and where an answer to it alone can be given. */
    ...Enclosed.shape,
    responseUrl: z.string().optional(),
    values: z.record(z.string(), z.unknown()),
    view: z.string(),
    thread: z.string().optional(),
  }),
  /** `/quorum word rest`. */
  z.object({
    kind: z.literal('commanded'),
    ...where,
    word: z.string(),
    rest: z.string(),
    trigger: z.string(),
    responseUrl: z.string(),
    made: Made.optional(),
  }),
  /** The native Stop of an agent session. */
  z.object({
    kind: z.literal('interrupted'),
    ...where,
    thread: z.string(),
    eventId: z.string(),
    /** When it was pressed, comparable with the ts of messages. Earlier versions did not keep it. */
    ts: z.string().optional(),
  }),
])
export type Heard = z.infer<typeof Heard>
export type HeardOf<K extends Heard['kind']> = Extract<Heard, { kind: K }>

/**
 * The inbox key: equal for every delivery of the same thing, different for different things.
 * `app_mention` and `message` of one post, and all of Slack's retries, share one key.
 */
export function inboxKey(heard: Heard): string {
  const place = `${heard.workspace}:${heard.channel}`
  switch (heard.kind) {
    case 'message':
      return `message:${place}:${heard.ts}`
    case 'edited':
      return `edited:${place}:${heard.ts}:${heard.editedTs}`
    case 'deleted':
      return `deleted:${place}:${heard.ts}`
    case 'clicked':
      return `clicked:${place}:${heard.approval}:${heard.choice}:${heard.user}:${heard.clickTs}`
    case 'submitted':
      return `submitted:${place}:${heard.form}:${heard.approval}:${heard.view}`
    case 'filled':
      return `filled:${place}:${heard.form}:${heard.view}`
    case 'pressed':
      return `pressed:${place}:${heard.button}:${heard.subject}:${heard.user}:${heard.clickTs}`
    case 'commanded':
      return `commanded:${place}:${heard.trigger}`
    case 'interrupted':
      return `interrupted:${place}:${heard.eventId}`
  }
}

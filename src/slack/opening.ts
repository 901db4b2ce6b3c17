/** Buttons, commands and shortcuts that open a modal. Slack gives 3 s from the press, so nothing else comes before it. */
import type { ModalView } from '@slack/types'
import { z } from 'zod'
import type { Enclosed, Pointed } from '../core/enclosed.ts'
import type { HeardOf } from '../core/heard.ts'
import { withoutSecrets } from '../core/secrets.ts'
import { sayMessage } from './blocks/say.ts'
import type { Self } from './hear.ts'
import { OPENERS, type Opener, SHORTCUTS, type Shortcut } from './identify.ts'
import type { Log } from './message.ts'
import { WireMessage } from './overhear.ts'
import { saidOf } from './reading.ts'
import type { Speak } from './speak.ts'

/** Who pressed a button, and where; `channel` is empty in App Home, which is nowhere. */
export type Viewer = { workspace: string; user: string; channel: string; thread?: string | undefined }

/** What stands in a modal that is not about a call: what it is about, and where it was opened. */
export type About = Enclosed & {
  subject: string
  channel: string
  thread?: string | undefined
  responseUrl?: string
}

/** A button that opens a modal was pressed, or a command typed that does; `responseUrl` is the command's. */
export type Opening = {
  button: Opener | Shortcut
  subject: string
  /** The message whose shortcut was used. */
  pointed?: Pointed
  trigger: string
  viewer: Viewer
  responseUrl?: string
  /** Where a press is answered if it cannot be where it was made, as in a channel we are no member of. */
  otherwise?: string
}

const id = z.string().min(1)
const Press = z.object({
  type: z.literal('block_actions'),
  trigger_id: id,
  user: z.object({ id }),
  channel: z.object({ id }).nullish(),
  message: z.object({ ts: id.optional(), thread_ts: id.optional() }).nullish(),
  container: z.object({ channel_id: id.optional(), thread_ts: id.optional() }).nullish(),
  response_url: id.optional(),
  actions: z.array(z.object({ action_id: z.enum(OPENERS), value: id })).min(1),
})

/** Commands that open what a button of the same name opens. */
const COMMANDED = ['trace', 'settings'] as const

/** The modal that a command asks for; undefined where it asks for something else. */
export function commandedOpening(heard: HeardOf<'commanded'>): Opening | undefined {
  const button = COMMANDED.find((word) => word === heard.word)
  const { workspace, channel, user, trigger, responseUrl, rest } = heard
  return button && { button, subject: rest, trigger, viewer: { workspace, channel, user }, responseUrl }
}

const Use = z.object({
  type: z.literal('message_action'),
  callback_id: z.enum(SHORTCUTS),
  trigger_id: id,
  response_url: id,
  user: z.object({ id }),
  channel: z.object({ id }),
  message_ts: id,
  message: z.unknown(),
})

/** The modal that the shortcut of a message asks for; undefined where a delivery is none. */
export function shortcutOf(body: unknown, self: Self & { workspace: string }): Opening | undefined {
  const use = Use.safeParse(body).data
  if (!use) return undefined
  const message = WireMessage.safeParse(use.message).data
  const said = message && saidOf(message, self)
  const text = withoutSecrets(said?.text ?? '')
  const { message_ts: ts, response_url: responseUrl, channel, user } = use
  const thread = message?.thread_ts ?? ts
  return {
    button: use.callback_id,
    subject: ts,
    pointed: { ts, thread, responseUrl, files: [], ...said, text },
    trigger: use.trigger_id,
    viewer: { workspace: self.workspace, user: user.id, channel: channel.id, thread },
    responseUrl,
  }
}

/** The modal that a press asks for; undefined where it asks for none. */
export function openingOf(body: unknown, workspace: string): Opening | undefined {
  const press = Press.safeParse(body)
  const action = press.data?.actions[0]
  if (!press.success || !action) return undefined
  const { trigger_id: trigger, user, channel, message, container, response_url: otherwise } = press.data
  const thread = container?.thread_ts ?? message?.thread_ts ?? message?.ts
  const where = { workspace, user: user.id, channel: channel?.id ?? container?.channel_id ?? '' }
  return {
    button: action.action_id,
    subject: action.value,
    trigger,
    viewer: { ...where, ...(thread ? { thread } : {}) },
    ...(otherwise ? { otherwise } : {}),
  }
}

export type OpenContext = {
  speak: Pick<Speak, 'openView' | 'whisper' | 'respond'>
  /** The modal, a sentence why there is none, or nothing where this press opens none. */
  open(
    button: Opener | Shortcut,
    subject: string,
    viewer: Viewer,
    pointed?: Pointed,
  ): Promise<ModalView | string | undefined>
  log: Log | undefined
}

/** Opens it, or says why not. Never throws. */
export async function openNow({ speak, open, log }: OpenContext, opening: Opening): Promise<void> {
  const { button, subject, trigger, viewer, responseUrl, otherwise, pointed } = opening
  const { channel, user, thread } = viewer
  const tell = async (sentence: string) => {
    if (responseUrl) return speak.respond(responseUrl, sayMessage(sentence))
    if (channel === '') return speak.openView(trigger, sentenceView(sentence))
    try {
      await speak.whisper(channel, user, thread, sayMessage(sentence))
    } catch (error) {
      if (!otherwise) throw error
      await speak.respond(otherwise, sayMessage(sentence))
    }
  }
  try {
    const shown = await open(button, subject, viewer, pointed)
    if (typeof shown === 'string') await tell(shown)
    else if (shown) await speak.openView(trigger, shown)
  } catch (error) {
    log?.('warn', 'A modal could not be shown', { button, subject, error: String(error) })
    await tell(NOT_OPENED).catch((again: unknown) => {
      log?.('warn', 'Nor could that be said', { button, error: String(again) })
    })
  }
}

const NOT_OPENED = 'I could not open that. Try it again.'

/** A sentence where there is no place to whisper it. */
function sentenceView(sentence: string): ModalView {
  return {
    type: 'modal',
    callback_id: 'sentence',
    title: { type: 'plain_text', text: 'Quorum', emoji: false },
    close: { type: 'plain_text', text: 'Close', emoji: false },
    blocks: sayMessage(sentence).blocks ?? [],
  }
}

/** Slack's deliveries: stored first, acknowledged second, handled third. */
import { App, type Receiver, type ReceiverEvent } from '@slack/bolt'
import type { HomeView, ModalView } from '@slack/types'
import { answerAtOnce } from '../core/command.ts'
import type { Heard, HeardOf } from '../core/heard.ts'
import type { Overheard } from '../core/overheard.ts'
import { sayMessage } from './blocks/say.ts'
import { type Change, changeOf } from './changes.ts'
import type { Channels } from './channels.ts'
import { hear } from './hear.ts'
import {
  ACTIONS,
  COMMANDS,
  clientOptions,
  type Identity,
  OPENERS,
  type Opener,
  slackLogger,
} from './identify.ts'
import { lineFor, type SlackSettings } from './line.ts'
import type { Log } from './message.ts'
import { overhear } from './overhear.ts'
import type { Reading } from './reading.ts'
import { openSpeaker, type Speak } from './speak.ts'

export type SlackHandlers = {
  /** Keeps what was said in a channel that is a source, before Slack is answered; throws where it could not. */
  overhear(overheard: Overheard): Promise<void>
  /** Who is who or who is in what changed. Throws where that could not be noted: then Slack repeats it. */
  changed(change: Change): Promise<void>
  /** Writes the inbox row. Throws where it could not: then Slack is not answered, and repeats. */
  intake(heard: Heard): Promise<'stored' | 'known' | 'not-for-us'>
  /** After the acknowledgement, once for each thing stored. */
  handle(heard: Heard): Promise<void>
  /** A button that opens a modal was pressed: the modal, or a sentence why not. Slack waits 3 s for it. */
  open(button: Opener, subject: string, viewer: Viewer): Promise<ModalView | string>
  /** What is wrong with a modal that was sent, by block; undefined where it can be taken. Slack waits 3 s for it. */
  check(heard: HeardOf<'submitted'>): Promise<Record<string, string> | undefined>
  home(user: string): Promise<HomeView>
}

/** Who pressed a button, and where. */
export type Viewer = { workspace: string; user: string; channel: string; thread?: string | undefined }

export type Slack = {
  identity: Identity
  speak: Speak
  channels: Channels
  reading: Reading
  /** Begins to listen. @throws Fault slack-token (app token), slack-unreachable */
  start(): Promise<void>
  /** Whether Slack can reach us now, as far as we know. */
  listening(): boolean
  /** Where Slack should send events; only for HTTP, after start. */
  eventsUrl(): string | undefined
  /** Takes nothing new, lets what is being stored or handled end within `graceMs`, then hangs up. */
  close(graceMs?: number): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Checks the tokens and prepares to listen; nothing arrives before `start`.
 * @throws Fault config-invalid, slack-token, slack-scope, slack-unreachable
 */
export async function openSlack(settings: SlackSettings, on: SlackHandlers): Promise<Slack> {
  const line = lineFor(settings)
  const speaker = await openSpeaker(settings)
  const { identity, speak, channels, reading } = speaker
  const app = boltApp(line.receiver, settings, identity)
  addListeners(app, { speak, identity, on, log: settings.log })
  const running = new Set<Promise<unknown>>()
  const intake = tellOnce(on.intake, settings.log)
  const kept = tellOnce(on.overhear, settings.log)
  let closing = false

  const track = (work: Promise<unknown>): void => {
    const settled = work.catch(() => {}).finally(() => running.delete(settled))
    running.add(settled)
  }
  const processEvent = async (event: ReceiverEvent): Promise<void> => {
    if (closing) throw new Error('This process is closing: another one will take it.')
    const work = take(event, {
      app,
      identity,
      on: { ...on, intake, overhear: kept },
      log: settings.log,
      track,
    })
    track(work)
    await work
  }
  line.receiver.init({ processEvent } as unknown as App)

  let closed: Promise<void> | undefined
  const close = (graceMs = 5000): Promise<void> => {
    closed ??= (async () => {
      closing = true
      await settle(running, graceMs)
      await line.stop()
      speaker.close()
    })()
    return closed
  }
  return {
    identity,
    speak,
    channels,
    reading,
    start: line.start,
    listening: line.listening,
    eventsUrl: line.eventsUrl,
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

type Taking = {
  app: App
  identity: Identity
  on: SlackHandlers
  log: Log | undefined
  track(work: Promise<unknown>): void
}

/** One delivery. Throws, and so stays without an acknowledgement, where it could not be stored. */
async function take(event: ReceiverEvent, { app, identity, on, log, track }: Taking): Promise<void> {
  const change = changeOf(event.body, identity.workspace)
  if (change) await on.changed(change)
  const overheard = overhear(event.body, identity)
  if (overheard) await on.overhear(overheard)
  const heard = hear(event.body, identity)
  if (heard === 'ignored') return acknowledge(app, event)
  const reply = heard.kind === 'commanded' ? answerAtOnce(heard) : undefined
  if (reply) return event.ack({ response_type: 'ephemeral', text: reply })
  if (heard.kind === 'submitted') {
    const errors = await on.check(heard)
    if (errors) return event.ack({ response_action: 'errors', errors })
  }
  let taken: 'stored' | 'known' | 'not-for-us'
  try {
    taken = await on.intake(heard)
  } catch (error) {
    // Slack repeats events, but not commands: the person must be told.
    if (heard.kind === 'commanded') return event.ack({ response_type: 'ephemeral', text: NOT_STORED })
    throw error
  }
  try {
    await acknowledge(app, event)
  } finally {
    // Also where the line broke before the acknowledgement left: it is stored, and the repetition will be known.
    if (taken === 'stored') {
      const failed = (error: unknown) =>
        log?.('error', `Could not handle: ${heard.kind}`, { error: String(error) })
      track(on.handle(heard).catch(failed))
    }
  }
}

/** Says that nothing can be stored when it begins, not for each thing that comes meanwhile. */
function tellOnce<What, Taken>(
  store: (what: What) => Promise<Taken>,
  log: Log | undefined,
): (what: What) => Promise<Taken> {
  let told = false
  return async (what) => {
    try {
      const taken = await store(what)
      if (taken !== 'not-for-us') told = false
      return taken
    } catch (error) {
      const fields = { error: String(error) }
      if (!told) log?.('error', 'What Slack sends cannot be stored; it is not acknowledged', fields)
      told = true
      throw error
    }
  }
}

async function settle(running: Set<Promise<unknown>>, graceMs: number): Promise<void> {
  const until = performance.now() + graceMs
  while (running.size > 0) {
    const left = until - performance.now()
    if (left <= 0) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, left)
    })
    await Promise.race([Promise.all(running), late])
    clearTimeout(timer)
  }
}

/** Bolt acknowledges events before its listeners run, and leaves clicks nobody listens to unanswered: so we count. */
async function acknowledge(app: App, event: ReceiverEvent): Promise<void> {
  let acknowledged = false
  const ack: ReceiverEvent['ack'] = async (response) => {
    acknowledged = true
    await event.ack(response)
  }
  await app.processEvent({ ...event, ack })
  if (!acknowledged) await event.ack()
}

function boltApp(receiver: Receiver, settings: SlackSettings, identity: Identity): App {
  const app = new App({
    receiver,
    authorize: async () => ({
      botToken: settings.botToken,
      botId: identity.botId,
      botUserId: identity.botUser,
    }),
    ignoreSelf: false,
    convoStore: false,
    logger: slackLogger(settings.log),
    clientOptions: clientOptions(settings.apiUrl, settings.log),
  })
  app.error(async (error) => {
    settings.log?.('error', 'A listener failed', { error: String(error) })
  })
  return app
}

type ListenerParts = { speak: Speak; identity: Identity; on: SlackHandlers; log: Log | undefined }

/** What needs no inbox row: it changes nothing, and is asked for again where it is lost. */
function addListeners(app: App, { speak, identity, on, log }: ListenerParts): void {
  const openers: readonly string[] = OPENERS
  for (const action of ACTIONS.filter((name) => !openers.includes(name)))
    app.action(action, async ({ ack }) => ack())
  for (const command of COMMANDS) app.command(command, async ({ ack }) => ack())
  for (const button of OPENERS) {
    app.action({ type: 'block_actions', action_id: button }, async ({ ack, body, action }) => {
      await ack()
      const channel = body.channel?.id
      const subject = 'value' in action && typeof action.value === 'string' ? action.value : ''
      if (!channel || !subject) return
      const thread = body.message?.thread_ts ?? body.message?.ts
      const viewer = { workspace: identity.workspace, user: body.user.id, channel, thread }
      try {
        const shown = await on.open(button, subject, viewer)
        if (typeof shown !== 'string') await speak.openView(body.trigger_id, shown)
        else await speak.whisper(channel, body.user.id, thread, sayMessage(shown))
      } catch (error) {
        log?.('warn', 'A modal could not be shown', { button, subject, error: String(error) })
        await speak.whisper(channel, body.user.id, thread, sayMessage(NOT_OPENED))
      }
    })
  }
  app.event('app_home_opened', async ({ event }) => {
    if (event.tab === 'home') await speak.publishHome(event.user, await on.home(event.user))
  })
}

const NOT_OPENED = 'I could not open that. Press the button again.'
const NOT_STORED =
  'I could not take that down just now, so nothing was started. Please try again in a minute.'

/** Slack's deliveries: stored first, acknowledged second, handled third. */
import { App, type Receiver, type ReceiverEvent } from '@slack/bolt'
import type { HomeView } from '@slack/types'
import { answerAtOnce } from '../core/command.ts'
import type { Heard, HeardOf } from '../core/heard.ts'
import type { Overheard } from '../core/overheard.ts'
import { type Change, changeOf } from './changes.ts'
import { hear } from './hear.ts'
import { ACTIONS, COMMANDS, clientOptions, type Identity, slackLogger } from './identify.ts'
import { type InstallChange, installChangeOf } from './installs.ts'
import { type LineSettings, lineFor } from './line.ts'
import type { Log } from './message.ts'
import { commandedOpening, type OpenContext, openingOf, openNow, shortcutOf } from './opening.ts'
import { overhear } from './overhear.ts'
import type { Speak } from './speak.ts'

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
  open: OpenContext['open']
  /** What is wrong with a modal that was sent, by block; undefined where it can be taken. Slack waits 3 s for it. */
  check(heard: HeardOf<'submitted'>): Promise<Record<string, string> | undefined>
  home(user: string): Promise<HomeView>
}

/** One workspace, as the line sees it: who we are there, and what becomes of what comes from it. */
export type Desk = { identity: Identity; speak: Speak; on: SlackHandlers }

/**
 * Whose a delivery is, by its body; undefined where we serve nobody whose it could be. Throws where that cannot be told
 * yet: then Slack is not answered, and repeats.
 */
export type FindDesk = (body: unknown) => Promise<Desk | undefined> | Desk | undefined

export type Reception = {
  desk: FindDesk
  /** Something became of the app's installations. Throws where that could not be noted. */
  installs?(change: InstallChange): Promise<void>
}

export type Listener = {
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
 * Prepares the one line on which Slack reaches us, for any number of workspaces; nothing arrives before `start`.
 * @throws Fault config-invalid, slack-token
 */
export function openListener(settings: LineSettings, at: Reception): Listener {
  const { log } = settings
  const line = lineFor(settings)
  const app = boltApp(line.receiver, settings)
  addListeners(app, at.desk)
  const running = new Set<Promise<unknown>>()
  const intake = tellOnce((desk: Desk, heard: Heard) => desk.on.intake(heard), log)
  const kept = tellOnce((desk: Desk, overheard: Overheard) => desk.on.overhear(overheard), log)
  let closing = false

  const track = (work: Promise<unknown>): void => {
    const settled = work.catch(() => {}).finally(() => running.delete(settled))
    running.add(settled)
  }
  const processEvent = async (event: ReceiverEvent): Promise<void> => {
    if (closing) throw new Error('This process is closing: another one will take it.')
    const work = takeAt(at, event, { app, intake, kept, log, track })
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
    })()
    return closed
  }
  return {
    start: line.start,
    listening: line.listening,
    eventsUrl: line.eventsUrl,
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

type Taking = {
  app: App
  intake: (desk: Desk, heard: Heard) => ReturnType<SlackHandlers['intake']>
  kept: (desk: Desk, overheard: Overheard) => Promise<void>
  log: Log | undefined
  track(work: Promise<unknown>): void
}

/** Brings a delivery to the desk it is for; one for nobody here is only acknowledged. */
async function takeAt(at: Reception, event: ReceiverEvent, taking: Taking): Promise<void> {
  const change = at.installs && installChangeOf(event.body)
  if (change) {
    await at.installs?.(change)
    return event.ack()
  }
  const desk = await at.desk(event.body)
  await (desk ? take(event, desk, taking) : event.ack())
}

/** One delivery. Throws, and so stays without an acknowledgement, where it could not be stored. */
async function take(
  event: ReceiverEvent,
  desk: Desk,
  { app, intake, kept, log, track }: Taking,
): Promise<void> {
  const { identity, speak, on } = desk
  const opening = openingOf(event.body, identity.workspace) ?? shortcutOf(event.body, identity)
  if (opening) track(openNow({ speak, open: on.open, log }, opening))
  const change = changeOf(event.body, identity.workspace)
  if (change) await on.changed(change)
  const overheard = overhear(event.body, identity)
  if (overheard) await kept(desk, overheard)
  const heard = hear(event.body, identity)
  if (heard === 'ignored') return acknowledge(app, event)
  const reply = heard.kind === 'commanded' ? answerAtOnce(heard) : undefined
  if (reply) return event.ack({ response_type: 'ephemeral', text: reply })
  const commanded = heard.kind === 'commanded' ? commandedOpening(heard) : undefined
  if (commanded) {
    track(openNow({ speak, open: on.open, log }, commanded))
    return event.ack()
  }
  if (heard.kind === 'submitted') {
    const errors = await on.check(heard)
    if (errors) return event.ack({ response_action: 'errors', errors })
  }
  let taken: 'stored' | 'known' | 'not-for-us'
  try {
    taken = await intake(desk, heard)
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
  store: (desk: Desk, what: What) => Promise<Taken>,
  log: Log | undefined,
): (desk: Desk, what: What) => Promise<Taken> {
  let told = false
  return async (desk, what) => {
    try {
      const taken = await store(desk, what)
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

function boltApp(receiver: Receiver, { apiUrl, log }: LineSettings): App {
  const app = new App({
    receiver,
    // Bolt says nothing for us: whoever speaks has the token of their workspace.
    authorize: async () => ({}),
    ignoreSelf: false,
    convoStore: false,
    logger: slackLogger(log),
    clientOptions: clientOptions(apiUrl, log),
  })
  app.error(async (error) => {
    log?.('error', 'A listener failed', { error: String(error) })
  })
  return app
}

/** What needs no inbox row: it changes nothing, and is asked for again where it is lost. */
function addListeners(app: App, deskFor: FindDesk): void {
  for (const action of ACTIONS) app.action(action, async ({ ack }) => ack())
  for (const command of COMMANDS) app.command(command, async ({ ack }) => ack())
  app.event('app_home_opened', async ({ event, body }) => {
    const desk = await deskFor(body)
    if (!desk || event.tab !== 'home') return
    await desk.speak.publishHome(event.user, await desk.on.home(event.user))
  })
}

const NOT_STORED =
  'I could not take that down just now, so nothing was started. Please try again in a minute.'

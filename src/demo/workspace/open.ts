/** The local workspace: a small Slack on the loopback address, for people without one and for tests. */
import { fileURLToPath } from 'node:url'
import { acting } from './acting.ts'
import { type Call, createApi } from './api.ts'
import { createApp } from './app.ts'
import { createHooks } from './hooks.ts'
import type { Hub } from './hub.ts'
import { type Installing, installing, preinstall } from './installing.ts'
import { openLive } from './live.ts'
import { describe, looking } from './looking.ts'
import { type Breakage, createFaults, createTiers, type Faults } from './misbehave.ts'
import { type Delivery, type Outbox, openOutbox, type Transport } from './outbox.ts'
import type { SayOptions } from './people.ts'
import { keepIn } from './persist.ts'
import { createWorkspaceServer, listen } from './serve.ts'
import { openSocketTransport, type SocketTransport } from './socket.ts'
import { createWaiting } from './until.ts'
import { openWebhookTransport } from './webhook.ts'
import { createWorld, type Json, type Message, type View, type World } from './world.ts'

export type WorkspaceOptions = {
  /** 0 (the default) takes any; a port that is taken becomes the next free one. */
  port?: number
  /** Keeps what is said here, as JSON lines; absent: in memory only. */
  file?: string
  /** HTTP mode: signed events, interactions and commands are posted here; absent: Socket Mode. */
  eventsUrl?: string
  /** The static page; by default the one beside this directory. */
  pageDir?: string
  /** A directory of Markdown, readable at `/docs/<path>.md`. */
  docs?: string
  team?: { id: string; name: string }
  /** The organisation (an Enterprise Grid) that the workspace belongs to. */
  enterprise?: { id: string; name: string }
  /** Whether the app is installed from the beginning; true where it is left out. */
  installed?: boolean
  /** Keep Slack's published rate limits; false by default. A number: with a clock so many times faster than ours. */
  tiers?: boolean | number
  /**
   * Slack's rule for apps that are sold outside of its marketplace: history and replies come 15 messages at a time, once
   * in so many milliseconds (60,000 in Slack).
   */
  unlistedMs?: number
  /** Milliseconds the app has to acknowledge; 3,000 as in Slack. */
  ackMs?: number
  /** Milliseconds before each repetition of an event; Slack: 0, 60,000, 300,000. Here 0, 1,000, 5,000. */
  retryWaits?: number[]
  /** Milliseconds a trigger id is good; 3,000 as in Slack. */
  triggerMs?: number
  /** Milliseconds a stream lives; 300,000 as in Slack. */
  streamMs?: number
  /** Milliseconds a session counts as at work; 3,601,000 as in Slack. */
  sessionMs?: number
}

type PersonName = 'ana' | 'ben' | 'chloe' | 'gil'
type ChannelName = 'general' | 'ops' | 'random' | 'partners'

/** Every function that acts for a person throws a plain Error when that person cannot do it. */
export type Workspace = Installing & {
  /** A further workspace of the same Slack, behind the same address: the same app, other people and channels. */
  beside(options: Omit<WorkspaceOptions, 'port' | 'eventsUrl' | 'pageDir' | 'docs'>): Promise<Workspace>
  url: string
  /** What `slackApiUrl` is set to; ends with a slash. */
  apiUrl: string
  /** Empty where the app was not installed from the beginning. */
  botToken: string
  appToken: string
  signingSecret: string
  team: string
  botUser: string
  botId: string
  appId: string
  /** gil is a guest and only in #partners; chloe is an admin. */
  users: Record<PersonName, string>
  /** The app is not in #random; #partners is shared with another organisation. */
  channels: Record<ChannelName, string>
  /** @oncall is ben and chloe. */
  groups: { oncall: string }
  /** The bot token's scopes: take some out to see `missing_scope`. */
  scopes: string[]
  /** Writes as a person; `@quorum`, `@ana`, `#ops` are resolved. Gives the message's ts. */
  say(user: string, channel: string, text: string, options?: SayOptions): Promise<string>
  /** Writes as another app of this name. */
  sayAs(app: string, channel: string, text: string, options?: SayOptions): Promise<string>
  rename(channel: string, name: string): Promise<void>
  /** Puts a channel away, or takes it out again. */
  archive(channel: string, on: boolean): Promise<void>
  edit(user: string, channel: string, ts: string, text: string): Promise<void>
  /** Deletes; a question with replies becomes a tombstone, which the app sees as a change. */
  remove(user: string, channel: string, ts: string): Promise<void>
  /** A change of attachments without a change of words. */
  unfurl(channel: string, ts: string): Promise<void>
  /** Makes a person (or the app) a member of a channel. */
  invite(user: string, channel: string): Promise<void>
  /** Ends the membership of a person (or the app) in a channel. */
  leave(user: string, channel: string): Promise<void>
  /** A further channel, of these people and the app. Gives its id. */
  createChannel(name: string, members: readonly string[], options?: { private?: boolean }): string
  /** Shares a channel with another organisation, or ends that. */
  share(channel: string, on: boolean): Promise<void>
  /** A guest of ours, or a person of another organisation, in no channel yet. Gives their id. */
  welcome(name: string, as: 'guest' | 'stranger'): string
  /** Makes a member a guest, or a guest a member. */
  restrict(user: string, guest: boolean): Promise<void>
  /** Further full members of the workspace, all of them in #general; called once. */
  hire(count: number): string[]
  /** A further user group, with nobody in it. Gives its id. */
  createGroup(name: string): string
  /** Puts these people, and nobody else, into a user group. */
  regroup(group: string, users: readonly string[]): Promise<void>
  /** Ends the account of a person. */
  deactivate(user: string): Promise<void>
  /** Presses a button; resolves when acknowledged, rejects after `ackMs` or where there is no such button. */
  click(user: string, channel: string, ts: string, actionId: string, value?: string): Promise<void>
  /** Presses a button of an open modal or of the Home tab. */
  clickView(user: string, viewId: string, actionId: string, value?: string): Promise<void>
  command(user: string, channel: string, text: string): Promise<void>
  /** Uses an entry of a message's own menu, by its callback id. */
  shortcut(user: string, callback: string, channel: string, ts: string): Promise<void>
  openHome(user: string, tab?: 'home' | 'messages'): Promise<void>
  /** `values`: block id → action id → what was typed or chosen. */
  submit(user: string, viewId: string, values: Record<string, Json>): Promise<void>
  /** Opens a channel, or a thread of it, beside the conversation with the app; without one closes what is open. */
  lookAt(user: string, open?: { channel: string; thread?: string }): Promise<void>
  /** The native Stop of an agent session. */
  interrupt(user: string, channel: string, thread: string): Promise<void>
  /** The direct conversation of a person with the app. */
  dm(user: string): string
  /** All messages of a channel, replies included, oldest first; with a thread, that thread with its root. */
  messages(channel: string, thread?: string): Message[]
  ephemerals(user: string): Message[]
  /** The open modals, the one on top last. */
  views(user: string): View[]
  home(user: string): View | undefined
  session(channel: string, thread: string): string | undefined
  /** Asks `probe` again after every change until it gives something; `ms` is 5,000 by default. */
  until<T>(probe: () => T | undefined | false, ms?: number): Promise<T>
  calls: Call[]
  deliveries: Delivery[]
  /** Open Socket Mode connections. */
  connections(): number
  /** Events neither acknowledged nor given up. */
  pending(): number
  /** HTTP mode from now on, with this address. */
  sendEventsTo(url: string): void
  misbehave: {
    /** The next event is delivered this many times more, though it is acknowledged. */
    redeliver(times: number): void
    both(on: boolean): void
    limit(method: string, retryAfterSeconds: number, times?: number): void
    /** The call takes effect at once; its answer is late. */
    slow(method: string, ms: number, times?: number): void
    refuse(method: string, error: string, times?: number): void
    /** `status`: 500; `reset`: cut before anything happens; `lost`: it happens, the answer is cut. */
    breakHttp(method: string, times?: number, how?: Breakage): void
    dropSockets(): void
    /** Without the subscription to the native Stop, Slack warns and shows none. */
    unsubscribe(): void
    /** Events that come within 30 ms of each other are delivered in the opposite order. */
    shuffle(on: boolean): void
    /** What was not acknowledged until now never comes: Slack gives up after some minutes. */
    giveUp(): void
  }
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const SCOPES = [
  'app_mentions:read',
  'assistant:write',
  'channels:history',
  'channels:join',
  'channels:read',
  'chat:write',
  'commands',
  'files:read',
  'files:write',
  'groups:history',
  'groups:read',
  'im:history',
  'im:read',
  'im:write',
  'mpim:history',
  'mpim:read',
  'reactions:write',
  'team:read',
  'usergroups:read',
  'users:read',
]

const PAGE_DIR = fileURLToPath(new URL('../page', import.meta.url))

/** Opens the workspace and serves it on 127.0.0.1 until it is closed. */
export function openWorkspace(options: WorkspaceOptions = {}): Promise<Workspace> {
  return open(options)
}

/** What workspaces of one Slack have in common. */
type Slack = Pick<Hub, 'app' | 'origin'> & { socket: SocketTransport }

async function open(options: WorkspaceOptions, slack?: Slack): Promise<Workspace> {
  const world = createWorld(options.team ?? { id: 'T0DEMO', name: 'Demo' }, options.enterprise)
  const kept = options.file === undefined ? undefined : keepIn(options.file, world)
  const waiting = createWaiting(() => describe(hub, api.calls))
  world.listeners.add(waiting.poke)
  const outbox = openOutbox({
    waits: options.retryWaits ?? [0, 1_000, 5_000],
    ackMs: options.ackMs ?? 3_000,
    changed: waiting.poke,
  })
  const socket = slack?.socket ?? openSocketTransport(world.bot.app, waiting.poke)
  const hub = createHub(world, outbox, { ...options, app: slack?.app })
  const { app } = hub
  const faults = createFaults()
  const { tiers, unlistedMs } = options
  const limits =
    tiers || unlistedMs
      ? createTiers({ published: Boolean(tiers), speed: typeof tiers === 'number' ? tiers : 1, unlistedMs })
      : undefined
  const api = createApi(hub, faults, limits, waiting.poke)
  const live = openLive(world)
  const server = createWorkspaceServer(() => ({
    hub,
    api,
    live,
    socket,
    pageDir: options.pageDir ?? PAGE_DIR,
    docs: options.docs,
  }))
  hub.origin = slack?.origin ?? `http://127.0.0.1:${await listen(server, options.port ?? 0)}`
  hub.connect = () =>
    app.eventsUrl
      ? undefined
      : `${hub.origin.replace('http', 'ws')}/link/?ticket=${socket.ticket()}&app_id=${world.bot.app}`
  outbox.use(slack ? borrowed(socket) : socket)
  const member = { hub, api }
  app.members.push(member)

  const sendEventsTo = (url: string) => {
    app.eventsUrl = url
    for (const one of app.members) one.hub.outbox.use(openWebhookTransport(url, app.signingSecret))
  }
  const eventsUrl = options.eventsUrl ?? app.eventsUrl
  if (eventsUrl !== undefined) sendEventsTo(eventsUrl)
  const botToken = options.installed === false ? '' : preinstall(hub)

  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= (async () => {
      await outbox.close()
      app.members = app.members.filter((one) => one !== member)
      live.close()
      waiting.close()
      for (const stream of hub.streams.values()) clearTimeout(stream.timer)
      for (const timer of hub.sessionTimers.values()) clearTimeout(timer)
      if (slack) return kept?.close()
      await socket.close()
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
      kept?.close()
    })()
    return closing
  }

  return {
    ...identity(hub, botToken),
    ...installing(hub),
    beside: (more) => open(more, { app, origin: hub.origin, socket }),
    ...acting(hub),
    ...looking(hub),
    until: waiting.until,
    calls: api.calls,
    deliveries: outbox.deliveries,
    connections: socket.connections,
    pending: outbox.pending,
    sendEventsTo,
    misbehave: misbehaving(hub, faults, socket.drop),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The transport of another workspace: it stays when we close. */
function borrowed({ hand }: Transport): Transport {
  return { hand, close() {} }
}

function createHub(
  world: World,
  outbox: Outbox,
  { app = createApp(), ...options }: WorkspaceOptions & { app?: Hub['app'] | undefined },
): Hub {
  return {
    world,
    outbox,
    app,
    hooks: createHooks(options.triggerMs),
    files: new Map(),
    scopes: [...SCOPES],
    both: true,
    streamMs: options.streamMs ?? 300_000,
    sessionMs: options.sessionMs ?? 3_601_000,
    sessionTimers: new Map(),
    stops: true,
    mostMessages: options.unlistedMs ? 15 : 999,
    streams: new Map(),
    origin: '',
    connect: () => undefined,
  }
}

function misbehaving(hub: Hub, faults: Faults, dropSockets: () => void): Workspace['misbehave'] {
  const { redeliver, shuffle, giveUp } = hub.outbox
  const { limit, slow, refuse, breakHttp } = faults
  const both = (on: boolean) => {
    hub.both = on
  }
  const unsubscribe = () => {
    hub.stops = false
  }
  return { unsubscribe, redeliver, both, limit, slow, refuse, breakHttp, dropSockets, shuffle, giveUp }
}

function identity(hub: Hub, botToken: string) {
  const { team, bot } = hub.world
  const { appToken, signingSecret } = hub.app
  return {
    url: hub.origin,
    apiUrl: `${hub.origin}/api/`,
    botToken,
    appToken,
    signingSecret,
    team: team.id,
    botUser: bot.user,
    botId: bot.id,
    appId: bot.app,
    users: { ana: 'U0ANA', ben: 'U0BEN', chloe: 'U0CHLOE', gil: 'U0GIL' },
    channels: { general: 'C0GENERAL', ops: 'C0OPS', random: 'C0RANDOM', partners: 'C0PARTNERS' },
    groups: { oncall: 'S0ONCALL' },
    scopes: hub.scopes,
  }
}

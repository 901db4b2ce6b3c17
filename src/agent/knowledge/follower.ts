/** Following channels of Slack: which are sources, telling them so, reading what was said, forgetting what was left. */
import type pg from 'pg'
import { Fault } from '../../core/fault.ts'
import type { SlackSource, Sources } from '../../core/home.ts'
import { tsOf } from '../../core/overheard.ts'
import { sayMessage } from '../../slack/blocks/say.ts'
import type { Channel, Channels } from '../../slack/channels.ts'
import type { Speak } from '../../slack/speak.ts'
import { refreshStatistics } from '../../store/documents.ts'
import {
  claimChannel,
  type Followed,
  followChannel,
  forgetSome,
  holdChannel,
  leaveChannel,
  listFollowed,
  noteAnnounced,
  noteFreshness,
  noteListening,
  releaseChannel,
} from '../../store/followed.ts'
import { inTransaction } from '../../store/transaction.ts'
import { pruneTurns } from '../../store/turns.ts'
import { repeat } from '../repeat.ts'
import { readHistory, readOneThread } from './history.ts'
import { rewriteSome } from './rewrite.ts'

export type FollowContext = {
  pool: pg.Pool
  workspace: string
  /** What sources.yaml says now. */
  sources: () => Sources['sources']
  speak: Pick<Speak, 'find' | 'post'>
  channels: Channels
  log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void
}

export type Follower = {
  /** Something changed: look now. */
  poke(what: 'documents' | 'channels'): void
  close(): Promise<void>
}

/** How often it is looked around, in ms: for channels, for pages to read, for documents to make, for what is too old. */
const CHANNELS_MS = 5 * 60_000
const READ_MS = 2_000
const DOCUMENTS_MS = 1_000
const PRUNE_MS = 3_600_000
const COUNT_MS = 60_000
/** How fresh what is followed is, is noted this often, in ms. */
const FRESH_MS = 20_000
/** Whoever reads a channel holds it for so long, in ms, and renews that while Slack makes it wait. */
const HOLD_MS = 30_000
/** A channel that cannot be read is tried again after so long, in ms. */
const AGAIN_MS = 60_000
const DAY_MS = 24 * 3_600_000
/** Documents of a channel that was left, forgotten in one go. */
const FORGET = 200

type SlackSources = Record<string, SlackSource>

/** Of all sources those that are channels. */
export function slackSources(sources: Sources['sources']): SlackSources {
  return Object.fromEntries(
    Object.entries(sources).flatMap(([name, source]) => ('slack' in source ? [[name, source]] : [])),
  )
}

/** Follows the channels that sources.yaml names until it is closed. Any number of processes may, and share the work. */
export function openFollower(context: FollowContext): Follower {
  const stop = new AbortController()
  const { signal } = stop
  const log = context.log
  const quietly = (work: () => Promise<void>) => async () => {
    try {
      await work()
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
  const statistics = openCounting(context.pool)
  const namesOf = () => JSON.stringify(slackSources(context.sources()))
  let named = namesOf()
  const documents = repeat(
    DOCUMENTS_MS,
    quietly(async () => {
      if (named !== namesOf()) channels.poke()
      named = namesOf()
      if (await forgetLeft(context, signal)) statistics.change()
      while (!signal.aborted && (await rewriteSome(context)) > 0) statistics.change()
      await statistics.count()
    }),
    log,
  )
  const reading = repeat(
    READ_MS,
    quietly(async () => {
      while (!signal.aborted && (await readOn(context, signal))) documents.poke()
    }),
    log,
  )
  const told = new Set<string>()
  const channels = repeat(
    CHANNELS_MS,
    quietly(async () => {
      await lookAround(context, told, signal)
      reading.poke()
    }),
    log,
  )
  const pruning = repeat(
    PRUNE_MS,
    quietly(() => prune(context)),
    log,
  )
  const freshness = repeat(
    FRESH_MS,
    quietly(() => noteFreshness(context.pool, context.workspace)),
    log,
  )
  channels.poke()
  pruning.poke()
  return {
    poke: (what) => (what === 'documents' ? documents : channels).poke(),
    async close() {
      stop.abort()
      await Promise.all([documents, reading, channels, pruning, freshness].map((turn) => turn.close()))
    },
  }
}

/**
 * Finds out which channels are to be followed now, begins with the new ones and forgets the others.
 *
 * @param told channels of which it was said already that we are not in them
 */
async function lookAround(context: FollowContext, told: Set<string>, signal: AbortSignal): Promise<void> {
  const { pool, workspace, channels } = context
  const sources = slackSources(context.sources())
  const before = await listFollowed(pool, workspace)
  if (Object.keys(sources).length === 0 && before.length === 0) return
  await forgetLeft(context, signal)
  // What nobody names any more is forgotten, also where Slack cannot be asked.
  for (const one of before)
    if (one.state !== 'left' && !sourceOf(one.channel, sources))
      await reconsider(context, one, sources, signal)
  const mine = await channels.mine(signal)
  for (const channel of mine) {
    const source = sourceOf(channel.id, sources)
    if (source) await begin(context, channel, source)
  }
  const ours = new Set(mine.map((channel) => channel.id))
  for (const one of before) {
    if (one.state !== 'left' && sourceOf(one.channel, sources) && !ours.has(one.channel))
      await reconsider(context, one, sources, signal)
  }
  tellMissing(context, sources, ours, told)
}

function tellMissing(
  { log }: FollowContext,
  sources: SlackSources,
  ours: ReadonlySet<string>,
  told: Set<string>,
): void {
  for (const [name, { slack }] of Object.entries(sources)) {
    const named = slack.channels === 'all' ? [] : slack.channels
    const missing = named.filter((id) => !ours.has(id) && !told.has(id))
    for (const id of missing) told.add(id)
    if (missing.length > 0)
      log('warn', 'a source names channels that Quorum is not in; invite it there', {
        name,
        channels: missing,
      })
  }
}

/** The source that names a channel, else the first one that takes all. */
function sourceOf(channel: string, sources: SlackSources): string | undefined {
  const entries = Object.entries(sources)
  const named = entries.find(([, { slack }]) => slack.channels !== 'all' && slack.channels.includes(channel))
  return (named ?? entries.find(([, { slack }]) => slack.channels === 'all'))?.[0]
}

async function begin(
  { pool, workspace, sources, log }: FollowContext,
  channel: Channel,
  source: string,
): Promise<void> {
  const row = {
    ...{ workspace, channel: channel.id, source, name: channel.name },
    ...{ private: channel.isPrivate, archived: channel.archived, floor: floorOf(sources(), source) },
  }
  const begun = await inTransaction(pool, (tx) => followChannel(tx, row))
  if (begun === 'new') log('info', 'a channel is followed', { channel: channel.id, source })
}

/** A channel that we are not in any more, or that no source names: an archived one is kept, the others are forgotten. */
async function reconsider(
  context: FollowContext,
  one: Followed,
  sources: SlackSources,
  signal: AbortSignal | undefined,
): Promise<void> {
  const source = sourceOf(one.channel, sources)
  const info = source ? await context.channels.info(one.channel, signal) : 'not-there'
  if (source && info !== 'not-there' && (info.archived || info.member)) return begin(context, info, source)
  await leaveChannel(context.pool, one)
  await forget(context, { ...one, state: 'left' }, signal)
}

/** Forgets what was read of channels that we may not read any more; answers whether there were any. */
async function forgetLeft(context: FollowContext, signal: AbortSignal | undefined): Promise<boolean> {
  const left = await listFollowed(context.pool, context.workspace, 'left')
  for (const one of left) await forget(context, one, signal)
  return left.length > 0
}

/** What is there is counted when it has changed, at once and then at most once in `COUNT_MS`. */
function openCounting(pool: pg.Pool) {
  let changed = false
  let free = 0
  return {
    change() {
      changed = true
    },
    async count() {
      if (!changed || performance.now() < free) return
      changed = false
      free = performance.now() + COUNT_MS
      await refreshStatistics(pool)
    },
  }
}

async function forget(
  { pool, log }: FollowContext,
  one: Followed,
  signal: AbortSignal | undefined,
): Promise<void> {
  while (!(await forgetSome(pool, one, FORGET))) signal?.throwIfAborted()
  log('info', 'a channel is not followed any more; what was read of it is forgotten', {
    channel: one.channel,
  })
}

/** Does the next piece of reading; false where there is none, or Slack is away. */
async function readOn(context: FollowContext, signal: AbortSignal): Promise<boolean> {
  const history = { ...context, signal }
  const channel = await claimChannel(context.pool, context.workspace, HOLD_MS)
  if (!channel) return readOneThread(history)
  const hold = () => holdChannel(context.pool, channel, HOLD_MS)
  const holding = repeat(HOLD_MS / 3, hold, () => {})
  try {
    if (!channel.announced) await announce(context, channel)
    else if (channel.walk) {
      await readHistory(history, channel, channel.walk)
      // Between two pages: the newest of what was found there is worth more than the next page of old things.
      while (!signal.aborted && (await readOneThread(history)));
    }
    await holding.close()
    await releaseChannel(context.pool, channel)
    return true
  } catch (error) {
    await holding.close()
    const problem = error instanceof Fault ? error.message : undefined
    await releaseChannel(context.pool, channel, {
      ms: signal.aborted ? 0 : AGAIN_MS,
      problem: signal.aborted ? channel.problem : (problem ?? 'Something went wrong on our side.'),
    })
    if (signal.aborted) return false
    if (!problem) throw error
    if (problem !== channel.problem)
      context.log('warn', 'a channel cannot be read; it is tried again', {
        channel: channel.channel,
        why: problem,
      })
    return true
  }
}

/** Tells the people in a channel, once, that it is read from now on. An archived one has nobody to tell. */
async function announce({ pool, speak, sources }: FollowContext, channel: Followed): Promise<void> {
  const { channel: id, id: following, state, source } = channel
  if (state !== 'archived') {
    const metadata = { run: following, part: 'announced' }
    const told = await speak.find(id, undefined, metadata.run, metadata.part)
    if (!told) {
      const days = slackSources(sources())[source]?.slack.since.replace(/d$/, '') ?? ''
      await speak.post(id, undefined, sayMessage(announcement(days), metadata), { priority: 'background' })
    }
  }
  await noteAnnounced(pool, channel)
}

function announcement(days: string): string {
  return (
    `I read this channel from now on, and the last ${days} days of it, to answer from it those who can read it. ` +
    'What is edited or deleted here I edit or delete as well; remove me from the channel, and I forget all of it.'
  )
}

function floorOf(sources: Sources['sources'], source: string): string {
  const days = Number.parseInt(slackSources(sources)[source]?.slack.since ?? '90', 10)
  return tsOf(Date.now() - days * DAY_MS)
}

async function prune({ pool, workspace, sources }: FollowContext): Promise<void> {
  for (const one of await listFollowed(pool, workspace))
    await inTransaction(pool, (tx) => pruneTurns(tx, one, floorOf(sources(), one.source)))
}

/** Nobody listened for so long, in ms: what was said meanwhile is read. */
const GAP_MS = 2 * 60_000

/** Call it now and then while Slack can reach us; by this a gap is seen afterwards. */
export async function stillListening({
  pool,
  workspace,
  sources,
}: Pick<FollowContext, 'pool' | 'workspace' | 'sources'>): Promise<number> {
  const floor = (source: string) => floorOf(sources(), source)
  return inTransaction(pool, (tx) => noteListening(tx, workspace, { gapMs: GAP_MS, againMs: DAY_MS, floor }))
}

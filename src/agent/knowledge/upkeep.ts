/** Upkeep: every source is read again from time to time, by one process at a time, and how it went is kept. */
import { randomUUID } from 'node:crypto'
import { Fault } from '../../core/fault.ts'
import type { Source, Sources as SourcesFile } from '../../core/home.ts'
import { lifetime } from '../../core/rules.ts'
import { removeOtherCheckouts } from '../../sources/git.ts'
import { forgetOtherSources } from '../../store/documents.ts'
import { forgetOtherPages } from '../../store/pages.ts'
import {
  forgetSources,
  holdSource,
  leaveSource,
  type Reading,
  type SkippedFor,
  sinceTried,
  takeSource,
} from '../../store/sources.ts'
import { type Repeating, repeat } from '../repeat.ts'
import { type IngestContext, type Ingested, ingest } from './ingest.ts'

/** `busy`: another process is reading it just now. */
export type Outcome = Ingested | Fault | 'busy'

type Sources = SourcesFile['sources']

/** Whoever reads holds the source for so long, in ms, and renews it three times in that. */
const HOLD_MS = 30_000
/** A source is read again after so long, in ms, where it says nothing else; the site of others more seldom. */
const EVERY_MS = 600_000
const SITE_EVERY_MS = 24 * 3_600_000
/** What is due is looked for this often, in ms. */
const LOOK_MS = 5_000
/** A process that starts reads everything once, but not what another one has read so recently, in ms. */
const JUST_MS = 20_000
/** Kept of what was skipped: reasons, and examples of each. */
const MOST_REASONS = 50
const EXAMPLES = 5

/** Reads a source under its lease, and keeps how it went. */
export async function readSource(
  context: IngestContext,
  workspace: string,
  name: string,
  source: Source,
  signal?: AbortSignal,
): Promise<Outcome> {
  const { pool } = context
  const shelf = { workspace, source: name }
  const owner = randomUUID()
  if (!(await takeSource(pool, shelf, owner, HOLD_MS))) return 'busy'
  const lost = new AbortController()
  const holding = repeat(
    HOLD_MS / 3,
    async () => {
      if (!(await holdSource(pool, shelf, owner, HOLD_MS))) lost.abort()
    },
    () => {},
  )
  let outcome: Reading | { error: string } | undefined
  try {
    const both = AbortSignal.any([lost.signal, ...(signal ? [signal] : [])])
    const done = await ingest(context, workspace, name, source, both)
    outcome = { ...done, skipped: groupSkipped(done.skipped) }
    return done
  } catch (error) {
    if (lost.signal.aborted) return 'busy'
    if (signal?.aborted) throw error
    outcome = {
      error: error instanceof Fault ? error.message : 'Reading it failed in a way nobody expected.',
    }
    if (error instanceof Fault) return error
    throw error
  } finally {
    await holding.close()
    await leaveSource(pool, shelf, owner, outcome)
  }
}

/** By reason, the most frequent first. */
export function groupSkipped(skipped: Ingested['skipped'], examples = EXAMPLES): SkippedFor[] {
  return [...Map.groupBy(skipped, ({ why }) => why)]
    .map(([why, files]) => ({
      why,
      count: files.length,
      examples: files.slice(0, examples).map((file) => file.path),
    }))
    .toSorted((a, b) => b.count - a.count)
    .slice(0, MOST_REASONS)
}

/**
 * Brings everything named in sources.yaml up to date, one source after another, and forgets documents of
 * sources that are not named any more. A source that fails is told as its `Fault`; the others go on. Channels of Slack
 * are not read here: `openFollower` follows them.
 */
export async function readAll(
  context: IngestContext,
  workspace: string,
  sources: Sources,
  signal?: AbortSignal,
): Promise<{ forgotten: number; sources: Record<string, Outcome> }> {
  const forgotten = await forgetOthers(context, workspace, sources)
  const results: Record<string, Outcome> = {}
  for (const [name, source] of readOf(sources))
    results[name] = await readSource(context, workspace, name, source, signal)
  return { forgotten, sources: results }
}

/** Those that are read; channels of Slack are followed as they change. */
function readOf(sources: Sources): [string, Source][] {
  return Object.entries(sources).flatMap(([name, source]) => ('slack' in source ? [] : [[name, source]]))
}

async function forgetOthers(
  { pool, git }: IngestContext,
  workspace: string,
  sources: Sources,
): Promise<number> {
  const named = Object.keys(sources)
  const fetched = Object.values(sources).flatMap((one) =>
    'git' in one ? [{ url: one.git, branch: one.branch }] : [],
  )
  if (git) await removeOtherCheckouts(git.place, fetched)
  await forgetSources(pool, workspace, named)
  await forgetOtherPages(pool, workspace, named)
  return forgetOtherSources(pool, workspace, named)
}

export type Upkeep = {
  /** Reads a source now, or everything. */
  poke(name?: string): void
  /** When everything but sites was looked at once since this began. */
  first: Promise<void>
  close(): Promise<void>
}

export type UpkeepContext = IngestContext & {
  workspace: string
  /** What sources.yaml says now. */
  sources: () => Sources
  /** Told of every reading that ended, and what it came to. */
  onRead: (name: string, outcome: Outcome) => void
  log: Parameters<typeof repeat>[2]
}

/** Reads each source when its time has come, until closed. */
export function openUpkeep(context: UpkeepContext): Upkeep {
  const { pool, workspace, sources, onRead, log } = context
  const stop = new AbortController()
  const poked = new Set<string>()
  const read = new Set<string>()
  const forgetting = openForgetting(context)
  const first = Promise.withResolvers<void>()

  const isDue = (name: string, source: Source, ago: number) => {
    if (poked.has(name)) return true
    return read.has(name) || isSite(source) ? ago >= everyOf(source) : ago >= JUST_MS
  }
  const look = async (sites: boolean) => {
    const all = sources()
    await forgetting(all)
    const tried = await sinceTried(pool, workspace)
    for (const [name, source] of readOf(all)) {
      if (stop.signal.aborted) return
      if (isSite(source) !== sites) continue
      if (!isDue(name, source, tried.get(name) ?? Number.POSITIVE_INFINITY)) continue
      poked.delete(name)
      read.add(name)
      const outcome = await readSource(context, workspace, name, source, stop.signal)
      if (outcome !== 'busy') onRead(name, outcome)
    }
    if (!sites) first.resolve()
  }
  // Sites are read slowly, as they want it: nothing else waits for them.
  const turns: Repeating[] = [false, true].map((sites) =>
    repeat(
      LOOK_MS,
      () =>
        look(sites).catch((error) => {
          if (!sites) first.resolve()
          if (!stop.signal.aborted) throw error
        }),
      log,
    ),
  )
  const poke = () => {
    for (const turn of turns) turn.poke()
  }
  poke()
  return {
    poke(name) {
      for (const one of name === undefined ? Object.keys(sources()) : [name]) poked.add(one)
      poke()
    },
    first: first.promise,
    async close() {
      stop.abort()
      first.resolve()
      await Promise.all(turns.map((turn) => turn.close()))
    },
  }
}

/** Forgets what is not named, once it has not been for a while: what is away for a moment would have to be read anew. */
function openForgetting(context: UpkeepContext): (sources: Sources) => Promise<void> {
  let named = ''
  let since = 0
  let done: string | undefined
  return async (sources) => {
    const names = JSON.stringify(Object.keys(sources))
    if (names !== named) since = performance.now()
    named = names
    if (names === done || performance.now() - since < LOOK_MS) return
    await forgetOthers(context, context.workspace, sources)
    done = names
  }
}

function everyOf(source: Source): number {
  if (source.every !== undefined) return lifetime(source.every)
  return isSite(source) ? SITE_EVERY_MS : EVERY_MS
}

function isSite(source: Source): boolean {
  return 'web' in source
}

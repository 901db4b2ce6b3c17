/** Keeping what is read of the home's sources up to date while a process runs. */
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { type Outcome, openUpkeep, type Upkeep } from '../agent/knowledge/upkeep.ts'
import { Fault } from '../core/fault.ts'
import type { Home } from '../core/home.ts'
import { readHome } from '../home/read.ts'
import { watchDirectory } from '../sources/watch.ts'
import type { Log } from '../telemetry/log.ts'
import type { Engines } from './engines.ts'
import { formatIngested } from './ingest.ts'
import { webFetch } from './web.ts'

type Library = Pick<Engines, 'env' | 'store' | 'home' | 'log'> & Partial<Pick<Engines, 'tools'>>

/** sources.yaml is looked at this often, in ms. */
const LOOK_MS = 3_000

export type Reading = {
  /** When every source was read once since the process began, or could not be. */
  first: Promise<void>
  close(): Promise<void>
}

/** Reads sources when they are due, and when they change, until closed. Failures are logged, not thrown. */
export function keepReading({ env, store, home, tools, log }: Library, workspace: string): Reading {
  const sources = followSources(home, log, (now) => {
    home.sources = now // Whoever follows channels looks there.
    watches.follow(now, upkeep.poke)
  })
  const watches = openWatches()
  const upkeep: Upkeep = openUpkeep({
    pool: store.pool,
    home: home.dir,
    resources: tools?.resources,
    git: { place: path.join(env.QUORUM_DATA, 'checkouts'), env: process.env },
    web: webFetch,
    workspace,
    sources: sources.now,
    onRead: (name, outcome) => tell(log, name, outcome),
    log,
  })
  watches.follow(home.sources, upkeep.poke)
  const changes = openChanges(upkeep.poke)
  const deaf = tools?.onResources((server) => {
    for (const [name, source] of Object.entries(sources.now()))
      if ('tool_server' in source && source.tool_server === server) changes.tell(name)
  })
  return {
    first: upkeep.first,
    async close() {
      deaf?.()
      changes[Symbol.dispose]()
      sources[Symbol.dispose]()
      watches[Symbol.dispose]()
      await upkeep.close()
    },
  }
}

/** Changes that a server tells of are read soon, together, and not again at once: it may tell of them without end. */
const SOON_MS = 1_000
const SELDOM_MS = 30_000

function openChanges(poke: (name: string) => void): Disposable & { tell(name: string): void } {
  const due = new Map<string, NodeJS.Timeout>()
  const read = new Map<string, number>()
  return {
    tell(name) {
      if (due.has(name)) return
      const now = performance.now()
      const wait = Math.max(SOON_MS, (read.get(name) ?? Number.NEGATIVE_INFINITY) + SELDOM_MS - now)
      const turn = () => {
        due.delete(name)
        read.set(name, performance.now())
        poke(name)
      }
      due.set(name, setTimeout(turn, wait).unref())
    },
    [Symbol.dispose]() {
      for (const timer of due.values()) clearTimeout(timer)
    },
  }
}

/** A reading that found nothing new is not worth a line. */
function tell(log: Log, name: string, outcome: Outcome): void {
  if (outcome === 'busy') return
  if (outcome instanceof Fault) log('warn', 'a source could not be read', { name, why: outcome.message })
  else if (outcome.added + outcome.changed + outcome.removed > 0)
    log('info', 'a source was read', { name, lines: formatIngested(name, outcome) })
}

type SourcesNow = Disposable & {
  now: () => Home['sources']
  /** Looks now; what changed counts from the next look on that finds the same. */
  look(): Promise<void>
}

/**
 * What sources.yaml says, also after it changed: a change counts when two looks find the same, because a file that is
 * just being written, or is away for a moment, names fewer sources, and what is not named is forgotten. While any
 * file of the home is wrong nothing changes; that is told once.
 */
export function followSources(
  home: Pick<Home, 'dir' | 'sources'>,
  log: Log,
  onChange: (sources: Home['sources']) => void,
): SourcesNow {
  const file = path.join(home.dir, 'sources.yaml')
  const printOf = async () => {
    const found = await stat(file).catch(() => undefined)
    return found ? `${found.mtimeMs} ${found.size} ${found.ino}` : 'none'
  }
  let sources = home.sources
  // The file as it was when what it said was taken on, when it was wrong, and what it said at the last look.
  let known: string | undefined
  let wrong: string | undefined
  let said: string | undefined
  const readAgain = async () => {
    const print = await printOf()
    if (print === known) return
    try {
      const read = (await readHome(home.dir, process.env)).sources
      const says = JSON.stringify(read)
      const twice = says === said
      said = says
      if (says === JSON.stringify(sources)) known = print
      if (says === JSON.stringify(sources) || !twice) return
      known = print
      sources = read
      log('info', 'sources were read again', { sources: Object.keys(sources) })
      onChange(sources)
    } catch (error) {
      if (wrong === print) return
      wrong = print
      const why = error instanceof Error ? error.message : String(error)
      log('error', 'sources.yaml could not be read again; what it said before still holds', { why })
    }
  }
  let looking: Promise<void> | undefined
  const look = () => {
    looking ??= readAgain().finally(() => {
      looking = undefined
    })
    return looking
  }
  const timer = setInterval(() => void look(), LOOK_MS)
  timer.unref()
  return { now: () => sources, look, [Symbol.dispose]: () => clearInterval(timer) }
}

/** Watches the directories among the sources. */
function openWatches() {
  let open: Disposable[] = []
  const dispose = () => {
    for (const one of open) one[Symbol.dispose]()
    open = []
  }
  return {
    follow(sources: Home['sources'], poke: (name: string) => void) {
      dispose()
      open = Object.entries(sources).flatMap(([name, source]) =>
        'directory' in source ? [watchDirectory(source.directory, () => poke(name))] : [],
      )
    },
    [Symbol.dispose]: dispose,
  }
}

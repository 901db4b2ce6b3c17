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
  return {
    first: upkeep.first,
    async close() {
      sources[Symbol.dispose]()
      watches[Symbol.dispose]()
      await upkeep.close()
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

/** What sources.yaml says, also after it changed; a file that is wrong changes nothing and is told once. */
function followSources(
  home: Home,
  log: Log,
  onChange: (sources: Home['sources']) => void,
): Disposable & { now: () => Home['sources'] } {
  const file = path.join(home.dir, 'sources.yaml')
  const printOf = async () => {
    const found = await stat(file).catch(() => undefined)
    return found ? `${found.mtimeMs} ${found.size} ${found.ino}` : 'none'
  }
  let sources = home.sources
  let known = printOf()
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    try {
      const print = await printOf()
      if (print === (await known)) return
      known = Promise.resolve(print)
      const read = (await readHome(home.dir, process.env)).sources
      if (JSON.stringify(read) === JSON.stringify(sources)) return
      sources = read
      log('info', 'sources were read again', { sources: Object.keys(sources) })
      onChange(sources)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      log('error', 'sources.yaml could not be read again; what it said before still holds', { why })
    } finally {
      looking = false
    }
  }
  const timer = setInterval(() => void look(), LOOK_MS)
  timer.unref()
  return { now: () => sources, [Symbol.dispose]: () => clearInterval(timer) }
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

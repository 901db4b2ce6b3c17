/** Reading the home's knowledge when a process starts: words first, then their vectors. */
import { embedMissing } from '../agent/knowledge/embed.ts'
import { ingestAll } from '../agent/knowledge/ingest.ts'
import { Fault } from '../core/fault.ts'
import type { Engines } from './engines.ts'
import { formatIngested } from './ingest.ts'

type Library = Pick<Engines, 'store' | 'home' | 'embedder' | 'log'> & Partial<Pick<Engines, 'tools'>>

/** Reads what changed in every source; then its words can be searched. Failures are logged, not thrown. */
export async function readSources(library: Library, workspace: string, signal: AbortSignal): Promise<void> {
  const { store, home, tools, log } = library
  const context = { pool: store.pool, home: home.dir, resources: tools?.resources }
  await untilDone(library, signal, async () => {
    const read = await ingestAll(context, workspace, home.sources, signal)
    for (const [name, result] of Object.entries(read.sources)) {
      if (result instanceof Fault) log('warn', 'a source could not be read', { name, why: result.message })
      else log('info', 'a source was read', { name, lines: formatIngested(name, result) })
    }
  })
}

/** Makes the vectors that are missing; until then words alone are searched. Failures are logged, not thrown. */
export async function makeVectors(library: Library, workspace: string, signal: AbortSignal): Promise<void> {
  const { store, embedder, log } = library
  await untilDone(library, signal, async () => {
    const { made, refused, ms } = await embedMissing({ pool: store.pool, workspace, embedder }, { signal })
    if (made + refused > 0) log('info', 'vectors were made', { made, refused, ms })
  })
}

async function untilDone({ log }: Library, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (signal.aborted) return
    const why = error instanceof Error ? error.message : String(error)
    log('warn', 'knowledge could not be read in full; what was read serves', { why })
  }
}

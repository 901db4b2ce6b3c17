/** Reading the home's knowledge in the background while the agent already answers. */
import { embedMissing } from '../agent/embed.ts'
import { ingestAll } from '../agent/ingest.ts'
import { Fault } from '../core/fault.ts'
import type { Engines } from './engines.ts'
import { formatIngested } from './ingest.ts'

/** Reads what changed in every source, then makes the vectors that are missing. Failures are logged, not thrown. */
export async function learn(
  engines: Pick<Engines, 'store' | 'home' | 'embedder' | 'log'>,
  workspace: string,
  signal: AbortSignal,
): Promise<void> {
  const { store, home, embedder, log } = engines
  try {
    const { sources } = await ingestAll({ pool: store.pool, home: home.dir }, workspace, home.sources, signal)
    for (const [name, result] of Object.entries(sources)) {
      if (result instanceof Fault) log('warn', 'a source could not be read', { name, why: result.message })
      else log('info', 'a source was read', { name, lines: formatIngested(name, result) })
    }
    const { made, refused, ms } = await embedMissing({ pool: store.pool, embedder }, { signal })
    if (made + refused > 0) log('info', 'vectors were made', { made, refused, ms })
  } catch (error) {
    if (signal.aborted) return
    const why = error instanceof Error ? error.message : String(error)
    log('warn', 'knowledge could not be read in full; what was read serves', { why })
  }
}

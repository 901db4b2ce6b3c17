/** Making the vectors of what is known while a process runs. */
import { setTimeout as pause } from 'node:timers/promises'
import { embedMissing } from '../agent/knowledge/embed.ts'
import { lastChange } from '../store/vectors.ts'
import type { Engines } from './engines.ts'

type Library = Pick<Engines, 'store' | 'embedder' | 'log'>

/** How often we look whether documents have changed, in ms. */
const LOOK_MS = 3_000
/** A look does not see what was written beside a later change: so now and then everything is looked through. */
const LOOK_THROUGH_MS = 600_000
const TELL_MS = 30_000
/** How long a model that cannot be used is left alone, in ms; each time twice as long. */
const REST_MS = { first: 10_000, longest: 600_000 }

/**
 * Makes the vectors that are missing, and of what is read later, until the signal is aborted; until then words alone
 * are searched. Failures are logged, not thrown, and tried again.
 */
export async function keepVectors(
  library: Library,
  workspace: string,
  signal: AbortSignal,
  { lookMs = LOOK_MS, restMs = REST_MS.first } = {},
): Promise<void> {
  let rest = restMs
  while (!signal.aborted) {
    try {
      const seen = await lastChange(library.store.pool, workspace)
      await makeVectors(library, workspace, signal)
      rest = restMs
      await untilChanged(library, { workspace, seen, lookMs }, signal)
    } catch (error) {
      if (signal.aborted) return
      const why = error instanceof Error ? error.message : String(error)
      library.log('warn', 'vectors cannot be made now; words are searched', { why, again_in_s: rest / 1_000 })
      await pause(rest, undefined, { signal }).catch(() => {})
      rest = Math.min(rest * 2, REST_MS.longest)
    }
  }
}

async function makeVectors({ store, embedder, log }: Library, workspace: string, signal: AbortSignal) {
  let told = Date.now()
  const onProgress = ({ made, total }: { made: number; total: number }) => {
    if (Date.now() - told < TELL_MS) return
    told = Date.now()
    log('info', 'vectors are being made', { model: embedder.model.name, made, total })
  }
  const context = { pool: store.pool, workspace, embedder }
  const { made, refused, ms } = await embedMissing(context, { signal, onProgress })
  if (made + refused > 0) log('info', 'vectors were made', { made, refused, ms, by: embedder.runtime() })
}

async function untilChanged(
  { store }: Library,
  { workspace, seen, lookMs }: { workspace: string; seen: string; lookMs: number },
  signal: AbortSignal,
): Promise<void> {
  const end = Date.now() + LOOK_THROUGH_MS
  while (!signal.aborted && Date.now() < end) {
    await pause(lookMs, undefined, { signal }).catch(() => {})
    if (!signal.aborted && (await lastChange(store.pool, workspace)) !== seen) return
  }
}

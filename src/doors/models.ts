/** The models of a deployment, opened with what its home, its environment and its database say of them. */
import { repeat } from '../agent/repeat.ts'
import type { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import type { Home } from '../core/home.ts'
import type { Pool } from '../core/pools.ts'
import { findPools } from '../models/find.ts'
import { type OpenModels, openModels } from '../models/open.ts'
import { readDrains } from '../store/drains.ts'
import type { Db } from '../store/transaction.ts'
import type { Log } from '../telemetry/log.ts'

const NO_MODEL =
  'No model is configured. Describe one in models.yaml of the home, or set OPENAI_BASE_URL and OPENAI_MODEL, or start Ollama.'

/** What is drained is read this often, in ms. */
const DRAINS_MS = 2_000

/** The pools to use, before anything is opened. @throws Fault `config-invalid` where there are none */
export async function choosePools(
  home: Home,
  fallback?: () => Promise<Pool>,
): Promise<{ pools: Record<string, Pool>; origin: string }> {
  const found = await findPools(home.models, process.env)
  if (found) return found
  const pool = await fallback?.()
  if (!pool) throw new Fault('config-invalid', NO_MODEL)
  return { pools: { main: pool }, origin: 'fallback' }
}

/** Opens the pools and keeps up with what is drained; the key that seals accounts also keeps prefix caches apart. */
export function openPools(
  pools: Record<string, Pool>,
  { env, home, db, log }: { env: Env; home: Home; db: Db; log: Log },
): OpenModels & AsyncDisposable {
  let drained: ReadonlySet<string> = new Set()
  const reading = repeat(
    DRAINS_MS,
    async () => {
      drained = new Set((await readDrains(db)).keys())
    },
    log,
  )
  reading.poke()
  const models = openModels({
    pools,
    patience: home.models?.waits,
    env: process.env,
    secret: env.QUORUM_SECRET,
    drained: () => drained,
    log,
  })
  const close = async () => {
    models.close()
    await reading.close()
  }
  return { ...models, [Symbol.asyncDispose]: close }
}

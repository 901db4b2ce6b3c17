/** What every door that runs the agent opens: store, queue, model, tools, embeddings. */

import { openVault } from '../agent/accounts/vault.ts'
import { type MeterContext, openMeter } from '../agent/budgets/meter.ts'
import type { Env } from '../core/env.ts'
import type { Home } from '../core/home.ts'
import type { Lock } from '../core/lock.ts'
import type { Meter } from '../core/meter.ts'
import type { Pool } from '../core/pools.ts'
import { readHome } from '../home/read.ts'
import type { Embedder } from '../models/embed.ts'
import type { OpenModels } from '../models/open.ts'
import { openQueues, type Queue } from '../queue/open.ts'
import { type Ledger, openLedger } from '../store/ledger.ts'
import { migrate } from '../store/migrate.ts'
import { openStore, type Store } from '../store/open.ts'
import type { Seal } from '../store/seal.ts'
import { prepareSearch, type WordStrategy } from '../store/words.ts'
import { type Log, openLog } from '../telemetry/log.ts'
import type { FetchFor } from '../tools/access.ts'
import { guardedFor, openTools, type Tools } from '../tools/open.ts'
import { openPaidEmbedder } from './embedder.ts'
import { readEnv } from './environment.ts'
import { watchLock } from './lock.ts'
import { choosePools, openPools } from './models.ts'
import { needsSeal, readSeal } from './secret.ts'

export type Engines = AsyncDisposable & {
  env: Env
  home: Home
  store: Store
  /** Opens the queue of a workspace. */
  openQueue: (workspace: string) => Promise<Queue>
  models: OpenModels
  /** What is held and was used, by any process. */
  ledger: Ledger
  /** Holds and settles what model calls use; Slack says who is in a team. */
  meter: (slack: Pick<MeterContext, 'members' | 'name' | 'outsider'>) => Meter
  tools: Tools
  /** What tools.lock.json accepts just now. */
  lock: () => Lock | undefined
  embedder: Embedder
  strategy: WordStrategy
  /** Seals accounts that people connect; undefined where no key is set. */
  seal: Seal | undefined
  /** What signing in to tool servers goes through. */
  fetchFor: FetchFor
  log: Log
}

export type Wish = {
  env?: Env
  /** The model to use where the home and the environment name none. */
  fallback?: () => Promise<Pool>
}

/** Opens everything, in the order in which each needs the one before; closes what was opened where one fails. */
export async function openEngines(wish: Wish): Promise<Engines> {
  const env = wish.env ?? readEnv()
  const { log, logger } = openLog(env.LOG_LEVEL)
  const home = await readHome(env.QUORUM_HOME, process.env)
  const { pools, origin } = await choosePools(home, wish.fallback)

  await using opened = new AsyncDisposableStack()
  const store = opened.use(
    await openStore({ databaseUrl: env.DATABASE_URL, dataDir: env.QUORUM_DATA, log: logger }),
  )
  const applied = await migrate(store.pool)
  if (applied.length > 0) log('info', 'the database was migrated', { applied })
  const ledger = opened.use(openLedger(store.pool, { log }))
  const strategy = await prepareSearch(store.pool)
  const queues = opened.use(openQueues({ redisUrl: env.REDIS_URL, log: logger }))
  const models = opened.use(openPools(pools, { env, home, db: store.pool, log }))
  const watch = opened.use(watchLock(home, log))
  const { written, policy } = home
  const seal = readSeal(env, { make: needsSeal(home) || env.SLACK_CLIENT_ID !== undefined })
  const vault = seal && openVault(store.pool, seal)
  const fetchFor = guardedFor(policy)
  const options = { env: process.env, cwd: home.dir, policy, lock: watch.lock, written, vault, fetchFor, log }
  const tools = opened.use(openTools(home.servers, options))
  const embedder = openPaidEmbedder(home, ledger)
  opened.defer(() => embedder.close())
  log('info', 'engines are open', {
    store: store.kind,
    model: models.model,
    origin,
    search: strategy,
  })
  const rest = opened.move()
  return {
    env,
    home,
    store,
    openQueue: (workspace) => queues.open(`quorum-${workspace}`),
    models,
    ledger,
    meter: (slack) => openMeter({ ...slack, ledger, budgets: home.budgets }),
    tools,
    lock: watch.lock,
    embedder,
    strategy,
    seal,
    fetchFor,
    log,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

/** The agent that takes up messages, and runs of agents that are gone. */
export function firstAgent({ home }: Pick<Engines, 'home'>): Home['agents'][number] {
  const agent = home.agents[0]
  if (!agent) throw new Error('a home has at least one agent')
  return agent
}

/** A whole Quorum on a local workspace, for journeys: the product's own wiring, a model that follows a script. */
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { openVault } from '../../src/agent/accounts/vault.ts'
import { openSpending } from '../../src/agent/budgets/embedding.ts'
import { openMeter } from '../../src/agent/budgets/meter.ts'
import { BudgetsFile } from '../../src/core/budget.ts'
import { Env } from '../../src/core/env.ts'
import { AgentFront, type Embeddings, type Home, type ToolServer } from '../../src/core/home.ts'
import type { Lock } from '../../src/core/lock.ts'
import type { Meter } from '../../src/core/meter.ts'
import type { Patience, Pool } from '../../src/core/pools.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import type { Engines } from '../../src/doors/engines.ts'
import { type Serving, serve } from '../../src/doors/serve.ts'
import { openEmbedder } from '../../src/models/embed.ts'
import { openModels } from '../../src/models/open.ts'
import { openQueue } from '../../src/queue/open.ts'
import { openLedger } from '../../src/store/ledger.ts'
import { openSeal } from '../../src/store/seal.ts'
import { prepareSearch } from '../../src/store/words.ts'
import { guardedFor, openTools } from '../../src/tools/open.ts'
import { type ModelServer, openModelServer, type Reply, type Script } from './model-server.ts'
import { openTestStore } from './store.ts'
import { acceptAll } from './tools.ts'

export type StageOptions = {
  /** What the model does; a fixed reply answers every request. */
  model?: Script | Reply
  policy?: Record<string, unknown>
  /** As budgets.yaml writes them. */
  budgets?: Record<string, unknown>
  servers?: Record<string, ToolServer>
  /** What is accepted; everything the servers list where it is left out. */
  lock?: () => Lock
  maxTurns?: number
  /** Timers of the pool, as models.yaml writes them. */
  timers?: { firstToken?: string; idle?: string; total?: string }
  /** Signed HTTP instead of Socket Mode. */
  http?: boolean
  /** The app is installed by its own page, here and in workspaces beside this one; nowhere at first. */
  installs?: boolean
  /** The organisation of the workspace. */
  enterprise?: { id: string; name: string }
  slots?: number
  admins?: string[]
  /** What is known, as sources.yaml says it. */
  sources?: Home['sources']
  /** Keys that seal connected accounts; one that all stages share where it is left out, none where it is empty. */
  secret?: string
  /** Allows everything where it is left out. */
  meter?: Meter
  /** The pools; one of the model's server where it is left out. */
  pools?: (model: ModelServer) => Record<string, Pool>
  patience?: Patience
  /** Of the embeddings, which the model's server makes: where it is, what it costs. */
  embeddings?: Pick<Embeddings, 'tier' | 'price'>
  /** Rules of the policy for channels. */
  channels?: (channels: Workspace['channels']) => Record<string, unknown>
  /** Slack's published limits hold, with a clock so many times faster than ours; none where it is left out. */
  speed?: number
  /** Hears everything that is logged. */
  onLog?: Engines['log']
}

export type Stage = AsyncDisposable & {
  workspace: Workspace
  model: ModelServer
  engines: Engines
  /** Everything that was logged at warn or above. */
  log: string[]
  serving(): Serving
  /** Closes the running process's part and starts it anew on the same store and workspace. */
  restart(): Promise<void>
  /** Stops listening and working; `restart` goes on. */
  stop(): Promise<void>
  /** Texts of the agent in a thread, oldest first. */
  said(channel: string, thread: string): string[]
  /** Writes as Ana in #general and waits for the end of the run: all texts of the agent in the thread. */
  ask(text: string): Promise<{ ts: string; said: string[] }>
  /** Waits until the newest run of a thread has ended. */
  ended(channel: string, thread: string, runs?: number): Promise<void>
  /** Waits for an approval card with buttons in a thread and gives its ts. */
  card(channel: string, thread: string): Promise<string>
}

/** Opens the stage; close it with `await using`. */
export async function openStage(options: StageOptions = {}): Promise<Stage> {
  await using opened = new AsyncDisposableStack()
  const script =
    typeof options.model === 'function' ? options.model : () => options.model ?? ({ text: 'Hello.' } as Reply)
  const model = opened.use(await openModelServer(script as Script))
  const workspace = opened.use(
    await openWorkspace({
      ...(options.http ? { eventsUrl: 'http://127.0.0.1:9/' } : {}),
      ...(options.speed ? { tiers: options.speed } : {}),
      ...(options.enterprise ? { enterprise: options.enterprise } : {}),
      installed: options.installs !== true,
    }),
  )
  const store = opened.use(await openTestStore())
  const lines: string[] = []
  const lock = options.lock ?? holding(await acceptAll(options.servers ?? {}))
  const own = `test-${randomUUID()}`
  const secret = options.secret ?? Buffer.alloc(32, 7).toString('base64')
  const seal = secret === '' ? undefined : openSeal(secret)
  const home = homeOf(options, workspace)
  const ledger = opened.use(openLedger(store.pool))
  const embeddings = {
    url: model.url,
    model: 'test-embed',
    dimensions: 8,
    languages: 'all' as const,
    ...options.embeddings,
  }
  const meter = openMeter({
    ledger,
    budgets: home.budgets,
    members: async () => [],
    name: async (id: string) => id,
  })
  const pool: Pool = {
    model: 'test',
    replicas: [model.url],
    ...(options.timers ? { timers: options.timers } : {}),
  }
  const models = openModels({
    pools: options.pools?.(model) ?? { main: pool },
    patience: options.patience,
    env: {},
    log: (level, message, fields) => engines.log(level === 'debug' ? 'info' : level, message, { ...fields }),
  })
  opened.defer(async () => models.close())
  const engines: Engines = {
    env: Env.parse({
      PORT: options.http ? await freePort() : 0,
      QUORUM_SLOTS: options.slots ?? 8,
      LOG_LEVEL: 'silent',
    }),
    home,
    store,
    openQueue: (workspace) =>
      openQueue({ redisUrl: process.env.TEST_REDIS_URL, name: `${own}-${workspace}` }),
    models,
    ledger,
    meter: (slack) => options.meter ?? openMeter({ ...slack, ledger, budgets: home.budgets }),
    tools: opened.use(
      openTools(options.servers ?? {}, {
        env: process.env,
        cwd: process.cwd(),
        policy: home.policy,
        vault: seal && openVault(store.pool, seal),
        lock,
      }),
    ),
    lock,
    seal,
    fetchFor: guardedFor(home.policy),
    embedder: openEmbedder(embeddings, {}, openSpending(meter, embeddings)),
    strategy: await prepareSearch(store.pool),
    log: (level, message, fields) => {
      options.onLog?.(level, message, fields)
      if (level === 'warn' || level === 'error')
        lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`)
    },
    [Symbol.asyncDispose]: async () => {},
  }
  opened.defer(() => engines.embedder.close())
  let serving: Serving | undefined = await start(engines, workspace, options)
  const stop = async () => {
    await serving?.close(4_000)
    serving = undefined
  }
  opened.defer(stop)
  const rest = opened.move()

  const said = (channel: string, thread: string) =>
    workspace.messages(channel, thread).flatMap((m) => (m.user === workspace.botUser ? [m.text ?? ''] : []))
  const ended = async (channel: string, thread: string, runs = 1) => {
    await until(async () => {
      const found = await store.pool.query(
        'select count(*)::int as n from runs where channel = $1 and thread = $2 and not active',
        [channel, thread],
      )
      return (found.rows[0]?.n ?? 0) >= runs || undefined
    }, 20_000)
    await workspace.until(
      () => !said(channel, thread).some((text) => /^(Looking|Thinking|Working)/.test(text)),
    )
  }
  return {
    workspace,
    model,
    engines,
    log: lines,
    serving: () => {
      if (!serving) throw new Error('the stage is stopped')
      return serving
    },
    stop,
    async restart() {
      await stop()
      serving = await start(engines, workspace, options)
    },
    said,
    ended,
    async ask(text) {
      const channel = workspace.channels.general
      const ts = await workspace.say(workspace.users.ana, channel, text)
      await ended(channel, ts)
      return { ts, said: said(channel, ts) }
    },
    async card(channel, thread) {
      const found = await workspace.until(
        () =>
          workspace
            .messages(channel, thread)
            .findLast((m) => JSON.stringify(m.blocks ?? []).includes('"approve"')),
        10_000,
      )
      return found.ts
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

const holding = (lock: Lock) => () => lock

function homeOf(options: StageOptions, workspace: Workspace): Home {
  const agent = AgentFront.parse({
    name: 'quorum',
    ...(options.maxTurns ? { maxTurns: options.maxTurns } : {}),
  })
  return {
    dir: process.cwd(),
    agents: [{ ...agent, instructions: 'You are a teammate.' }],
    servers: options.servers ?? {},
    policy: PolicyFile.parse({
      tools: options.policy ?? {},
      admins: options.admins ?? [],
      channels: options.channels?.(workspace.channels) ?? {},
    }),
    written: options.servers ?? {},
    lock: undefined,
    models: undefined,
    budgets: BudgetsFile.parse(options.budgets ?? {}),
    sources: options.sources ?? {},
    retention: { inbox: 7 },
  }
}

async function start(engines: Engines, workspace: Workspace, options: StageOptions): Promise<Serving> {
  const { botToken, appToken, signingSecret, apiUrl, clientId, clientSecret } = workspace
  const who = options.installs ? { app: { clientId, clientSecret } } : { botToken }
  const line = options.http ? { signingSecret } : { appToken }
  const serving = await serve(engines, { ...who, ...line, apiUrl, speed: options.speed }, 'all')
  if (options.http) workspace.sendEventsTo(`http://127.0.0.1:${engines.env.PORT}/slack/events`)
  return serving
}

/** A port nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Asks again until there is an answer; fails loudly after `ms`. */
export async function until<T>(probe: () => Promise<T | undefined | false>, ms = 10_000): Promise<T> {
  const end = Date.now() + ms
  for (;;) {
    const found = await probe()
    if (found !== undefined && found !== false) return found
    if (Date.now() > end) throw new Error(`nothing came within ${ms} ms: ${probe}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

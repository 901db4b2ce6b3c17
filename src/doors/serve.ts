/** Running the agent in this process: listening to Slack, advancing runs, or both. */
import type { ServerResponse } from 'node:http'
import { type ConnectContext, connectionsOf, disconnect, offerConnect } from '../agent/accounts/connect.ts'
import { isAdmin } from '../agent/admins.ts'
import { advance } from '../agent/advance.ts'
import { openNotices } from '../agent/approvals/notice.ts'

import { tellAlerts } from '../agent/budgets/alerts.ts'
import { forgetOld, type HearContext, handleHeard, handleWaiting, takeIn } from '../agent/hear.ts'
import { type HomeContext, homeOf } from '../agent/home.ts'
import { type Follower, openFollower, stillListening } from '../agent/knowledge/follower.ts'
import { overhear } from '../agent/knowledge/overhear.ts'

import { remember } from '../agent/knowledge/remember.ts'
import { openRights } from '../agent/knowledge/rights.ts'
import { openWeights, tellPlaces } from '../agent/line.ts'
import { checkModal, openModal } from '../agent/modal.ts'
import { type Repeating, repeat } from '../agent/repeat.ts'
import { openWorker, type Worker } from '../agent/work.ts'
import type { ChatRequest } from '../core/chat.ts'
import { inboxKey } from '../core/heard.ts'
import type { ModelQuestion } from '../models/open.ts'
import { openReranker } from '../models/rerank.ts'
import type { Queue } from '../queue/open.ts'
import { openSlack, type Slack } from '../slack/listen.ts'
import { openSpeaker, type Speak } from '../slack/speak.ts'
import { doubtPerson, doubtScope } from '../store/members.ts'
import type { Run } from '../store/runs.ts'
import { wakeWaiting } from '../store/wakeups.ts'
import { catalogueOf, namesOf } from '../tools/pins.ts'
import { askHealth, type Check, openHealth } from '../web/health.ts'
import { connectContext, connectRoutes, pagesFor } from './connect.ts'
import type { Engines } from './engines.ts'

export type Part = 'all' | 'slack' | 'worker'

/** Where Slack is and how we prove who we are. */
export type SlackAddress = {
  botToken: string
  appToken?: string | undefined
  signingSecret?: string | undefined
  apiUrl?: string | undefined
}

export type Serving = {
  workspace: string
  /** Where `/health` answers, and signed HTTP where that is used. */
  port: number
  /** Stops taking work, finishes or hands back what is under way within `graceMs`. */
  close(graceMs?: number): Promise<void>
}

/** A lease lasts this long without renewal, and is renewed this often, in ms. */
const LEASE = { leaseMs: 15_000, beatMs: 1_000 }
/** Waiting rows of the inbox are looked at this often, in ms. */
const INBOX_MS = 2_000
/** That we listen is noted this often, in ms; a gap in it is read afterwards. */
const LISTENING_MS = 30_000
/** Some of what is known of who reads what is asked for again this often, in ms. */
const RIGHTS_MS = 10_000
/** What is old is forgotten this often, in ms. */
const FORGET_MS = 3_600_000
/** What dead processes hold is freed, and alerts of budgets are said, this often, in ms. */
const LEDGER_MS = 3_000
/** Closing may take so long, of which the end of listening takes so much at most, in ms. */
const GRACE_MS = 9_500
const LISTEN_GRACE_MS = 2_000

/** Starts listening, working, or both, over open engines. */
export async function serve(engines: Engines, slackAt: SlackAddress, part: Part): Promise<Serving> {
  const { env, store, log } = engines
  const checks: Check[] = [{ name: 'store', check: async () => void (await store.pool.query('select 1')) }]
  await using opened = new AsyncDisposableStack()
  let graceMs = 0
  let worker: Worker | undefined
  let follower: Follower | undefined
  let port = env.PORT
  let speak: Speak | undefined
  const connecting = connectContext(
    engines,
    () => port,
    async (user) => (speak ? isAdmin({ policy: engines.home.policy, speak }, user) : false),
  )
  const poke: Poke = { worker: () => worker?.poke(), follower: (what) => follower?.poke(what) }
  const listener = part === 'worker' ? undefined : await listen(engines, slackAt, poke, checks, connecting)
  const speaker = listener?.slack ?? (await openSpeaker({ ...slackAt, log }))
  speak = speaker.speak
  const { workspace } = speaker.identity
  opened.defer(async () => speaker.close())
  if (part !== 'slack') {
    const queue = opened.use(await engines.openQueue(workspace))
    checks.push({ name: 'queue', check: () => queue.ping() })
    const working = await startWorker(engines, workspace, speaker.speak, queue, connecting)
    worker = working
    opened.defer(() => working.close(Math.max(0, graceMs - LISTEN_GRACE_MS)))
    const following = openFollower({
      ...{ pool: store.pool, workspace, sources: () => engines.home.sources, log },
      ...{ speak: speaker.speak, channels: speaker.channels },
    })
    follower = following
    opened.defer(() => following.close())
    const looking = repeat(LEDGER_MS, () => lookAfterLedger(engines, workspace, speaker.speak), log)
    opened.defer(() => looking.close())
  }
  if (listener) {
    await listener.start()
    opened.defer(() => listener.close(Math.min(graceMs, LISTEN_GRACE_MS)))
  }
  const sharesPort = listener !== undefined && !slackAt.appToken
  const pages = pagesFor(connecting, speaker.speak.name)
  const health = sharesPort ? undefined : await openHealth({ host: env.HOST, port: env.PORT }, checks, pages)
  if (health) {
    port = health.port
    opened.defer(() => health.close())
  }
  const rest = opened.move()
  return {
    workspace,
    port,
    close(grace = GRACE_MS) {
      graceMs = grace
      return rest.disposeAsync()
    },
  }
}

async function startWorker(
  engines: Engines,
  workspace: string,
  speak: Speak,
  queue: Queue,
  connecting: ConnectContext,
): Promise<Worker> {
  const { env, home, store, models, tools, lock, embedder, strategy, log } = engines
  const rights = openRights({ pool: store.pool, roster: speak.roster, log })
  const notices = openNotices({
    pool: store.pool,
    workspace,
    policy: home.policy,
    speak,
    withdrawn: tools.withdrawn,
    servers: Object.keys(home.servers),
    namesOf: ({ server, tool }) => namesOf(lock(), server, tool),
    lock,
    log,
  })
  const meter = engines.meter(speak)
  const context = {
    pool: store.pool,
    speak,
    log,
    policy: home.policy,
    agent: (name: string) => home.agents.find((a) => a.name === name) ?? firstAgent(engines),
    ask: (request: ChatRequest, options: Omit<ModelQuestion, 'request' | 'meter'>) =>
      models.ask(request, { ...options, meter }),
    catalogue: () => tools.catalogue(workspace),
    call: tools.call,
    offerConnect: (run: Run, server: string, scopes?: readonly string[]) =>
      offerConnect({ ...connecting, speak }, run, server, scopes),
    recall: remember.bind(null, {
      pool: store.pool,
      rights,
      embedder,
      strategy,
      fusion: home.models?.recall,
      reranker: home.models?.rerank && openReranker(home.models.rerank, process.env),
    }),
    ...LEASE,
  }
  const keeping = repeat(RIGHTS_MS, () => rights.keep(workspace), log)
  const weights = openWeights(home.budgets.fairness, speak.members, log)
  const { weigh } = weights
  const worker = await openWorker({
    look: notices.look,
    weigh,
    tellPlaces: () => tellPlaces({ pool: store.pool, workspace, speak, weigh, log }),
    pool: store.pool,
    workspace,
    queue,
    slots: env.QUORUM_SLOTS,
    advance: (run, owner, shutdown) => advance({ ...context, owner }, run, shutdown),
    log,
  })
  models.onRoom(async (key) => {
    if ((await wakeWaiting(store.pool, workspace, { for: 'capacity', key })) > 0) worker.poke()
  })
  return {
    ...worker,
    async close(graceMs) {
      await Promise.all([worker.close(graceMs), keeping.close(), weights.close()])
    },
  }
}

async function lookAfterLedger(engines: Engines, workspace: string, speak: Speak): Promise<void> {
  const { ledger, store, home, log } = engines
  const swept = await ledger.sweep()
  if (swept > 0) log('info', 'calls of processes that are gone were charged at their least', { swept })
  await tellAlerts({ pool: store.pool, workspace, policy: home.policy, speak, log })
}

/** Wakes whoever works in this process. */
type Poke = { worker: () => void; follower: Follower['poke'] }

async function listen(
  engines: Engines,
  slackAt: SlackAddress,
  poke: Poke,
  checks: Check[],
  connecting: ConnectContext,
): Promise<{ slack: Slack; start(): Promise<void>; close(graceMs: number): Promise<void> }> {
  const { env, home, store, tools, lock, log } = engines
  const pool = store.pool
  const pages = () => pagesFor(connecting, slack.speak.name)
  const customRoutes = [...healthRoutes(checks), ...connectRoutes(pages)]
  const slack = await openSlack(
    { ...slackAt, host: env.HOST, port: env.PORT, log, customRoutes },
    {
      changed: (change) =>
        'scope' in change
          ? doubtScope(pool, workspace, change.scope)
          : doubtPerson(pool, workspace, change.person, change.kind),
      intake: (heard) => takeIn(pool, heard),
      overhear: (overheard) => overhear({ pool, poke: poke.follower }, overheard),
      handle: (heard) => handleHeard(context, inboxKey(heard), heard),
      open: (button, subject, viewer) => openModal(context, button, subject, viewer),
      check: (heard) => checkModal(context, heard),
      home: (user) => homeOf(homeContext, user),
    },
  )
  const { workspace } = slack.identity
  const context: HearContext = {
    pool,
    workspace,
    speak: slack.speak,
    agent: firstAgent(engines).name,
    policy: home.policy,
    budgets: home.budgets,
    catalogue: () => tools.catalogue(workspace),
    accepted: () => catalogueOf(lock()),
    tools,
    showHome: async (user) => slack.speak.publishHome(user, await homeOf(homeContext, user)),
    poke: poke.worker,
    disconnect: (tx, heard, admin) => disconnect(connecting, tx, heard, admin),
    log,
  }
  const homeContext: HomeContext = {
    pool,
    workspace,
    self: slack.identity.botUser,
    policy: home.policy,
    budgets: home.budgets,
    speak: slack.speak,
    health: tools.health,
    rights: openRights({ pool, roster: slack.speak.roster, log }),
    connections: (user) => connectionsOf(connecting, { workspace, user }),
  }
  const turns: Repeating[] = []
  checks.push({
    name: 'slack',
    check: async () => {
      if (!slack.listening()) throw new Error('not connected to Slack')
    },
  })
  return {
    slack,
    async start() {
      await slack.start()
      const sweep = repeat(INBOX_MS, () => handleWaiting(context), log)
      sweep.poke()
      const sources = () => home.sources
      const listening = repeat(
        LISTENING_MS,
        async () => void (slack.listening() && (await stillListening({ pool, workspace, sources }))),
        log,
      )
      listening.poke()
      turns.push(
        sweep,
        listening,
        repeat(FORGET_MS, () => forgetOld(context, home.retention), log),
      )
    },
    async close(graceMs) {
      await Promise.all([slack.close(graceMs), ...turns.map((turn) => turn.close())])
    },
  }
}

/** `/health` beside signed HTTP, on Bolt's own port. */
function healthRoutes(checks: readonly Check[]) {
  const answer = async (response: ServerResponse) => {
    const health = await askHealth(checks)
    response.writeHead(health.ok ? 200 : 503, { 'content-type': 'application/json' })
    response.end(JSON.stringify(health))
  }
  return [
    {
      path: '/health',
      method: 'GET',
      handler: (_: unknown, response: ServerResponse) => void answer(response),
    },
  ]
}

function firstAgent(engines: Engines) {
  const agent = engines.home.agents[0]
  if (!agent) throw new Error('a home has at least one agent')
  return agent
}

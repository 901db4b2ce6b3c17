/** Running the agent in this process: listening to Slack, advancing runs, or both. */
import type { ServerResponse } from 'node:http'
import { advance } from '../agent/advance.ts'
import { forgetHandled, type HearContext, handleHeard, handleWaiting, takeIn } from '../agent/hear.ts'
import { checkModal, openModal } from '../agent/modal.ts'
import { openNotices } from '../agent/notice.ts'
import { remember } from '../agent/remember.ts'
import { type Repeating, repeat } from '../agent/repeat.ts'
import { openWorker, type Worker } from '../agent/work.ts'
import { inboxKey } from '../core/heard.ts'
import type { Queue } from '../queue/open.ts'
import { homeView } from '../slack/blocks/say.ts'
import { openSlack, type Slack } from '../slack/listen.ts'
import { openSpeaker, type Speak } from '../slack/speak.ts'
import { namesOf } from '../tools/pins.ts'
import { askHealth, type Check, openHealth } from '../web/health.ts'
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
/** What was handled a week ago is forgotten this often, in ms. */
const FORGET_MS = 3_600_000
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
  const listener =
    part === 'worker' ? undefined : await listen(engines, slackAt, () => worker?.poke(), checks)
  const speaker = listener?.slack ?? (await openSpeaker({ ...slackAt, log }))
  const { workspace } = speaker.identity
  opened.defer(async () => speaker.close())
  if (part !== 'slack') {
    const queue = opened.use(await engines.openQueue(workspace))
    checks.push({ name: 'queue', check: () => queue.ping() })
    const working = await startWorker(engines, workspace, speaker.speak, queue)
    worker = working
    opened.defer(() => working.close(Math.max(0, graceMs - LISTEN_GRACE_MS)))
  }
  if (listener) {
    await listener.start()
    opened.defer(() => listener.close(Math.min(graceMs, LISTEN_GRACE_MS)))
  }
  const sharesPort = listener !== undefined && !slackAt.appToken
  const health = sharesPort ? undefined : await openHealth({ host: env.HOST, port: env.PORT }, checks)
  if (health) opened.defer(() => health.close())
  const rest = opened.move()
  return {
    workspace,
    port: health?.port ?? env.PORT,
    close(grace = GRACE_MS) {
      graceMs = grace
      return rest.disposeAsync()
    },
  }
}

async function startWorker(engines: Engines, workspace: string, speak: Speak, queue: Queue): Promise<Worker> {
  const { env, home, store, chat, tools, lock, embedder, strategy, log } = engines
  const notices = openNotices({
    pool: store.pool,
    workspace,
    policy: home.policy,
    speak,
    withdrawn: tools.withdrawn,
    namesOf: ({ server, tool }) => namesOf(lock(), server, tool),
    lock,
    log,
  })
  const context = {
    pool: store.pool,
    speak,
    log,
    policy: home.policy,
    agent: (name: string) => home.agents.find((a) => a.name === name) ?? firstAgent(engines),
    ask: chat.ask,
    catalogue: tools.catalogue,
    call: tools.call,
    recall: remember.bind(null, { pool: store.pool, embedder, strategy, speak }),
    ...LEASE,
  }
  return openWorker({
    look: notices.look,
    pool: store.pool,
    workspace,
    queue,
    slots: env.QUORUM_SLOTS,
    advance: (run, owner, shutdown) => advance({ ...context, owner }, run, shutdown),
    log,
  })
}

async function listen(
  engines: Engines,
  slackAt: SlackAddress,
  poke: () => void,
  checks: Check[],
): Promise<{ slack: Slack; start(): Promise<void>; close(graceMs: number): Promise<void> }> {
  const { env, home, store, tools, log } = engines
  const pool = store.pool
  const slack = await openSlack(
    { ...slackAt, host: env.HOST, port: env.PORT, log, customRoutes: healthRoutes(checks) },
    {
      intake: (heard) => takeIn(pool, heard),
      handle: (heard) => handleHeard(context, inboxKey(heard), heard),
      open: (button, subject, viewer) => openModal(context, button, subject, viewer),
      check: (heard) => checkModal(context, heard),
      home: async () => homeView(await slack.speak.name(slack.identity.botUser)),
    },
  )
  const { workspace } = slack.identity
  const context: HearContext = {
    pool,
    workspace,
    speak: slack.speak,
    agent: firstAgent(engines).name,
    policy: home.policy,
    catalogue: tools.catalogue,
    poke,
    log,
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
      turns.push(
        sweep,
        repeat(FORGET_MS, () => forgetHandled(context), log),
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

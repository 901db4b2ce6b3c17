/** Advancing the runs of one workspace in this process. */
import { type ConnectContext, offerConnect } from '../agent/accounts/connect.ts'
import { advance } from '../agent/advance.ts'
import { openNotices } from '../agent/approvals/notice.ts'
import { unreadable } from '../agent/knowledge/hold.ts'
import { remember } from '../agent/knowledge/remember.ts'
import { openRights } from '../agent/knowledge/rights.ts'
import { openWeights, tellPlaces } from '../agent/line.ts'
import { repeat } from '../agent/repeat.ts'
import type { Slots } from '../agent/slots.ts'
import { openWorker, type Worker } from '../agent/work.ts'
import { readersOf } from '../core/audience.ts'
import type { ChatRequest } from '../core/chat.ts'
import type { Agent } from '../core/home.ts'
import type { ModelQuestion } from '../models/open.ts'
import { contextOf } from '../models/pool.ts'
import type { Queue } from '../queue/open.ts'
import type { Speaker } from '../slack/speak.ts'
import type { Run } from '../store/runs.ts'
import { wakeWaiting } from '../store/wakeups.ts'
import { namesOf } from '../tools/pins.ts'
import { type Engines, firstAgent } from './engines.ts'
import { openRecalling } from './recalling.ts'

/** A lease lasts this long without renewal, and is renewed this often, in ms. */
const LEASE = { leaseMs: 15_000, beatMs: 1_000 }
/** Some of what is known of who reads what is asked for again this often, in ms. */
const RIGHTS_MS = 10_000
/** Runs that are woken at most where a pool has room again, those that were asked first. */
const MOST_WOKEN = 8

/** Takes wake-ups of a workspace from its queue, until closed. */
export async function startWorker(
  engines: Engines,
  workspace: string,
  { speak, reading }: Pick<Speaker, 'speak' | 'reading'>,
  queue: Queue,
  connecting: ConnectContext,
  slots: Slots,
): Promise<Worker> {
  const { env, home, store, models, tools, lock, log } = engines
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
    reading,
    log,
    policy: home.policy,
    agent: (name: string) => home.agents.find((a) => a.name === name) ?? firstAgent(engines),
    ask: (request: ChatRequest, options: Omit<ModelQuestion, 'request' | 'meter'>) =>
      models.ask(request, { ...options, meter }),
    catalogue: () => tools.catalogue(workspace),
    outside: (run: Run) => rights.outside(workspace, readersOf(run)),
    call: tools.call,
    contextTokens: ({ model }: Agent) => {
      const pool = models.pools.find(({ name }) => name === model) ?? models.pools[0]
      return pool && contextOf(pool)
    },
    offerConnect: (run: Run, server: string, scopes?: readonly string[]) =>
      offerConnect({ ...connecting, speak }, run, server, scopes),
    recall: remember.bind(null, openRecalling(engines, rights)),
    unreadable: (run: Run, passages: readonly string[]) =>
      unreadable({ pool: store.pool, rights }, { workspace, readers: readersOf(run) }, passages),
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
    advance: (run, owner, shutdown, linger) =>
      slots.use(workspace, shutdown, () => advance({ ...context, owner, linger }, run, shutdown)),
    log,
  })
  const deaf = models.onRoom(async (key) => {
    if ((await wakeWaiting(store.pool, workspace, { for: 'capacity', key }, MOST_WOKEN)) > 0) worker.poke()
  })
  return {
    ...worker,
    async close(graceMs) {
      deaf()
      await Promise.all([worker.close(graceMs), keeping.close(), weights.close()])
    },
  }
}

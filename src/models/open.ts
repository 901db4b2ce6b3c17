/** All models of a deployment as one: which pools are asked in which order, and what is said where none can. */
import { createHmac } from 'node:crypto'
import type { ChatAnswer, ChatRequest, Served } from '../core/chat.ts'
import { Fault } from '../core/fault.ts'
import type { Meter } from '../core/meter.ts'
import type { CloudPermit } from '../core/permit.ts'
import { milliseconds, Patience, type Pool } from '../core/pools.ts'
import { CLOSED, type Wait } from '../core/wait.ts'
import { askPool, type FromPool, type Means, type Question } from './answer.ts'
import type { Refusal } from './choose.ts'
import type { Log, Names } from './endpoint.ts'
import { watchReplica } from './health.ts'
import { type OpenPool, openPool, type Serving } from './pool.ts'
import { openRecent } from './recent.ts'
import { openRetryBudget } from './retries.ts'

/** A question with what the agent, the channel and the workspace allow. */
export type ModelQuestion = Question & {
  /** Holds the tokens of every attempt. */
  meter: Meter
  /** The agent's pool; the first one where it is left out. */
  model?: string | undefined
  /** Whether the pool's smaller model may answer. */
  smaller?: boolean | undefined
  /** Whether a cloud model may be asked. */
  cloud?: CloudPermit | undefined
  /** Since when this answer is waited for, in ms since 1970. */
  since: number
}

/**
 * `wait`: nobody can answer now. `quotes`: no server of this pool, or in its place, was reached for so long that what
 * was found is better shown as it is.
 */
export type ModelAnswer = ChatAnswer | { wait: Wait; quotes?: { pool: string } }

export type OpenModels = {
  pools: readonly OpenPool[]
  /** The model that is asked first, for people. */
  model: string
  /**
   * Asks for one answer: the agent's pool, other local pools, a smaller model, the cloud, as far as each is allowed.
   * Throws the `Fault` of a failure that another try would not mend, the signal's reason when aborted.
   */
  ask(request: ChatRequest, options: Omit<ModelQuestion, 'request'>): Promise<ModelAnswer>
  /** Calls `listener` with the key of a pool that had no room for somebody and may have room again, until told to stop. */
  onRoom(listener: (key: string) => Promise<void>): () => void
  close(): void
}

export type ModelOptions = {
  pools: Record<string, Pool>
  patience?: Patience | undefined
  env: Names
  /** What the salts of prefix caches are derived with; the same in every process. */
  secret?: string | undefined
  /** Addresses of replicas that get no new calls. */
  drained?: () => ReadonlySet<string>
  /** Whether servers are looked after; only tests of single calls do without. */
  watch?: boolean
  log?: Log
}

/** How often those who wait for a pool are told at most, in ms. */
const TELL_MS = 250
/** When somebody who waits looks again at the latest, in ms, give or take a quarter. */
const LOOK_MS = { least: 1_000, most: 5_000 }
/** Beginnings of prompts that are remembered, for so long, in ms. */
const MOST_WARM = 10_000
const WARM_MS = 600_000
const NONE: ReadonlySet<string> = new Set()

/** Opens the pools of a deployment and begins to look after them. Close it to stop. */
export function openModels(options: ModelOptions): OpenModels {
  const { env, log = () => {} } = options
  const pools = Object.entries(options.pools).map(([name, pool]) => openPool(name, pool, env, log))
  const [first] = pools
  if (!first) throw new Fault('config-invalid', 'models.yaml: there is no pool')
  const listeners = new Set<(key: string) => Promise<void>>()
  const room = openRoom((key) => {
    for (const tell of listeners)
      tell(key).catch((error: unknown) => log('warn', 'those who wait were not told', { why: String(error) }))
  })
  const watches = pools.flatMap((pool) =>
    pool.tier === 'local' && options.watch !== false
      ? pool.replicas.map((one) => watchReplica(one, pool.pool.model, () => room.changed(pool.name), log))
      : [],
  )
  const means: Omit<Means, 'meter'> = {
    retries: openRetryBudget(),
    warm: openRecent(MOST_WARM, WARM_MS),
    drained: options.drained ?? (() => NONE),
    salt: saltWith(options.secret ?? ''),
  }
  const patience = options.patience ?? Patience.parse({})
  return {
    pools,
    model: first.pool.model,
    async ask(request, asked) {
      const question = { ...asked, request }
      const own = pools.find(({ name }) => name === question.model) ?? first
      const results: FromPool[] = []
      for (const { serving, instead } of inOrder(pools, own, question)) {
        const from = await askPool({ ...means, meter: question.meter }, serving, question).finally(() =>
          room.changed(serving.name),
        )
        if ('answer' in from) return servedInstead(from.answer, instead)
        results.push(from)
      }
      const answer = withoutAnswer(own, results, question, patience)
      if ('wait' in answer && answer.wait.for === 'capacity') room.wanted(own.name)
      return answer
    },
    onRoom(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close() {
      for (const watch of watches) watch.close()
    },
  }
}

type Turn = { serving: Serving; instead?: Served['instead'] }

/** The pools that may answer: the agent's own, other local ones, a smaller one, then the cloud. */
function inOrder(pools: readonly OpenPool[], own: OpenPool, question: ModelQuestion): Turn[] {
  const named = (name: string) => pools.filter((pool) => pool.name === name)
  const others = (own.pool.instead ?? []).flatMap(named)
  const smaller = question.smaller && own.pool.smaller ? named(own.pool.smaller) : []
  const isIn = (tier: OpenPool['tier']) => (pool: OpenPool) => pool.tier === tier
  const order: [OpenPool, Served['instead']][] = [
    [own, undefined],
    ...others.filter(isIn('local')).map((pool): [OpenPool, Served['instead']] => [pool, 'local']),
    ...smaller.filter(isIn('local')).map((pool): [OpenPool, Served['instead']] => [pool, 'smaller']),
    ...others.filter(isIn('cloud')).map((pool): [OpenPool, Served['instead']] => [pool, 'cloud']),
  ]
  const { lane, channel } = question.about
  const takes = ({ pool }: OpenPool) => pool.lanes === undefined || pool.lanes.includes(lane)
  const permit = question.cloud?.channel === channel ? question.cloud : undefined
  const allowed = order.flatMap(([pool, instead]): (Turn & { pool: OpenPool })[] => {
    if (pool.tier === 'local') return [{ pool, serving: pool.serving, instead }]
    return permit ? [{ pool, serving: pool.enter(permit), instead }] : []
  })
  const fitting = allowed.filter(({ pool }) => takes(pool))
  return fitting.length > 0 ? fitting : allowed
}

function servedInstead(answer: ChatAnswer, instead: Served['instead']): ChatAnswer {
  if (!instead || !answer.served) return answer
  return { ...answer, served: { ...answer.served, instead } }
}

/** What comes of it where no pool answered: a wait, or a failure that waiting does not mend. */
function withoutAnswer(
  own: OpenPool,
  results: readonly FromPool[],
  { since }: ModelQuestion,
  patience: Patience,
): ModelAnswer {
  if (results.length === 0)
    throw new Fault(
      'model-refused',
      `the pool ${own.name} is in the cloud, and only local models may be asked here`,
    )
  const refusals = results.flatMap((one) => ('refused' in one ? [one.refused] : []))
  const faults = results.flatMap((one) => ('gone' in one ? [one.gone] : []))
  const waited = Date.now() - since
  const full = refusals.find(({ why }) => why === 'full')
  const hard = faults.find((fault) => !isPassing(fault))
  if (!full && hard !== undefined) throw hard
  // A server that comes back ends the wait sooner than a budget does.
  const budget = results.find((one) => 'wait' in one)
  if (budget && 'wait' in budget && refusals.length + faults.length === 0) {
    if (budget.wait.key === CLOSED) throw new Fault('model-unpaid', budget.wait.text)
    return { wait: budget.wait }
  }
  if (!full && refusals.some(({ why }) => why === 'small') && !refusals.some(({ why }) => why === 'away'))
    throw new Fault('model-too-long', 'the conversation does not fit any model that may be asked')
  const isBusy = full !== undefined || faults.some((fault) => codeOf(fault) === 'model-overloaded')
  if (waited > milliseconds(patience.end))
    throw new Fault(
      isBusy ? 'model-overloaded' : 'model-unreachable',
      `no model answered for ${Math.round(waited / 60_000)} minutes`,
    )
  const wait = waitFor(own.name, isBusy, full)
  return isBusy || waited < milliseconds(patience.quotes) ? { wait } : { wait, quotes: { pool: own.name } }
}

function waitFor(pool: string, isBusy: boolean, full: Refusal | undefined): Wait {
  const asked = full?.waitMs ?? LOOK_MS.most / 2
  const ms = Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, asked)) * (0.75 + Math.random() / 2)
  const text = isBusy
    ? `Waiting for a free model server${full?.waitMs === undefined ? '' : `, about ${tellTime(full.waitMs)}`}`
    : 'Waiting for a model server: none can be reached just now'
  return { for: 'capacity', key: poolKey(pool), until: new Date(Date.now() + ms).toISOString(), text }
}

function tellTime(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1_000))
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}

/** The key that those who wait for a pool are parked with. */
export function poolKey(name: string): string {
  return `pool:${name}`
}

/** Whether a failure is of the kind that passes when a server comes back or has room. */
function isPassing(fault: unknown): boolean {
  const code = codeOf(fault)
  return code === 'model-unreachable' || code === 'model-overloaded'
}

function codeOf(fault: unknown): string | undefined {
  return fault instanceof Fault ? fault.code : undefined
}

/** Remembers who was turned away, and tells once there may be room again. */
function openRoom(tell: (key: string) => void) {
  const wanted = new Map<string, number>()
  return {
    wanted(pool: string) {
      wanted.set(pool, performance.now())
    },
    /** Something ended or changed at a pool. */
    changed(pool: string) {
      const at = wanted.get(pool)
      if (at === undefined || performance.now() - at < TELL_MS) return
      wanted.delete(pool)
      tell(poolKey(pool))
    },
  }
}

/** A salt for each workspace: the same in every process, and nothing that gives the workspace away. */
function saltWith(secret: string): (workspace: string) => string {
  const made = new Map<string, string>()
  return (workspace) => {
    const salt =
      made.get(workspace) ??
      createHmac('sha256', `quorum prefix cache ${secret}`).update(workspace).digest('base64url')
    made.set(workspace, salt)
    return salt
  }
}

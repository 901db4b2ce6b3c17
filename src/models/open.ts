/** All models of a deployment as one: which pools are asked in which order, and what is said where none can. */
import { createHmac } from 'node:crypto'
import type { ChatAnswer, ChatRequest, Served } from '../core/chat.ts'
import { tellTime } from '../core/fair.ts'
import { Fault } from '../core/fault.ts'
import type { Meter } from '../core/meter.ts'
import type { CloudPermit } from '../core/permit.ts'
import { type Lane, laneOf, milliseconds, Patience, type Pool } from '../core/pools.ts'
import { CLOSED, type Wait } from '../core/wait.ts'
import { askPool, countIn, type FromPool, type Means, type Question } from './answer.ts'
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
 * was found is better shown as it is. `lane`: that of the question, by the length of its prompt.
 */
export type ModelAnswer = Outcome & { lane: Lane }
type Outcome = ChatAnswer | { wait: Wait; quotes?: { pool: string } }

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
      const size = await countIn(own, request)
      const lane = laneOf(question.about.lane, size)
      const order = inOrder(pools, own, question, lane)
      const results: Result[] = []
      for (const { pool, serving, instead } of order) {
        const prompt = pool === own ? size : await countIn(pool, request)
        const counted = { ...question, prompt, lane }
        const from = await askPool({ ...means, meter: question.meter }, serving, counted).finally(() =>
          room.changed(pool.name),
        )
        if ('answer' in from) return { ...servedInstead(from.answer, instead), lane }
        results.push({ ...from, tier: pool.tier })
      }
      const head = order[0]?.pool ?? own
      const answer = withoutAnswer(own, head, results, question, patience)
      if ('wait' in answer && answer.wait.for === 'capacity') room.wanted(head.name)
      return { ...answer, lane }
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

type Turn = { pool: OpenPool; serving: Serving; instead?: Served['instead'] }

/**
 * The pools that may answer: the agent's own, other local ones, a smaller one, then the cloud. Of these only those that
 * take calls of the lane, where any does.
 */
function inOrder(
  pools: readonly OpenPool[],
  own: OpenPool,
  question: Pick<ModelQuestion, 'about' | 'cloud' | 'smaller'>,
  lane: Lane,
): Turn[] {
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
  const { channel } = question.about
  const takes = ({ pool }: OpenPool) => pool.lanes === undefined || pool.lanes.includes(lane)
  const permit = question.cloud?.channel === channel ? question.cloud : undefined
  const allowed = order.flatMap(([pool, instead]): Turn[] => {
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

/** What came of asking a pool that did not answer. */
type Result = Exclude<FromPool, { answer: ChatAnswer }> & { tier: OpenPool['tier'] }

/** What comes of it where no pool answered: a wait, or a failure that waiting does not mend. `first` was asked first. */
function withoutAnswer(
  own: OpenPool,
  first: OpenPool,
  results: readonly Result[],
  { since }: Pick<ModelQuestion, 'since'>,
  patience: Patience,
): Outcome {
  if (results.length === 0)
    throw new Fault(
      'model-refused',
      `the pool ${own.name} is in the cloud, and only local models may be asked here`,
    )
  const refusals = results.flatMap((one) => ('refused' in one ? [one.refused] : []))
  const faults = results.flatMap((one) => ('gone' in one ? [one.gone] : []))
  const budget = waitForBudget(results)
  if (budget) return { wait: budget }
  const waited = Date.now() - since
  const full = refusals.find(({ why }) => why === 'full')
  const hard = faults.find((fault) => !isPassing(fault))
  if (!full && hard !== undefined) throw hard
  if (!full && refusals.some(({ why }) => why === 'small') && !refusals.some(({ why }) => why === 'away'))
    throw new Fault('model-too-long', 'the conversation does not fit any model that may be asked')
  const isBusy = full !== undefined || faults.some((fault) => codeOf(fault) === 'model-overloaded')
  if (waited > milliseconds(patience.end))
    throw new Fault(
      isBusy ? 'model-overloaded' : 'model-unreachable',
      `no model answered for ${Math.round(waited / 60_000)} minutes`,
    )
  const wait = { ...waitFor(first.name, isBusy, full), since: new Date(since).toISOString() }
  return isBusy || waited < milliseconds(patience.quotes) ? { wait } : { wait, quotes: { pool: own.name } }
}

/**
 * The budget that is in the way of an answer, where none of the servers is. One that a local model met concerns every
 * model; where only cloud models met one, a local server that comes back or has room ends the wait sooner.
 */
function waitForBudget(results: readonly Result[]): Wait | undefined {
  const waits = results.flatMap((one) => ('wait' in one ? [{ ...one.wait, tier: one.tier }] : []))
  const [first] = waits.toSorted((a, b) => rank(a) - rank(b))
  if (!first || (first.tier === 'cloud' && waits.length < results.length)) return undefined
  if (first.key === CLOSED) throw new Fault('model-unpaid', first.text)
  const { tier, ...wait } = first
  return wait
}

/** Local before cloud; what is closed for good last. */
function rank({ tier, key }: Wait & { tier: OpenPool['tier'] }): number {
  return key === CLOSED ? 2 : tier === 'local' ? 0 : 1
}

function waitFor(pool: string, isBusy: boolean, full: Refusal | undefined): Wait {
  const asked = full?.waitMs ?? LOOK_MS.most / 2
  const ms = Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, asked)) * (0.75 + Math.random() / 2)
  const text = isBusy
    ? `Waiting for a free model server${full?.waitMs === undefined ? '' : `, about ${tellTime(full.waitMs)}`}`
    : 'Waiting for a model server: none can be reached just now'
  return { for: 'capacity', key: poolKey(pool), until: new Date(Date.now() + ms).toISOString(), text }
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

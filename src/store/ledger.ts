/**
 * The ledger: tokens and money are held before a call is made, and charged after it. A hold is a row that knows its
 * windows; a process that dies leaves rows that any other one sweeps up. What many callers of this process ask for at
 * once goes to the database together: see migrations, `reserve_spend` and `settle_spend`.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { costOf, type Limit } from '../core/budget.ts'
import type { Attempt, Hold, Purpose, Used } from '../core/meter.ts'
import { gather } from './gather.ts'
import { isAway } from './server.ts'

/** What is to be held: for whom, within which limits. `zone`: whose midnight begins a window. */
export type Asked = { about: Purpose; attempt: Attempt; limits: readonly Limit[]; zone: string }

/** The window that is in the way. `lasting`: too little is left even when nothing is held any more. */
export type Short = {
  limit: Limit
  /** What runs that wait for the window are parked on. */
  key: string
  lasting: boolean
  /** The least that the call needs. */
  need: number
  allowed: number
  raised: number
  used: number
  held: number
  /** ISO time at which the window ends. */
  ends: string
}

export type Ledger = AsyncDisposable & {
  /**
   * Holds what a call can use at most; the output is cut to what every window has room for, but not below its least.
   * `unreachable`: the database does not answer, and the call must not be made unless somebody else allows it.
   */
  hold(asked: Asked): Promise<Hold | { short: Short } | 'unreachable'>
  /** A hold without asking: what it used is charged as soon as the database answers again, in debt if need be. */
  trust(asked: Asked): Hold
  /** Charges the least for what processes hold that are gone. Answers how many holds that were. */
  sweep(): Promise<number>
  /** Waits up to `graceMs` for what is still to be charged. What is held then is swept up by others. */
  close(graceMs?: number): Promise<void>
}

export type LedgerSettings = {
  log?: (level: 'warn', message: string, fields?: Record<string, unknown>) => void
  /** For so long a process that says nothing is taken for alive, in ms. */
  aliveMs?: number
  /** For so long the database is waited for, in ms. */
  patienceMs?: number
}

/** Requests that go to the database together at most. */
const MOST_AT_ONCE = 128
const MOST_SWEPT = 500
/** Between attempts to charge what the database did not take, in ms. */
const AGAIN_MS = 1_000
const GRACE_MS = 3_000
/** Serialization failure, deadlock: PostgreSQL undid the work and asks for another try. */
const AGAIN = new Set(['40001', '40P01'])
const ATTEMPTS = 4

type Charge = { id: string; tokens: number; cost: number } & Required<Used>
type Answer = { most: number } | { short: Short }
/** As the database gives it: the window by its place in the request. */
type Raw = { most: number } | { short: Omit<Short, 'limit'> & { window: number } }

/** Opens a ledger for this process; any number of workspaces may share it. */
export function openLedger(pool: pg.Pool, settings: LedgerSettings = {}): Ledger {
  const { log = () => {}, aliveMs = 30_000, patienceMs = 5_000 } = settings
  const self = randomUUID()
  const open = new Set<string>()
  const charging = new Set<Promise<void>>()
  let closed = false

  const reserve = gather(async (holds: readonly Requested[]) => {
    const { windows, holds: asked } = together(holds)
    const request = JSON.stringify({ ledger: self, aliveMs, windows, holds: asked })
    const found = await persist(() =>
      pool.query<{ answers: Raw[] }>('select reserve_spend($1) as answers', [request]),
    )
    return (found.rows[0]?.answers ?? []).map((answer) => readAnswer(answer, windows))
  }, MOST_AT_ONCE)
  const charge = gather(async (charges: readonly Charge[]) => {
    await persist(() => pool.query(`select settle_spend($1, 'settled')`, [JSON.stringify(charges)]))
    return charges.map(() => undefined)
  }, MOST_AT_ONCE)

  const beating = setInterval(() => {
    if (open.size > 0) void beat(pool, self, aliveMs).catch(() => undefined)
  }, aliveMs / 3)
  beating.unref()

  /** Does what the database must hear of until it has heard; answers after the first attempt, whatever came of it. */
  async function insist(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      log('warn', 'what a call used could not be charged yet; it is tried again', { why: String(error) })
      const again = async () => {
        while (!closed) {
          await sleep(AGAIN_MS, undefined, { ref: false })
          const done = await work().then(
            () => true,
            () => false,
          )
          if (done) return
        }
      }
      void follow(again())
    }
  }

  /** Has the end wait for this. */
  function follow(work: Promise<void>): Promise<void> {
    const followed = work.finally(() => charging.delete(followed))
    charging.add(followed)
    return followed
  }

  function holdOf(requested: Requested, most: number, trusted = false): Hold {
    const { id, asked } = requested
    let settled = false
    open.add(id)
    return {
      most,
      async settle(used) {
        if (settled) return
        settled = true
        const charged = chargeOf(id, asked.attempt, used)
        const work = insist(async () => {
          if (trusted) await reserve({ ...requested, forced: true })
          await charge(charged)
          open.delete(id)
        })
        await follow(work)
      },
    }
  }

  return {
    async hold(asked) {
      const requested: Requested = { id: randomUUID(), asked }
      const answered = reserve(requested)
      try {
        const answer = await within(answered, patienceMs)
        return 'most' in answer ? holdOf(requested, answer.most) : answer
      } catch (error) {
        if (error !== LATE && !isAway(error)) throw error
        // It may be held all the same: nobody will use it.
        const nothing = chargeOf(requested.id, asked.attempt, { prompt: 0, completion: 0, sure: true })
        void follow(answered.catch(() => undefined).then(() => insist(() => charge(nothing))))
        return 'unreachable'
      }
    },
    trust: (asked) => holdOf({ id: randomUUID(), asked }, asked.attempt.most, true),
    async sweep() {
      const swept = await pool.query<{ n: number }>('select sweep_spend($1) as n', [MOST_SWEPT])
      return swept.rows[0]?.n ?? 0
    },
    async close(graceMs = GRACE_MS) {
      clearInterval(beating)
      const end = performance.now() + graceMs
      // While some is charged more may come: what failed is tried again.
      while (charging.size > 0 && performance.now() < end)
        await within(Promise.all(charging), end - performance.now()).catch(() => undefined)
      closed = true
      await pool.query('delete from ledgers where id = $1', [self]).catch(() => undefined)
    },
    async [Symbol.asyncDispose]() {
      await this.close()
    },
  }
}

type Requested = { id: string; asked: Asked; forced?: boolean }

function readAnswer(raw: Raw, windows: readonly Limit[]): Answer {
  if ('most' in raw) return raw
  const { window, ...short } = raw.short
  const limit = windows[window]
  if (!limit) throw new Error(`The ledger speaks of window ${window}, which was not asked for`)
  const { scope, holder, unit, every, allowed } = limit
  return {
    short: {
      ...short,
      limit: { scope, holder, unit, every, allowed },
      ends: new Date(short.ends).toISOString(),
    },
  }
}

/** Several holds as one request: each window once. */
function together(holds: readonly Requested[]) {
  const windows = new Map<string, Limit & { workspace: string; zone: string }>()
  const indexes = new Map<string, number>()
  const indexOf = ({ asked }: Requested, limit: Limit): number => {
    const window = { workspace: asked.about.workspace, zone: asked.zone, ...limit }
    const key = JSON.stringify([
      window.workspace,
      limit.scope,
      limit.holder,
      limit.unit,
      limit.every,
      asked.zone,
    ])
    if (!windows.has(key)) indexes.set(key, windows.size)
    windows.set(key, window)
    return indexes.get(key) ?? 0
  }
  const asked = holds.map((hold) => {
    const { about, attempt } = hold.asked
    return {
      id: hold.id,
      forced: hold.forced ?? false,
      windows: hold.asked.limits.map((limit) => indexOf(hold, limit)),
      workspace: about.workspace,
      run: about.run ?? null,
      agent: about.agent,
      lane: about.lane,
      pool: attempt.pool,
      model: attempt.model,
      tier: attempt.tier,
      prompt: Math.ceil(attempt.prompt),
      most: Math.floor(attempt.most),
      least: Math.min(Math.floor(attempt.least), Math.floor(attempt.most)),
      promptPrice: Math.ceil(attempt.price?.prompt ?? 0),
      completionPrice: Math.ceil(attempt.price?.completion ?? 0),
    }
  })
  return { windows: [...windows.values()], holds: asked }
}

function chargeOf(id: string, attempt: Attempt, used: Used): Charge {
  const prompt = Math.max(0, Math.round(used.prompt))
  const completion = Math.max(0, Math.round(used.completion))
  const cached = Math.min(Math.max(0, Math.round(used.cached ?? 0)), prompt)
  const cost = costOf({ prompt, completion, cached }, attempt.price)
  return { id, tokens: prompt + completion, cost, prompt, completion, cached, sure: used.sure }
}

async function beat(pool: pg.Pool, self: string, aliveMs: number): Promise<void> {
  await pool.query(
    `insert into ledgers (id, alive_until) values ($1, now() + $2 * interval '1 millisecond')
     on conflict (id) do update set alive_until = excluded.alive_until`,
    [self, aliveMs],
  )
}

/** Tries again what PostgreSQL undid, and once where the connection broke: every request may be made twice. */
async function persist<T>(query: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await query()
    } catch (error) {
      const code = Object(error).code
      const again = AGAIN.has(code) ? attempt < ATTEMPTS : isAway(error) && attempt === 1
      if (!again) throw error
    }
  }
}

const LATE = new Error('The ledger did not answer in time')

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(LATE), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

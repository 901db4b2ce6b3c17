/** `quorum size`: how many model servers, worker slots and tokens a load takes. */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { Budgets } from '../core/budget.ts'
import type { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import type { Models } from '../core/home.ts'
import { AT_ONCE, type Pool, tierOf } from '../core/pools.ts'
import type { Spread } from '../core/simulate.ts'
import {
  type Bar,
  batchedTokens,
  type Goal,
  leastPlaces,
  leastReplicas,
  type Sized,
  serviceTimes,
  sizeOf,
  spreadOf,
  spreadOfParts,
} from '../core/size.ts'
import { readHome } from '../home/read.ts'
import { type Burn, type Measures, readBurn, readMeasures } from '../store/measures.ts'
import { migrate } from '../store/migrate.ts'
import { openStore } from '../store/open.ts'
import type { Db } from '../store/transaction.ts'
import { openLog } from '../telemetry/log.ts'
import { readEnv } from './environment.ts'
import { print } from './print.ts'
import { tellSize } from './tell-size.ts'

const NEEDS = `quorum size needs to know how many questions come in the busiest hour and how long an answer takes: measured, with --from-metrics, or given, for example
  quorum size --questions 600 --calls 2 --prompt 1500:60,6000:40 --answer 150:50,400:40,1500:10 --read 6000 --write 35`

const amount = z.coerce.number('a number above 0').positive('a number above 0').max(1e9)
const count = amount.int('a whole number')
const Bars = z
  .string()
  .regex(/^\d+(:\d+(\.\d+)?)?(,\d+:\d+(\.\d+)?)*$/, 'a number of tokens, or TOKENS:SHARE,TOKENS:SHARE')
  .transform((text): Bar[] =>
    text.split(',').map((bar) => {
      const [tokens = 0, weight = 1] = bar.split(':').map(Number)
      return { tokens, weight }
    }),
  )
  .refine((bars) => bars.some(({ tokens, weight }) => tokens * weight > 0), 'at least one token')

const Flags = z.strictObject({
  questions: amount.optional(),
  calls: amount.optional(),
  prompt: Bars.optional(),
  answer: Bars.optional(),
  /** Tokens a second: of prompts, and of one answer. */
  read: amount.optional(),
  write: amount.optional(),
  /** Seconds of one call, in place of tokens and speeds. */
  service: amount.optional(),
  /** Coefficients of variation: of the time of a call, and of the gaps between calls. */
  variation: z.coerce.number().min(0).max(20).optional(),
  bursts: z.coerce.number().min(0).max(20).optional(),
  /** Seconds a run is busy with searches and tools. */
  beside: z.coerce.number().min(0).max(3_600).optional(),
  'at-once': count.max(10_000).optional(),
  replicas: count.max(500).optional(),
  slow: z.coerce.number().min(1).max(100).default(1),
  wait: amount.default(2),
  hours: amount.max(24).default(8),
  price: z
    .string()
    .regex(/^\d+(\.\d+)?,\d+(\.\d+)?$/, 'dollars for a million tokens read and written, such as 0.25,2')
    .optional(),
  pool: z.string().optional(),
  workspace: z.string().optional(),
  days: count.max(365).default(7),
  seed: z.coerce.number().int().default(1),
  'from-metrics': z.boolean().default(false),
  json: z.boolean().default(false),
})
type Flags = z.infer<typeof Flags>

type Context = {
  env: Pick<Env, 'QUORUM_SLOTS'>
  models?: Models | undefined
  budgets?: Budgets | undefined
  /** Opened only where measurements are asked for. */
  withDb<T>(read: (db: Db) => Promise<T>): Promise<T>
  print: (line: string) => void
}

export async function openSize(args: string[]): Promise<number> {
  const env = readEnv()
  const home = existsSync(env.QUORUM_HOME) ? await readHome(env.QUORUM_HOME, process.env) : undefined
  const { logger } = openLog(env.LOG_LEVEL === 'info' ? 'warn' : env.LOG_LEVEL)
  const withDb = async <T>(read: (db: Db) => Promise<T>) => {
    const { DATABASE_URL: databaseUrl, QUORUM_DATA: dataDir } = env
    await using store = await openStore({ databaseUrl, dataDir, log: logger })
    await migrate(store.pool)
    return await read(store.pool)
  }
  return await sizeDoor(args, { env, models: home?.models, budgets: home?.budgets, withDb, print })
}

/** Prints a table and what follows from it, or one line of JSON. Answers the exit code. */
export async function sizeDoor(args: string[], context: Context): Promise<number> {
  const flags = readFlags(args)
  if (typeof flags === 'string') {
    context.print(flags)
    return 2
  }
  const { pool, measured, burn } = await measure(flags, context)
  const load = measured || flags.questions ? readLoad(flags, measured) : undefined
  if (!load) {
    const nothing = `No call of a model was measured in the last ${flags.days} days${flags.pool ? ` in pool ${flags.pool}` : ''}.\n`
    context.print(`${flags['from-metrics'] && !measured ? nothing : ''}${NEEDS}`)
    return 2
  }
  const size = sizeFor(flags, load, { ...context, pool, measured, burn })
  if (flags.json) context.print(JSON.stringify(size, (key, value) => (key === 'values' ? undefined : value)))
  else for (const line of tellSize(size)) context.print(line)
  return size.needed === undefined ? 1 : 0
}

/** The flags, or what is wrong with them, in a sentence. */
function readFlags(args: string[]): Flags | string {
  const bare = ['from-metrics', 'json']
  const options = Object.fromEntries(
    Object.keys(Flags.shape).map((name) => [
      name,
      { type: bare.includes(name) ? ('boolean' as const) : ('string' as const) },
    ]),
  )
  const parsed = Flags.safeParse(parseArgs({ args, options }).values)
  if (!parsed.success)
    return parsed.error.issues.map(({ path, message }) => `--${path.join('')}: ${message}`).join('\n')
  const flags = parsed.data
  const shaped = [flags.prompt, flags.answer].some((bars) => (bars?.length ?? 0) > 1)
  if (shaped && flags.variation !== undefined)
    return '--variation: the histograms say how much the time of a call varies already.'
  return flags
}

type Measured = {
  pool?: [string, Pool] | undefined
  measured?: Measures | undefined
  burn?: Burn | undefined
}

async function measure(flags: Flags, { models, budgets, withDb }: Context): Promise<Measured> {
  const pools = Object.entries(models?.pools ?? {})
  const { days, workspace } = flags
  const ofPool = (name: string | undefined) => pools.find(([key]) => key === name)
  if (!flags['from-metrics']) {
    if (flags.pool && !ofPool(flags.pool)) throw unknownPool(flags.pool, pools)
    return { pool: ofPool(flags.pool) ?? pools.find(([, pool]) => tierOf(pool) === 'local') }
  }
  return await withDb(async (db) => {
    const all = await readMeasures(db, { days, workspace })
    const measured = flags.pool ? all.find(({ pool }) => pool === flags.pool) : all[0]
    const [burn] = await readBurn(db, { days, workspace, zone: budgets?.zone ?? 'UTC' })
    return { pool: ofPool(measured?.pool ?? flags.pool), measured, burn }
  })
}

function unknownPool(name: string, pools: readonly [string, Pool][]): Fault {
  const known = pools.map(([key]) => key).join(', ') || 'none'
  return new Fault('config-invalid', `There is no pool ${name} in models.yaml. Known are: ${known}.`)
}

/** What comes and how long it takes. `notes` say of each part where it is from. */
export type Load = {
  questions: number
  calls: number
  gapsCv2: number
  work: Spread
  besideS: number
  tokens?: { prompt: number; promptP95: number; completion: number } | undefined
  notes: { measured: string[]; given: string[]; assumed: string[] }
}

/** What was given goes before what was measured; undefined where too little is known. */
function readLoad(flags: Flags, measured: Measures | undefined): Load | undefined {
  const notes: Load['notes'] = { measured: [], given: [], assumed: [] }
  /** The given one, the measured one, or the one that is taken where nobody knows. */
  const pick = (
    about: string,
    given: number | undefined,
    found: number | null | undefined,
    otherwise: number,
  ) => {
    const from = given !== undefined ? notes.given : found != null ? notes.measured : notes.assumed
    const value = given ?? found ?? otherwise
    from.push(about.replace('%', `${Number(value.toPrecision(3))}`))
    return value
  }
  const work = workOf(flags, measured, notes)
  if (!work) return undefined
  const calls = pick('calls a question: %', flags.calls, measured?.callsPerRun, 1)
  const found = measured ? measured.inHour / calls : undefined
  const from = measured ? `% questions in the hour from ${measured.hour}` : '% questions in the busiest hour'
  const questions = pick(from, flags.questions, found, 0)
  const bursts = flags.bursts === undefined ? undefined : flags.bursts ** 2
  const gapsCv2 = pick('squared variation of the gaps between calls: %', bursts, measured?.gapsCv2, 1)
  const besideS = pick('searches and tools of a question: % s', flags.beside, measured?.besideS, 1)
  return { questions, calls, gapsCv2, work, besideS, tokens: tokensOf(flags, measured, notes), notes }
}

function workOf(flags: Flags, measured: Measures | undefined, notes: Load['notes']): Spread | undefined {
  const { prompt, answer, read, write, service } = flags
  const alone = (mean: number): Spread => {
    const cv = flags.variation ?? 1
    if (flags.variation === undefined) notes.assumed.push('times of calls vary like chance (coefficient 1)')
    return { mean, cv2: cv ** 2 }
  }
  if (service) {
    notes.given.push(`${service} s a call`)
    return alone(service)
  }
  if (prompt && answer && read && write) {
    notes.given.push('time of a call from its tokens')
    notes.assumed.push('prompts and answers are long independently of each other, and no prefix is cached')
    const spread = spreadOf(serviceTimes(prompt, answer, { read, write }))
    return prompt.length + answer.length > 2 ? spread : alone(spread.mean)
  }
  if (!measured) return undefined
  notes.measured.push(
    `${measured.seconds.toFixed(2)} s a call, over ${measured.calls} calls, waits inside of the servers included`,
  )
  if (measured.firstTokenP50 !== null && measured.firstTokenP95 !== null)
    notes.measured.push(
      `first token after ${measured.firstTokenP50.toFixed(2)} s, 95 % within ${measured.firstTokenP95.toFixed(2)} s`,
    )
  if (measured.attempts !== null) notes.measured.push(`${measured.attempts.toFixed(2)} attempts an answer`)
  const spread = spreadOfParts(measured.secondsAt, measured.seconds)
  return flags.variation === undefined ? spread : alone(spread.mean)
}

function tokensOf(
  { prompt, answer }: Flags,
  measured: Measures | undefined,
  notes: Load['notes'],
): Load['tokens'] {
  if (prompt && answer) {
    const p = tokensIn(prompt)
    return { prompt: p.mean, promptP95: p.p95, completion: tokensIn(answer).mean }
  }
  if (!measured) return undefined
  const { prompt: read, promptP95, cached, completion, completionP95 } = measured
  notes.measured.push(
    `${Math.round(read)} tokens read a call (95 % within ${Math.round(promptP95)}, ${Math.round((cached / read) * 100)} % cached), ${Math.round(completion)} written (95 % within ${Math.round(completionP95)})`,
  )
  return { prompt: read, promptP95, completion }
}

function tokensIn(bars: readonly Bar[]): { mean: number; p95: number } {
  const total = bars.reduce((sum, { weight }) => sum + weight, 0)
  const sorted = bars.toSorted((a, b) => a.tokens - b.tokens)
  let below = 0
  let p95 = 0
  for (const { tokens, weight } of sorted) {
    p95 = tokens
    below += weight
    if (below >= total * 0.95) break
  }
  return { mean: bars.reduce((sum, bar) => sum + bar.tokens * bar.weight, 0) / total, p95 }
}

type Around = Pick<Context, 'env' | 'models' | 'budgets'> & Measured

/** Calls that are played through for each number of replicas. */
const PLAYED = 200_000
/** Days of a month on which people work. */
const WORKDAYS = 22
const MOST_SLOTS = 500

export type Size = {
  load: Load
  goal: Pick<Goal, 'waitS' | 'atOnce' | 'slow' | 'seed' | 'calls'>
  callsAnHour: number
  rows: Sized[]
  /** The replicas that are there now, and the fewest that hold the goal; N+1 is one more. */
  today?: number | undefined
  needed?: number | undefined
  /** Shares of the calls that find no room, with all of N and with one less, and what they cost an hour. */
  spill?:
    | { pool?: string | undefined; all: number; less: number; dollarsAnHour?: number | undefined }
    | undefined
  vllm: { maxNumSeqs: number; maxNumBatchedTokens?: number | undefined; kvTokens?: number | undefined }
  workers?: { atOnce: number; processes: number; slots: number; slotsNow: number } | undefined
  burn?: Burning | undefined
}

/** A day of one workspace, and what budgets.yaml allows the workspace. Dollars are those of cloud models. */
export type Burning = {
  from: string
  tokensADay: number
  mostTokens?: number | undefined
  dollarsADay?: number | undefined
  limits: { every: 'day' | 'month'; unit: 'tokens' | 'dollars'; allowed: number; share: number }[]
}

function sizeFor(flags: Flags, load: Load, around: Around): Size {
  const [, pool] = around.pool ?? []
  const callsAnHour = load.questions * load.calls
  const goal: Goal = {
    traffic: { rate: callsAnHour / 3_600, gapsCv2: load.gapsCv2, work: load.work },
    atOnce: flags['at-once'] ?? pool?.atOnce ?? AT_ONCE,
    ...{ slow: flags.slow, waitS: flags.wait, calls: PLAYED, seed: flags.seed },
  }
  const today = flags.replicas ?? pool?.replicas.length
  const least = leastReplicas(goal)
  const needed = least?.replicas
  const wanted = [...(needed ? [needed - 1, needed, needed + 1] : []), ...(today ? [today - 1, today] : [])]
  const rows = [...new Set(wanted)]
    .filter((replicas) => replicas > 0)
    .toSorted((a, b) => a - b)
    .map((replicas) => (replicas === needed && least ? least : sizeOf(goal, replicas)))
  const { waitS, atOnce, slow, seed, calls } = goal
  const { tokens } = load
  return {
    ...{ load, goal: { waitS, atOnce, slow, seed, calls }, callsAnHour, rows, today, needed },
    spill: needed ? spillOf(flags, load, around, { rows, needed, callsAnHour }) : undefined,
    vllm: {
      maxNumSeqs: atOnce,
      maxNumBatchedTokens: tokens && batchedTokens(atOnce, tokens.promptP95),
      kvTokens: tokens && Math.ceil(atOnce * (tokens.prompt + tokens.completion)),
    },
    workers: least && workersFor(load, least, slow, around.env.QUORUM_SLOTS),
    burn: burnOf(flags, load, around),
  }
}

/** Where one of N dies: a call that finds no room on what is left goes to a cloud pool, where one may take it. */
function spillOf(
  flags: Flags,
  { tokens }: Load,
  { models, pool: own }: Around,
  of: { rows: readonly Sized[]; needed: number; callsAnHour: number },
): Size['spill'] {
  const named = own?.[1].instead?.find((name) => {
    const other = models?.pools[name]
    return other && tierOf(other) === 'cloud'
  })
  const [prompt, completion] = flags.price?.split(',').map(Number) ?? []
  const price = flags.price
    ? { prompt: prompt ?? 0, completion: completion ?? 0 }
    : models?.pools[named ?? '']?.price
  const shareAt = (replicas: number) =>
    replicas === 0 ? 1 : (of.rows.find((row) => row.replicas === replicas)?.left ?? 0)
  const less = shareAt(of.needed - 1)
  const each = price && tokens && (tokens.prompt * price.prompt + tokens.completion * price.completion) / 1e6
  return {
    ...{ pool: named, all: shareAt(of.needed), less },
    dollarsAnHour: each === undefined ? undefined : less * of.callsAnHour * each,
  }
}

/** A run takes a place of a worker while it calls models, searches and tools; not while it waits for a person. */
function workersFor(load: Load, least: Sized, slow: number, slotsNow: number): Size['workers'] {
  const waits = Math.max(least.expected.mean, least.played?.mean ?? 0)
  const busyS = load.calls * (load.work.mean * slow + waits) + load.besideS
  const atOnce = leastPlaces((load.questions / 3_600) * busyS)
  const without = Math.ceil(atOnce / MOST_SLOTS)
  return { atOnce, processes: without + 1, slots: Math.ceil(atOnce / without), slotsNow }
}

function burnOf(
  flags: Flags,
  { questions, calls, tokens }: Load,
  { measured, burn, budgets }: Around,
): Size['burn'] {
  const inHour = measured && measured.inHour / calls
  // Another number of questions than was measured burns as many more or fewer tokens.
  const times = inHour ? questions / inHour : 1
  const day = burn
    ? {
        from: `measured in workspace ${burn.workspace} on ${burn.days} days${times === 1 ? '' : ', in proportion to the questions given'}`,
        tokensADay: burn.tokens * times,
        mostTokens: burn.mostTokens * times,
        dollarsADay: (burn.cost * times) / 1e6,
      }
    : tokens && {
        from: `${flags.hours} hours a day as busy as this one, one workspace`,
        tokensADay: questions * flags.hours * calls * (tokens.prompt + tokens.completion),
      }
  if (!day) return undefined
  const limits = (['day', 'month'] as const).flatMap((every) =>
    (['tokens', 'dollars'] as const).flatMap((unit) => {
      const allowed = budgets?.workspace?.[every]?.[unit]
      const used = unit === 'tokens' ? day.tokensADay : 'dollarsADay' in day ? day.dollarsADay : undefined
      if (allowed === undefined || used === undefined) return []
      return [{ every, unit, allowed, share: (used * (every === 'day' ? 1 : WORKDAYS)) / allowed }]
    }),
  )
  return { ...day, limits }
}

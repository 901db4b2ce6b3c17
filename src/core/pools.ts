/** The pools of models.yaml: servers of the same model, and which pool may serve in place of which. */
import { z } from 'zod'
import type { Price, Purpose } from './meter.ts'
import { shaped } from './shaped.ts'

export const address = z.url({
  protocol: /^https?$/,
  error: 'an address that begins with http:// or https://',
})

export const name = shaped(/^[a-z0-9][a-z0-9_-]{0,40}$/, 'a short name: lower-case letters, digits, - and _')

/** The NAME of an environment variable: a key itself never stands in a file. */
export const variable = shaped(
  /^[A-Za-z_][A-Za-z0-9_]*$/,
  'the name of an environment variable, not the key itself',
)

export const duration = shaped(/^\d{1,9}(ms|s|m|h)$/, 'a time such as 500ms, 30s or 10m')
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
/** The longest time a timer can hold. */
const LONGEST_MS = 2_147_483_647

/** A time such as `30s` in milliseconds. */
export function milliseconds(time: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(time) ?? []
  if (!count || !unit) throw new Error(`not a duration: ${time}`)
  return Math.min(LONGEST_MS, Math.max(1, Number(count) * UNITS[unit as keyof typeof UNITS]))
}

const LANES = ['interactive', 'long', 'background'] as const
export type Lane = Purpose['lane']
const lane = z.enum(LANES)

const headers = z.record(z.string(), z.string())
/** One server; `key` and `headers` in place of the pool's. */
const Replica = z.union([
  address,
  z.strictObject({ url: address, key: variable.optional(), headers: headers.optional() }),
])

const tokens = z.int().min(1)
const dollars = z.number().min(0)

/** A pool: servers of the same model. `key` is the NAME of an environment variable. */
export const Pool = z.strictObject({
  model: z.string(),
  replicas: z.array(Replica).min(1, 'at least one replica'),
  key: variable.optional(),
  /** Extra headers, e.g. `api-key` for Azure; `${NAME}` comes from the environment when the pool is used. */
  headers: headers.optional(),
  /** Whether what is asked leaves the house. Left out, it follows from the addresses: see {@link tierOf}. */
  tier: z.enum(['local', 'cloud']).optional(),
  /** Dollars for a million tokens. */
  price: z.strictObject({ prompt: dollars, cached: dollars.optional(), completion: dollars }).optional(),
  /** Pools that may serve where this one cannot, in this order; local ones go before cloud ones. */
  instead: z.array(name).optional(),
  /** A smaller local pool, for agents that allow it. */
  smaller: name.optional(),
  /** Whose calls it takes; all where it is left out. */
  lanes: z.array(lane).min(1, 'at least one lane').optional(),
  timers: z
    .strictObject({ firstToken: duration.optional(), idle: duration.optional(), total: duration.optional() })
    .optional(),
  /** Tokens the model can read and write in one call. */
  contextTokens: tokens.optional(),
  /** Tokens of one answer at most; by lane where they differ. */
  maxOutputTokens: z
    .union([
      tokens,
      z.strictObject({
        interactive: tokens.optional(),
        long: tokens.optional(),
        background: tokens.optional(),
      }),
    ])
    .optional(),
  /** Requests one replica is given at once. */
  atOnce: z.int().min(1).max(10_000).optional(),
  sampling: z
    .strictObject({
      temperature: z.number().min(0).max(2).optional(),
      topP: z.number().gt(0).max(1).optional(),
      seed: z.int().optional(),
    })
    .optional(),
  /** The revision of the weights, as the servers were started with it: recorded with every answer. */
  revision: z.string().optional(),
  /** Whether the servers go on with an answer that was begun (`continue_final_message`). */
  continues: z.boolean().optional(),
  /** Asks a second replica where the first has said nothing for so long. Left out: never. */
  hedge: duration.optional(),
})
export type Pool = z.infer<typeof Pool>

/** How long is waited while no model answers. */
export const Patience = z.strictObject({
  /** Then the best passages are shown instead of an answer, where there are any. */
  quotes: duration.default('1m'),
  /** Then the run ends with a sentence. */
  end: duration.default('30m'),
})
export type Patience = z.infer<typeof Patience>

/** A server of a pool with what it takes to reach it. */
export type ReplicaAt = {
  url: string
  key?: string | undefined
  headers?: Record<string, string> | undefined
}

/** The servers of a pool, each with the pool's key and headers where it has none of its own. */
export function replicasOf(pool: Pool): ReplicaAt[] {
  const { key, headers } = pool
  return pool.replicas.map((one) =>
    typeof one === 'string'
      ? { url: one, key, headers }
      : { url: one.url, key: one.key ?? key, headers: one.headers ?? headers },
  )
}

/**
 * Whether a pool is in the house. Where it does not say, it is `local` only if every replica has a loopback or private
 * address, a name without a dot, or one that ends in `.local`, `.internal`, `.lan` or `.svc`: what nobody vouches for is cloud.
 */
export function tierOf(pool: Pool): 'local' | 'cloud' {
  return (
    pool.tier ?? (replicasOf(pool).every(({ url }) => isInHouse(new URL(url).hostname)) ? 'local' : 'cloud')
  )
}

export function isInHouse(host: string): boolean {
  if (host.startsWith('[')) return /^\[(::1|f[cd][0-9a-f]{2}:.*|fe80:.*)\]$/.test(host)
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host))
    return /^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host)
  return !host.includes('.') || /\.(localhost|local|internal|lan|svc)$/.test(host)
}

/** What a pool costs, in micro-dollars for a million tokens. */
export function priceOf({ price }: Pool): Price | undefined {
  if (!price) return undefined
  const micro = (amount: number) => Math.round(amount * 1_000_000)
  const cached = price.cached === undefined ? {} : { cached: micro(price.cached) }
  return { prompt: micro(price.prompt), ...cached, completion: micro(price.completion) }
}

/** Requests that a replica is given at once where its pool does not say. */
export const AT_ONCE = 64
/** From this many tokens on a prompt is long: one at a time on replicas that also serve short ones. */
export const LONG_TOKENS = 8_192
/** Tokens of one answer where a pool does not say. */
const OUTPUT_TOKENS = 4096
/** The smallest answer that is still of use, in tokens. */
export const LEAST_OUTPUT = 256

/** The lane of a call: what is long does not go before what is short, though somebody waits for it. */
export function laneOf(lane: Lane, prompt: number): Lane {
  return lane === 'interactive' && prompt >= LONG_TOKENS ? 'long' : lane
}

/** Tokens that a window leaves for an answer. Our count may be a little low; a server refuses what would not fit. */
export function roomBeside(prompt: number, context: number): number {
  return Math.floor(context - prompt * 1.02 - 16)
}

/** Whether a window leaves so little beside a prompt that no answer of use fits. */
export function isTooLong(prompt: number, context: number): boolean {
  return roomBeside(prompt, context) < Math.min(LEAST_OUTPUT, context / 8)
}

/** How many tokens an answer of this lane may have. */
export function outputCap({ maxOutputTokens: cap }: Pool, of: Lane): number {
  return (typeof cap === 'object' ? cap[of] : cap) ?? OUTPUT_TOKENS
}

/** Vectors from an OpenAI-compatible server: vLLM, Ollama, OpenAI and their like. */
import { setTimeout as pause } from 'node:timers/promises'
import { isAbroad } from '../core/embedding.ts'
import { Fault } from '../core/fault.ts'
import type { Embeddings } from '../core/home.ts'
import type { EmbedOptions, Engine, Spend } from './embed.ts'
import { type Names, openEndpoint } from './endpoint.ts'
import { faultOf, retryAfterMs, wasNotRead } from './failure.ts'

/** What one request holds at most: texts, tokens as we guess them, and numbers in the answer, which we read at once. */
const MOST_TEXTS = 64
const MOST_TOKENS = 16_000
const MOST_NUMBERS = 100_000
const CONCURRENCY = 2
const PATIENCE = {
  query: { ms: 10_000, attempts: 2, longestWaitMs: 2_000 },
  bulk: { ms: 60_000, attempts: 6, longestWaitMs: 120_000 },
}
/** A text that is too long for the model loses a quarter at a time, down to this many characters. */
const SHORTEST_CUT = 200

type RemoteOptions = {
  /** The first wait before another try, in ms; each next is twice as long. */
  backoffMs?: number
  spend?: Spend | undefined
}

/** Opens the server of models.yaml. */
export function openRemoteEmbedder(config: Embeddings, env: Names, options: RemoteOptions = {}): Engine {
  const { backoffMs = 250, spend } = options
  const { client, secrets } = openEndpoint({ url: config.url, key: config.key }, env)
  const { model: name, revision = '', languages } = config
  const prefix = config.prefix ?? { query: '', passage: '' }
  const turns = openTurns(config.concurrency ?? CONCURRENCY)
  let length = config.dimensions
  let mostTexts = MOST_TEXTS
  /** Fields that many servers do not know, and refuse: the first is sent until it is, the second once it is needed. */
  const send = { dimensions: config.dimensions !== undefined, truncate: false }
  let mayTruncate = true
  /** Until when the server asked to be left alone. */
  let restUntil = 0

  const request = async (texts: string[], { hold, estimate, signal }: Paid): Promise<number[][]> => {
    let used = estimate
    try {
      const page = await client.embeddings.create(
        {
          model: config.model,
          // An empty text is refused by OpenAI.
          input: texts.map((text) => text || ' '),
          encoding_format: 'float',
          ...(send.dimensions && config.dimensions ? { dimensions: config.dimensions } : {}),
          ...(send.truncate ? { truncate_prompt_tokens: -1 } : {}),
        },
        { signal },
      )
      used = page.usage?.prompt_tokens || estimate
      return readVectors(page.data, texts.length)
    } catch (error) {
      if (wasNotRead(faultOf(error, secrets))) used = 0
      throw error
    } finally {
      await hold?.settle(used)
    }
  }

  const measured = async (texts: string[], paid: Paid): Promise<number[][]> => {
    const vectors = await request(texts, paid)
    const expected = length ?? vectors[0]?.length
    const wrong = vectors.find((vector) => vector.length !== expected)
    if (wrong)
      throw unavailable(
        `the embedding server sent ${wrong.length} numbers a text instead of ${length ?? 'always as many'}`,
      )
    length ??= expected
    return vectors
  }

  const patient = async (texts: string[], { signal, priority = 'bulk', workspace }: EmbedOptions) => {
    const { ms, attempts, longestWaitMs } = PATIENCE[priority]
    const estimate = texts.reduce((sum, text) => sum + guessTokens(text), 0)
    for (let attempt = 1; ; attempt += 1) {
      if (priority === 'bulk') await restFor(restUntil - Date.now(), signal)
      signal?.throwIfAborted()
      // Not among the failures that are tried again at once: a budget has no more a second later.
      const hold = workspace === undefined ? undefined : await spend?.(estimate, workspace)
      const clock = AbortSignal.timeout(ms)
      try {
        return await measured(texts, {
          hold,
          estimate,
          signal: signal ? AbortSignal.any([signal, clock]) : clock,
        })
      } catch (error) {
        signal?.throwIfAborted()
        const fault = clock.aborted
          ? unavailable(`the embedding server did not answer within ${ms / 1_000} s`, true)
          : embedFault(error, secrets)
        if (!(fault instanceof Fault) || !fault.retry || attempt >= attempts) throw fault
        const asked = retryAfterMs(fault)
        const wait = Math.min(asked ?? backoffMs * 2 ** (attempt - 1) * (0.5 + Math.random()), longestWaitMs)
        if (asked !== undefined) restUntil = Math.max(restUntil, Date.now() + wait)
        await restFor(wait, signal)
      }
    }
  }

  /** What the server will not take as it is, it gets otherwise: without a field, in smaller parts, cut. */
  const adapting = async (texts: string[], options: EmbedOptions): Promise<number[][]> => {
    const sent = { ...send }
    try {
      return await patient(texts, options)
    } catch (error) {
      const about = refusal(error)
      if (about === undefined) throw error
      if (sent.dimensions && /dimensions/i.test(about)) send.dimensions = false
      else if (sent.truncate && /truncate_prompt_tokens/.test(about)) {
        mayTruncate = false
        send.truncate = false
      } else if (!TOO_MUCH.test(about)) throw error
      else if (mayTruncate && !sent.truncate && /token|length|context|long/i.test(about)) send.truncate = true
      else if (texts.length > 1) {
        const half = Math.ceil(texts.length / 2)
        if (/batch|413/i.test(about)) mostTexts = Math.min(mostTexts, half)
        return [
          ...(await adapting(texts.slice(0, half), options)),
          ...(await adapting(texts.slice(half), options)),
        ]
      } else {
        const [text = ''] = texts
        if (text.length <= SHORTEST_CUT) throw error
        return await adapting([text.slice(0, Math.floor(text.length * 0.75)).toWellFormed()], options)
      }
      return await adapting(texts, options)
    }
  }

  const embedAll = async (texts: string[], options: EmbedOptions): Promise<number[][]> => {
    const bulk = options.priority !== 'query'
    const before = bulk ? prefix.passage : prefix.query
    const failed = new AbortController()
    const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal
    const parts = split(
      texts.map((text) => before + text),
      mostTexts,
      length,
    )
    const vectors = await Promise.all(
      parts.map(async (part) => {
        const free = bulk ? await turns(signal) : () => {}
        try {
          return await adapting(part, { ...options, signal })
        } catch (error) {
          // The others are not needed any more; what is told is why the first one failed.
          failed.abort(error)
          throw error
        } finally {
          free()
        }
      }),
    )
    return vectors.flat()
  }

  const abroad = isAbroad({ origin: config })
  const embed = async (texts: string[], options: EmbedOptions = {}): Promise<number[][]> => {
    if (options.priority === 'query' && abroad && !options.permit) throw unavailable(STAYS)
    return embedAll(texts, options)
  }

  let known = false
  const ready = async () => {
    if (known) return 'ready' as const
    try {
      await embedAll(['ready?'], { priority: 'query', permit: undefined })
      known = true
      return 'ready' as const
    } catch (error) {
      return { why: error instanceof Error ? error.message : String(error) }
    }
  }
  const close = async () => {}
  return {
    model: { name, revision, languages, origin: config },
    dimensions: () => length,
    runtime: () => new URL(config.url).host,
    ready,
    embed,
    close,
    [Symbol.asyncDispose]: close,
  }
}

type Paid = { hold: Awaited<ReturnType<Spend>> | undefined; estimate: number; signal: AbortSignal }

/** Parts that a server takes at once: not too many texts, nor tokens, nor numbers to come back. */
function split(texts: string[], mostTexts: number, length = 1): string[][] {
  const most = Math.max(1, Math.min(mostTexts, Math.floor(MOST_NUMBERS / length)))
  const parts: string[][] = []
  let tokens = 0
  for (const text of texts) {
    const part = parts.at(-1)
    const more = guessTokens(text)
    if (!part || part.length >= most || tokens + more > MOST_TOKENS) {
      parts.push([text])
      tokens = more
    } else {
      part.push(text)
      tokens += more
    }
  }
  return parts
}

/** Rather too many: Latin script has about four bytes a token, Chinese about three. */
function guessTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 3) + 2
}

/** A few at a time. Answers what gives the turn back. */
function openTurns(most: number): (signal: AbortSignal) => Promise<() => void> {
  let taken = 0
  const queue: (() => void)[] = []
  const free = () => {
    taken -= 1
    queue.shift()?.()
  }
  return async (signal) => {
    while (taken >= most) {
      await new Promise<void>((resolve) => {
        queue.push(resolve)
      })
    }
    taken += 1
    if (signal.aborted) free()
    signal.throwIfAborted()
    return free
  }
}

async function restFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms > 0) await pause(ms, undefined, signal ? { signal } : {}).catch(() => {})
}

const TOO_MUCH = /token|length|context|long|large|batch|size|413/i

/** What a server says of a request that it will never take as it is; undefined where that is not what happened. */
function refusal(error: unknown): string | undefined {
  if (!(error instanceof Fault) || error.retry) return undefined
  const status = (error.cause as { status?: number } | undefined)?.status
  return status === 400 || status === 413 || status === 422 ? `${error.message} ${status}` : undefined
}

/** Why a question without a permit has no vector where the model is in the cloud. */
export const STAYS = 'what is asked here stays in the house, and the embedding model is in the cloud'

function unavailable(sentence: string, retry = false, cause?: unknown): Fault {
  return new Fault('embed-unavailable', sentence, { retry, cause })
}

function embedFault(error: unknown, secrets: string[]): unknown {
  const fault = faultOf(error, secrets)
  if (!(fault instanceof Fault) || fault.code === 'embed-unavailable') return fault
  return unavailable(`no vectors: ${fault.message}`, fault.retry, fault.cause)
}

/** As lists of numbers, or as base64 of 32-bit floats, which some servers send whatever is asked. */
function readVectors(data: unknown, count: number): number[][] {
  const rows = Array.isArray(data) ? (data as { index?: number; embedding?: unknown }[]) : []
  const vectors: unknown[] = Array.from({ length: count })
  rows.forEach((row, at) => {
    const { index = at, embedding } = row ?? {}
    vectors[index] = typeof embedding === 'string' ? decodeFloats(embedding) : embedding
  })
  // A vector of zeros points nowhere: nothing is near it.
  const whole = (vector: unknown): vector is number[] =>
    Array.isArray(vector) && vector.every((number) => Number.isFinite(number)) && vector.some(Boolean)
  if (rows.length !== count || vectors.length !== count || !vectors.every(whole))
    throw unavailable('the embedding server answered something other than one vector for each text', true)
  return vectors as number[][]
}

function decodeFloats(text: string): number[] {
  const bytes = Buffer.from(text, 'base64')
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, at) => bytes.readFloatLE(at * 4))
}

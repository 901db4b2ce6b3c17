/** Vectors from an OpenAI-compatible server. */
import { setTimeout as pause } from 'node:timers/promises'
import OpenAI from 'openai'
import { Fault } from '../core/fault.ts'
import type { Embeddings } from '../core/home.ts'
import type { EmbedOptions, Engine } from './embed.ts'
import { type Names, openEndpoint } from './endpoint.ts'
import { faultOf, retryAfterMs } from './failure.ts'

/** Texts in one request. */
const BATCH = 64
const PATIENCE = { query: { ms: 10_000, attempts: 2 }, bulk: { ms: 60_000, attempts: 5 } }
const LONGEST_WAIT_MS = 10_000

/** Opens the server of models.yaml. `backoffMs` is the first wait before another try; each next is twice as long. */
export function openRemoteEmbedder(config: Embeddings, env: Names, backoffMs = 250): Engine {
  const { client, secrets } = openEndpoint({ url: config.url, key: config.key }, env)
  const { model: name, revision = '', languages } = config
  const model = { name, revision, languages, origin: config }
  let length = config.dimensions
  /** Many servers know only the model's own length and refuse the field; what comes back is measured anyway. */
  let askLength = config.dimensions !== undefined

  const once = async (texts: string[], signal: AbortSignal): Promise<number[][]> => {
    const page = await client.embeddings.create(
      {
        model: config.model,
        // An empty text is refused by OpenAI.
        input: texts.map((text) => text || ' '),
        encoding_format: 'float',
        ...(askLength && config.dimensions ? { dimensions: config.dimensions } : {}),
      },
      { signal },
    )
    const vectors = readVectors(page.data, texts.length)
    const wrong = vectors.find((vector) => vector.length !== (length ?? vectors[0]?.length))
    if (wrong)
      throw unavailable(
        `the embedding server sent ${wrong.length} numbers a text instead of ${length ?? 'always as many'}`,
      )
    length ??= vectors[0]?.length
    return vectors
  }

  const batch = async (texts: string[], { signal, priority = 'bulk' }: EmbedOptions): Promise<number[][]> => {
    const { ms, attempts } = PATIENCE[priority]
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted()
      const clock = AbortSignal.timeout(ms)
      try {
        return await once(texts, signal ? AbortSignal.any([signal, clock]) : clock)
      } catch (error) {
        signal?.throwIfAborted()
        if (askLength && error instanceof OpenAI.BadRequestError && /dimensions/.test(error.message)) {
          askLength = false
          continue
        }
        const fault = clock.aborted
          ? unavailable(`the embedding server did not answer within ${ms / 1_000} s`, true)
          : embedFault(error, secrets)
        if (!(fault instanceof Fault) || !fault.retry || attempt >= attempts) throw fault
        const wait = retryAfterMs(fault) ?? backoffMs * 2 ** (attempt - 1) * (0.5 + Math.random())
        await pause(Math.min(wait, LONGEST_WAIT_MS), undefined, signal ? { signal } : {}).catch(() => {})
      }
    }
  }

  const embed = async (texts: string[], options: EmbedOptions = {}) => {
    const vectors: number[][] = []
    for (let at = 0; at < texts.length; at += BATCH)
      vectors.push(...(await batch(texts.slice(at, at + BATCH), options)))
    return vectors
  }
  let known = false
  const ready = async () => {
    if (known) return 'ready' as const
    try {
      await embed(['ready?'], { priority: 'query' })
      known = true
      return 'ready' as const
    } catch (error) {
      return { why: error instanceof Error ? error.message : String(error) }
    }
  }
  const close = async () => {}
  return { model, dimensions: () => length, ready, embed, close, [Symbol.asyncDispose]: close }
}

function unavailable(sentence: string, retry = false, cause?: unknown): Fault {
  return new Fault('embed-unavailable', sentence, { retry, cause })
}

function embedFault(error: unknown, secrets: string[]): unknown {
  const fault = faultOf(error, secrets)
  if (!(fault instanceof Fault) || fault.code === 'embed-unavailable') return fault
  return unavailable(`no vectors: ${fault.message}`, fault.retry, fault.cause)
}

function readVectors(data: unknown, count: number): number[][] {
  const rows = Array.isArray(data) ? (data as { index?: number; embedding?: unknown }[]) : []
  const vectors: unknown[] = Array.from({ length: count })
  rows.forEach((row, at) => {
    vectors[row.index ?? at] = row.embedding
  })
  const whole = (vector: unknown): vector is number[] =>
    Array.isArray(vector) && vector.length > 0 && vector.every((number) => Number.isFinite(number))
  if (rows.length !== count || vectors.length !== count || !vectors.every(whole))
    throw unavailable('the embedding server answered something other than one vector for each text', true)
  return vectors as number[][]
}

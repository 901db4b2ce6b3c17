/** One model, asked over one OpenAI-compatible endpoint: one attempt, complete or a Fault. */
import OpenAI from 'openai'
import type { ChatAnswer, ChatRequest } from '../core/chat.ts'
import { Fault } from '../core/fault.ts'
import { outputCap, type Pool, type ReplicaAt, replicasOf } from '../core/pools.ts'
import { type Assembly, assemble, type Chunk } from './assemble.ts'
import { type Endpoint, type Log, type Names, openEndpoint } from './endpoint.ts'
import { clean, faultOf } from './failure.ts'
import { readLimits, startWatch, type Watch } from './timers.ts'
import { type FullRequest, type Quirks, type WireNames, wireNames, writeRequest } from './wire.ts'

export type AskOptions = {
  signal: AbortSignal
  /** Called with each new piece of the answer's text, in order, without reasoning. */
  onText?: ((delta: string) => void) | undefined
  /** Called once, when the first part of the answer or of its reasoning arrives. */
  onFirst?: (() => void) | undefined
}

export type Chat = {
  /** The model's name as the pool gives it. */
  model: string
  /** The address, without anything secret in it. */
  url: string
  /**
   * Asks once. What comes back is complete: it ended with a finish reason. Nothing is retried here, except that a
   * server that refuses an optional field is asked again without it, once in the life of this chat.
   *
   * @throws Fault `model-*`; `retry` says whether the same request may succeed later. When the caller aborts, the signal's reason.
   */
  ask(request: FullRequest, options: AskOptions): Promise<ChatAnswer>
  /** Asks the server which models it has, within 5 s. Never throws. */
  probe(): Promise<{ ok: true; models: string[] } | { ok: false; why: string }>
} & Pick<Endpoint, 'get' | 'post'>

const PROBE_MS = 5_000
/** How much of an answer that is no stream is read to find its sentence. Bytes. */
const SNIPPET = 8_000

/**
 * Opens one replica of a pool, the first where none is given. Nothing is sent until it is asked.
 *
 * @throws Fault `config-invalid` when a variable the pool names is not set
 */
export function openChat(
  pool: Pool,
  env: Names,
  log: Log = () => {},
  at: ReplicaAt | undefined = replicasOf(pool)[0],
): Chat {
  const url = at?.url ?? ''
  const endpoint = openEndpoint({ ...at, url }, env)
  const limits = readLimits(pool.timers)
  const quirks: Quirks = { noStreamOptions: false, completionTokens: false, noSalt: false }

  const ask = async (request: FullRequest, options: AskOptions): Promise<ChatAnswer> => {
    options.signal.throwIfAborted()
    const began = performance.now()
    const names = wireNames(request.tools)
    const watch = startWatch(limits, options.signal)
    const answer = assemble(pool.model, callIds(request), names.back)
    try {
      const chunks = await begin(request, names, watch, options.signal)
      const firstTokenMs = await read(chunks, answer, watch, options, endpoint.secrets)
      const ms = performance.now() - began
      return { ...answer.answer(), firstTokenMs: (firstTokenMs ?? performance.now()) - began, ms }
    } finally {
      watch.stop()
    }
  }

  const begin = async (request: FullRequest, names: WireNames, watch: Watch, caller: AbortSignal) => {
    for (;;) {
      const maxTokens = request.maxTokens ?? (pool.maxOutputTokens && outputCap(pool, 'interactive'))
      const body = writeRequest(request, pool.model, maxTokens, names, quirks)
      try {
        const sent = endpoint.client.chat.completions.create(body, { signal: watch.signal })
        const { data, response } = await sent.withResponse()
        await refuseOtherThanStream(response, endpoint.secrets)
        return data[Symbol.asyncIterator]() as AsyncIterator<Chunk>
      } catch (error) {
        if (learn(error, quirks)) {
          log('info', 'the model server does not know an optional field; asking without it', { ...quirks })
          continue
        }
        caller.throwIfAborted()
        throw watch.fault() ?? faultOf(error, endpoint.secrets)
      }
    }
  }

  return {
    model: pool.model,
    url,
    ask,
    probe: () => probe(endpoint, at),
    get: endpoint.get,
    post: endpoint.post,
  }
}

/** Reads the stream to its end, or to its finish reason and a moment more. Returns when the first token came. */
async function read(
  chunks: AsyncIterator<Chunk>,
  answer: Assembly,
  watch: Watch,
  { signal, onText, onFirst }: AskOptions,
  secrets: string[],
): Promise<number | undefined> {
  let first: number | undefined
  const pull = async (): Promise<IteratorResult<Chunk>> => {
    try {
      return await chunks.next()
    } catch (error) {
      if (answer.finished()) return { done: true, value: undefined }
      signal.throwIfAborted()
      throw watch.fault() ?? faultOf(error, secrets)
    }
  }
  try {
    for (let next = await pull(); !next.done; next = await pull()) {
      const { text, token } = answer.take(next.value)
      if (token && first === undefined) {
        first = performance.now()
        onFirst?.()
      }
      watch.alive(token)
      if (answer.finished()) watch.finished()
      if (text) onText?.(text)
    }
  } finally {
    await chunks.return?.()
  }
  signal.throwIfAborted()
  const fault = watch.fault()
  if (fault && !answer.finished()) throw fault
  const rest = answer.rest()
  if (rest) onText?.(rest)
  return first
}

/** A page or a plain JSON document where a stream was asked for. */
async function refuseOtherThanStream(response: Response, secrets: string[]): Promise<void> {
  const type = response.headers.get('content-type') ?? ''
  if (!/html|json/i.test(type) || /event-stream|ndjson/i.test(type)) return
  const said = clean(await snippet(response), secrets)
  throw new Fault('model-nonsense', `the model server sent no stream but ${type}${said ? `: ${said}` : ''}`, {
    retry: true,
  })
}

async function snippet(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    text += decoder.decode(part.value, { stream: true })
    if (text.length >= SNIPPET) break
  }
  await reader?.cancel()
  return text.slice(0, SNIPPET)
}

/** Whether the refusal names an optional field that we can leave out or rename, for the first time. */
function learn(error: unknown, quirks: Quirks): boolean {
  if (!(error instanceof OpenAI.APIError) || (error.status !== 400 && error.status !== 422)) return false
  const words = `${error.param ?? ''} ${error.message}`
  if (/stream_options|include_usage/.test(words) && !quirks.noStreamOptions) {
    quirks.noStreamOptions = true
    return true
  }
  if (/cache_salt/.test(words) && !quirks.noSalt) {
    quirks.noSalt = true
    return true
  }
  if (/max_tokens/.test(words) && /max_completion_tokens/.test(words) && !quirks.completionTokens) {
    quirks.completionTokens = true
    return true
  }
  return false
}

function* callIds(request: ChatRequest): Iterable<string> {
  for (const message of request.messages)
    if (message.role === 'assistant') for (const call of message.calls ?? []) yield call.id
}

async function probe(endpoint: Endpoint, at: ReplicaAt | undefined): ReturnType<Chat['probe']> {
  try {
    const page = await endpoint.client.models.list({ signal: AbortSignal.timeout(PROBE_MS) })
    if (!Array.isArray(page.data)) return { ok: false, why: 'it answers, but not with a list of models' }
    return { ok: true, models: page.data.map((model) => String(model.id)) }
  } catch (error) {
    // A deployment of Azure has a chat and no list of models.
    const azure = /api-version=/.test(at?.url ?? '') || 'api-key' in (at?.headers ?? {})
    if (azure && error instanceof OpenAI.NotFoundError) return { ok: true, models: [] }
    if (error instanceof OpenAI.APIUserAbortError)
      return { ok: false, why: `it did not answer within ${PROBE_MS / 1_000} s` }
    const fault = faultOf(error, endpoint.secrets)
    const hint = error instanceof OpenAI.NotFoundError ? '; does the address end in /v1?' : ''
    return { ok: false, why: `${fault instanceof Error ? fault.message : String(fault)}${hint}` }
  }
}

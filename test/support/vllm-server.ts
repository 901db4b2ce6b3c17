/**
 * A server that behaves like vLLM (or llama.cpp's) with a virtual GPU: it queues, reads prompts at a speed, finds their
 * beginning in a prefix cache of blocks, writes at a speed, tells of itself at `/metrics`, counts at `/tokenize`, and
 * fails in the ways such servers fail. A token is four characters.
 *
 * ```ts
 * await using gpu = await openVllm({ prefill: 20_000, decode: 200 })
 * gpu.fail('stall-before')
 * ```
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** What goes wrong from now on. */
export type VllmFault =
  /** Nothing listens any more, and every connection is cut. */
  | 'refuse'
  /** Headers, then nothing. */
  | 'stall-before'
  /** Half of the answer, then nothing. */
  | 'stall-after'
  /** Half of the answer, then the connection is reset. */
  | 'cut'
  /** Half of the answer, then an end without a finish reason. */
  | 'truncate'
  /** Half of the answer, then an error in the stream. */
  | 'error-chunk'
  /** It serves another model, and answers 404 for the pool's. */
  | 'wrong-model'
  /** 503, with `Retry-After: 1`. */
  | 'overloaded'
  /** 500 before anything. */
  | 'broken'
  /** Each piece takes twice as long as the one before. */
  | 'slow-death'

export type VllmBody = {
  model: string
  messages: { role: string; content: string | null; tool_calls?: unknown[] }[]
  tools?: unknown[]
  max_tokens?: number
  cache_salt?: string
  continue_final_message?: boolean
  stream_options?: { include_usage?: boolean }
}
export type VllmReply = { text?: string; calls?: { name: string; args: object }[] }

export type VllmOptions = {
  model?: string
  /** Whose names and pages: vLLM's of today, vLLM's before 0.9, or llama.cpp's. */
  kind?: 'vllm' | 'old-vllm' | 'llama.cpp'
  /** Tokens a second: read, and written for each request. Without a speed it takes no time. */
  prefill?: number
  decode?: number
  /** Requests that are written for at once; the others wait. */
  maxRunning?: number
  /** Tokens of the key-value cache, and of one prompt and its answer. */
  cacheTokens?: number
  contextTokens?: number
  reply?: (body: VllmBody, n: number) => VllmReply
  port?: number
}

export type Vllm = AsyncDisposable & {
  /** `http://127.0.0.1:PORT/v1` */
  url: string
  /** Chat requests, oldest first. */
  requests: VllmBody[]
  /** Tokens of all prompts that were read, and how many of them lay in the cache. */
  read(): { prompt: number; cached: number; answers: number }
  running(): number
  waiting(): number
  /** Chat requests, ever. */
  asked(): number
  /** Connections anybody made, ever. */
  connections(): number
  fail(fault: VllmFault | undefined, times?: number): Promise<void>
}

const BLOCK = 16
const CHARACTERS = 4
const PIECE = 8

/** Opens the server on a free port of the loopback. */
export async function openVllm(options: VllmOptions = {}): Promise<Vllm> {
  const {
    model = 'test',
    kind = 'vllm',
    maxRunning = 16,
    cacheTokens = 200_000,
    contextTokens = 32_768,
  } = options
  const cache = openCache(Math.floor(cacheTokens / BLOCK))
  const requests: VllmBody[] = []
  const sockets = new Set<Socket>()
  const queue: (() => void)[] = []
  const totals = { prompt: 0, cached: 0, written: 0, answers: 0 }
  let connections = 0
  let running = 0
  let held = 0
  let reading: Promise<void> = Promise.resolve()
  let fault: VllmFault | undefined
  let times = Number.POSITIVE_INFINITY

  const takeFault = () => {
    if (times <= 0) return undefined
    times -= 1
    return fault
  }
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname
    const listed = fault === 'wrong-model' ? 'another-model' : model
    if (path === '/health') return void response.writeHead(fault === 'broken' ? 500 : 200).end()
    if (path === '/metrics') return void response.writeHead(200).end(metricsPage())
    if (path === '/v1/models')
      return json(response, 200, { data: [{ id: listed, object: 'model', max_model_len: contextTokens }] })
    const body = JSON.parse(await readAll(request)) as VllmBody & { content?: string }
    if (path === '/tokenize') return tokenize(response, body)
    if (path !== '/v1/chat/completions') return json(response, 404, {})
    requests.push(body)
    const now = takeFault()
    if (now === 'overloaded') return refuse(response, 503, 'queue is full', { 'retry-after': '1' })
    if (now === 'broken') return refuse(response, 500, 'the engine died')
    if (now === 'wrong-model' && body.model !== 'another-model')
      return refuse(response, 404, `The model ${body.model} does not exist.`)
    await answer(response, body, now, requests.length)
  }
  const answer = async (response: ServerResponse, body: VllmBody, now: VllmFault | undefined, n: number) => {
    const gone = new Promise<'gone'>((resolve) => response.once('close', () => resolve('gone')))
    const prompt = render(body)
    const size = tokensOf(prompt)
    if (size > contextTokens)
      return refuse(response, 400, `maximum context length is ${contextTokens} tokens`, {}, 'input_tokens')
    if (running >= maxRunning) await Promise.race([new Promise<void>((resolve) => queue.push(resolve)), gone])
    if (response.destroyed) return
    running += 1
    held += size
    try {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      if (now === 'stall-before') return void (await gone)
      const seed = `${body.cache_salt ?? ''}${JSON.stringify(body.tools ?? [])}`
      const before = reading
      const cached = await new Promise<number>((resolve) => {
        reading = before.then(async () => {
          const found = Math.min(cache.match(seed, prompt) * BLOCK, size)
          if (options.prefill && !response.destroyed) await pause(((size - found) / options.prefill) * 1_000)
          resolve(found)
        })
      })
      if (response.destroyed) return
      totals.prompt += size
      totals.cached += cached
      cache.keep(seed, prompt)
      await write(response, body, now, n, { prompt, seed, size, cached, gone })
    } finally {
      running -= 1
      held -= size
      queue.shift()?.()
    }
  }
  const write = async (
    response: ServerResponse,
    body: VllmBody,
    now: VllmFault | undefined,
    n: number,
    told: { prompt: string; seed: string; size: number; cached: number; gone: Promise<unknown> },
  ) => {
    const reply = options.reply?.(body, n) ?? { text: 'So it is, as far as anybody here can tell.' }
    const begun = body.continue_final_message ? (body.messages.at(-1)?.content ?? '') : ''
    const whole = reply.text ?? ''
    const text = whole.startsWith(begun) ? whole.slice(begun.length) : whole
    const limit = (body.max_tokens ?? Number.POSITIVE_INFINITY) * CHARACTERS
    const pieces = piecesOf(text.slice(0, limit))
    const end = now && now !== 'slow-death' ? Math.ceil(pieces.length / 2) : pieces.length
    let slow = 1
    for (const piece of pieces.slice(0, end)) {
      if (options.decode) await pause((tokensOf(piece) / options.decode) * 1_000 * slow)
      if (now === 'slow-death') await pause(5 * slow)
      if (now === 'slow-death') slow *= 2
      if (response.destroyed) return
      totals.written += tokensOf(piece)
      event(response, model, { content: piece })
    }
    if (now === 'stall-after') return void (await told.gone)
    // What was written must be read before the reset, which would take it away.
    if (now === 'cut') return void pause(30).then(() => response.socket?.resetAndDestroy())
    if (now === 'truncate') return void response.end('data: [DONE]\n\n')
    if (now === 'error-chunk')
      return void response.end(
        `data: ${JSON.stringify({ error: { message: 'the engine died', code: 500 } })}\n\n`,
      )
    for (const [index, { name, args }] of (reply.calls ?? []).entries()) {
      const call = { index, id: `call_${n}_${index}`, type: 'function', function: { name, arguments: '' } }
      event(response, model, { tool_calls: [call] })
      for (const piece of piecesOf(JSON.stringify(args)))
        event(response, model, { tool_calls: [{ index, function: { arguments: piece } }] })
    }
    cache.keep(told.seed, `${told.prompt}${text}`)
    const finish = reply.calls?.length ? 'tool_calls' : text.length > limit ? 'length' : 'stop'
    event(response, model, {}, finish)
    if (body.stream_options?.include_usage) {
      const usage = {
        prompt_tokens: told.size,
        completion_tokens: tokensOf(text.slice(0, limit)),
        prompt_tokens_details: { cached_tokens: told.cached },
      }
      response.write(`data: ${JSON.stringify({ model, choices: [], usage })}\n\n`)
    }
    totals.answers += 1
    response.end('data: [DONE]\n\n')
  }
  const tokenize = (response: ServerResponse, body: VllmBody & { content?: string }) => {
    if (kind === 'llama.cpp')
      return json(response, 200, {
        tokens: Array.from({ length: tokensOf(body.content ?? '') }, (_, i) => i),
      })
    const all = `${JSON.stringify(body.tools ?? [])}${render(body)}`
    return json(response, 200, { count: tokensOf(all), max_model_len: contextTokens })
  }
  const metricsPage = () => {
    const kv = Math.min(1, held / cacheTokens)
    const { prompt, written } = totals
    const named = (names: string[], values: number[], labels: string) =>
      `${names.map((name, i) => `# TYPE ${name} gauge\n${name}${labels} ${values[i]}`).join('\n')}\n`
    const values = [running, queue.length, prompt, written]
    if (kind === 'llama.cpp')
      return named(
        ['requests_processing', 'requests_deferred', 'prompt_tokens_total', 'tokens_predicted_total'].map(
          (name) => `llamacpp:${name}`,
        ),
        values,
        '',
      )
    const usage = kind === 'old-vllm' ? 'gpu_cache_usage_perc' : 'kv_cache_usage_perc'
    const names = [
      'num_requests_running',
      'num_requests_waiting',
      'prompt_tokens_total',
      'generation_tokens_total',
    ]
    return named(
      [...names, usage].map((name) => `vllm:${name}`),
      [...values, kv],
      `{engine="0",model_name="${model}"}`,
    )
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  server.on('connection', (socket) => {
    connections += 1
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const close = async () => {
    for (const socket of sockets) socket.resetAndDestroy()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  await listen(options.port ?? 0)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    read: () => ({ prompt: totals.prompt, cached: totals.cached, answers: totals.answers }),
    running: () => running,
    waiting: () => queue.length,
    asked: () => requests.length,
    connections: () => connections,
    async fail(next, count = Number.POSITIVE_INFINITY) {
      if (fault === 'refuse' && next !== 'refuse') await listen(port)
      fault = next
      times = count
      if (next === 'refuse') await close()
    },
    [Symbol.asyncDispose]: close,
  }
}

/** Blocks of prompts that were read, the longest unused forgotten first. */
function openCache(most: number) {
  const blocks = new Map<string, true>()
  const keysOf = (seed: string, text: string): string[] => {
    const keys: string[] = []
    let hash = mix(17, seed)
    for (let at = 0; at + BLOCK * CHARACTERS <= text.length; at += BLOCK * CHARACTERS) {
      hash = mix(hash, text.slice(at, at + BLOCK * CHARACTERS))
      keys.push(`${keys.length} ${hash}`)
    }
    return keys
  }
  return {
    /** How many leading blocks of a prompt are there. */
    match(seed: string, text: string): number {
      const keys = keysOf(seed, text)
      const missing = keys.findIndex((key) => !blocks.has(key))
      return missing < 0 ? keys.length : missing
    },
    keep(seed: string, text: string): void {
      for (const key of keysOf(seed, text)) {
        blocks.delete(key)
        blocks.set(key, true)
      }
      for (const key of blocks.keys()) {
        if (blocks.size <= most) break
        blocks.delete(key)
      }
    },
  }
}

function mix(seed: number, text: string): number {
  let hash = seed
  for (let i = 0; i < text.length; i += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}

function render({ messages, continue_final_message: goesOn }: VllmBody): string {
  const told = messages.map(
    ({ role, content, tool_calls: calls }) =>
      `<|${role}|>${content ?? ''}${calls ? JSON.stringify(calls) : ''}`,
  )
  return goesOn ? told.join('') : `${told.join('')}<|assistant|>`
}

function tokensOf(text: string): number {
  return Math.ceil(text.length / CHARACTERS)
}

function piecesOf(text: string): string[] {
  return text.match(new RegExp(`[\\s\\S]{1,${PIECE * CHARACTERS}}`, 'g')) ?? []
}

function event(response: ServerResponse, model: string, delta: object, finish: string | null = null): void {
  const choices = [{ index: 0, delta, finish_reason: finish }]
  response.write(`data: ${JSON.stringify({ object: 'chat.completion.chunk', model, choices })}\n\n`)
}

function json(response: ServerResponse, status: number, body: object, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  headers = {},
  param?: string,
): void {
  json(response, status, { error: { message, code: status, ...(param ? { param } : {}) } }, headers)
}

function pause(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))
}

async function readAll(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of request.setEncoding('utf8')) text += part
  return text
}

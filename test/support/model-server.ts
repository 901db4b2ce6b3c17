/**
 * A real OpenAI-compatible HTTP server whose every answer a test decides.
 *
 * ```ts
 * await using models = await openModelServer((request, n) =>
 *   n === 1 ? { calls: [{ name: 'files__write', args: { path: 'a' } }] } : { text: 'Done.' })
 * const chat = openChat({ model: 'test', replicas: [models.url] }, {})
 * ```
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One chat request as the server saw it. */
export type SeenRequest = {
  headers: IncomingMessage['headers']
  path: string
  body: {
    model: string
    messages: { role: string; content: string | null; tool_calls?: unknown[]; tool_call_id?: string }[]
    tools?: { function: { name: string; description: string; parameters: unknown } }[]
    stream?: boolean
    [key: string]: unknown
  }
}

/**
 * What the server does with one request.
 * - an answer: `text` (an array is sent piece by piece), `reasoning`, `calls`; `paceMs` waits before each piece,
 *   `last` before the last
 * - `chunks`: these objects as they are, one event each; `done: false` leaves the connection open after them
 * - `status`: an error with this body and these headers
 * - `fault`: something goes wrong, after `text` where that makes sense
 */
export type Reply =
  | {
      text?: string | string[]
      reasoning?: string | string[]
      calls?: { id?: string; name: string; args: unknown }[]
      finish?: string
      usage?: { prompt_tokens: number; completion_tokens: number } | null
      paceMs?: number
      last?: Promise<unknown>
    }
  | { chunks: unknown[]; done?: boolean }
  | { status: number; body?: unknown; headers?: Record<string, string> }
  | { fault: ModelFault; text?: string }

type ModelFault =
  /** The connection is closed before any byte of an answer. */
  | 'hang-up'
  /** Headers, then nothing. */
  | 'stall-before'
  /** Some text, then nothing. */
  | 'stall-after'
  /** Some text, `[DONE]`, no finish reason. */
  | 'cut'
  /** Some text, then the connection is reset. */
  | 'reset'
  /** Some text, then an error event with code 500. */
  | 'error-chunk'
  /** 200 with a page of HTML. */
  | 'html'
  /** 200 with a stream that is not JSON. */
  | 'garbage'

export type Script = (request: SeenRequest, n: number) => Reply | Promise<Reply>

export type ModelServer = {
  /** `http://127.0.0.1:PORT/v1` */
  url: string
  /** Every chat request, oldest first. */
  requests: SeenRequest[]
  /** Texts of every embeddings request, oldest first. */
  embedded: string[][]
  /** Chat responses the client gave up on before their end. */
  abandoned(): number
  /** Connections anybody made, ever. */
  connections(): number
  /** From now on this decides. */
  follow(script: Script): void
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens the server on a free port of the loopback.
 * `embed` may answer an embeddings request with an error status; otherwise each text gets a vector of 8 numbers
 * made of its words.
 */
export async function openModelServer(
  script: Script = () => ({ text: 'Hello.' }),
  options: {
    models?: string[]
    embed?: (texts: string[], n: number, body: Record<string, unknown>) => Reply | undefined
  } = {},
): Promise<ModelServer> {
  let follow = script
  let abandoned = 0
  let connections = 0
  const requests: SeenRequest[] = []
  const embedded: string[][] = []
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? ''
    if (path.includes('/models')) {
      const data = (options.models ?? ['test']).map((id) => ({ id, object: 'model' }))
      return sendJson(response, 200, { object: 'list', data })
    }
    if (/\/(health|metrics|tokenize)$/.test(path)) return sendJson(response, 404, { error: 'no such page' })
    const body = JSON.parse(await readBody(request))
    if (path.includes('/embeddings')) {
      embedded.push(body.input)
      const reply = options.embed?.(body.input, embedded.length, body)
      return reply ? send(response, reply, body) : sendJson(response, 200, vectors(body))
    }
    const seen = { headers: request.headers, path, body }
    requests.push(seen)
    response.once('close', () => {
      if (!response.writableFinished) abandoned += 1
    })
    await send(response, await follow(seen, requests.length), body)
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      if (response.headersSent) response.destroy()
      else sendJson(response, 500, { error: { message: `the test's script failed: ${error}` } })
    })
  })
  server.on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    embedded,
    abandoned: () => abandoned,
    connections: () => connections,
    follow: (next) => {
      follow = next
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function send(response: ServerResponse, reply: Reply, body: SeenRequest['body']): Promise<void> {
  if ('status' in reply) return sendJson(response, reply.status, reply.body ?? {}, reply.headers)
  if ('fault' in reply) return fail(response, reply.fault, reply.text ?? 'The first half', body.model)
  if ('chunks' in reply) {
    startStream(response)
    for (const chunk of reply.chunks) response.write(event(chunk))
    if (reply.done !== false) response.end('data: [DONE]\n\n')
    return
  }
  startStream(response)
  const pieces = [
    { role: 'assistant', content: '' },
    ...[reply.reasoning ?? []].flat().map((thought) => ({ reasoning_content: thought })),
    ...[reply.text ?? []].flat().map((content) => ({ content })),
    ...(reply.calls ?? []).map((call, index) => ({
      tool_calls: [
        {
          index,
          id: call.id ?? `call_${Math.random().toString(36).slice(2, 11)}`,
          type: 'function',
          function: {
            name: call.name,
            arguments: typeof call.args === 'string' ? call.args : JSON.stringify(call.args),
          },
        },
      ],
    })),
  ]
  for (const delta of pieces) {
    if (delta === pieces.at(-1)) await reply.last
    if (reply.paceMs) await new Promise((resolve) => setTimeout(resolve, reply.paceMs))
    response.write(event(chunkOf(body.model, delta)))
  }
  const finish = reply.finish ?? (reply.calls?.length ? 'tool_calls' : 'stop')
  response.write(event(chunkOf(body.model, {}, finish)))
  const usage = reply.usage === undefined ? { prompt_tokens: 100, completion_tokens: 10 } : reply.usage
  if (usage && body.stream_options) response.write(event({ ...chunkOf(body.model, {}), choices: [], usage }))
  response.end('data: [DONE]\n\n')
}

function fail(response: ServerResponse, fault: ModelFault, text: string, model: string): void {
  if (fault === 'hang-up') {
    response.socket?.destroy()
    return
  }
  if (fault === 'html') {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html><title>Welcome</title></html>')
    return
  }
  startStream(response)
  response.flushHeaders()
  if (fault === 'stall-before') return
  if (fault === 'garbage') {
    response.end('data: {"choices": [{"delta": \n\ndata: what?\n\n')
    return
  }
  response.write(event(chunkOf(model, { content: text })))
  if (fault === 'cut') response.end('data: [DONE]\n\n')
  if (fault === 'error-chunk')
    response.end(
      event({ error: { message: 'the engine died', type: 'InternalServerError', param: null, code: 500 } }),
    )
  if (fault === 'reset') setTimeout(() => response.socket?.resetAndDestroy(), 20)
}

/** One event of a chat stream, as servers send it. */
export function chunkOf(model: string, delta: unknown, finish: string | null = null) {
  return {
    id: 'chatcmpl-test',
    object: 'chat.completion.chunk',
    created: 0,
    model,
    choices: [{ index: 0, delta, finish_reason: finish }],
  }
}

function startStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
}

function event(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = ''
  request.setEncoding('utf8')
  for await (const part of request) text += part
  return text
}

function vectors(body: { model: string; input: string[] }) {
  const data = body.input.map((text, index) => {
    const vector = Array.from({ length: 8 }, () => 0)
    for (const word of text.toLowerCase().split(/\W+/)) {
      const at = [...word].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 8
      vector[at] = (vector[at] ?? 0) + 1
    }
    return { object: 'embedding', index, embedding: vector }
  })
  return { object: 'list', model: body.model, data, usage: { prompt_tokens: 1, total_tokens: 1 } }
}

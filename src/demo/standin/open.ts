/**
 * The stand-in model: a small OpenAI-compatible server for people who have no model at hand.
 * It is scripted and says so; what it answers is made of the prompt alone.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { WireRequest } from './read.ts'
import { type Reply, reply } from './reply.ts'

const MODEL = 'stand-in'
const LARGEST_BODY = 20_000_000

export type StandIn = {
  /** `http://127.0.0.1:PORT/v1` */
  url: string
  model: string
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens the stand-in on the loopback. `pace` is the time a word takes, in milliseconds; `today` tells the date,
 * as `2026-05-02`.
 */
export async function openStandIn(
  options: { port?: number; pace?: number; today?: () => string } = {},
): Promise<StandIn> {
  const { port = 0, pace = 8, today = localDate } = options
  const server = createServer((request, response) => {
    serve(request, response, { pace, today }).catch((error) => {
      if (response.headersSent) response.destroy()
      else refuse(response, 500, `the stand-in failed: ${error instanceof Error ? error.message : error}`)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  return { url, model: MODEL, close, [Symbol.asyncDispose]: close }
}

type Settings = { pace: number; today: () => string }

async function serve(request: IncomingMessage, response: ServerResponse, settings: Settings): Promise<void> {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname
  if (request.method === 'GET' && path === '/v1/models')
    return sendJson(response, 200, {
      object: 'list',
      data: [{ id: MODEL, object: 'model', created: 0, owned_by: 'quorum' }],
    })
  if (request.method !== 'POST' || path !== '/v1/chat/completions')
    return refuse(response, 404, `the stand-in has no ${request.method} ${path}`)
  const text = await readBody(request)
  if (text === undefined) return refuse(response, 413, 'the request is larger than 20 MB')
  const body = parse(text)
  if (!body) return refuse(response, 400, 'the body is not JSON with a list of messages')
  const answer = reply(body, settings.today())
  const usage = countTokens(text, answer)
  if (body.stream) await stream(response, answer, usage, body, settings.pace)
  else sendJson(response, 200, whole(answer, usage))
}

async function stream(
  response: ServerResponse,
  answer: Reply,
  usage: object,
  body: WireRequest,
  pace: number,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' })
  const id = `chatcmpl-${randomUUID()}`
  const write = (delta: object, finish: string | null = null) =>
    response.write(`data: ${JSON.stringify(envelope(id, [{ index: 0, delta, finish_reason: finish }]))}\n\n`)
  write({ role: 'assistant', content: '' })
  for (const word of answer.text.match(/\s*\S+\s*/g) ?? []) {
    if (pace > 0) await pause(pace)
    if (response.destroyed) return
    write({ content: word })
  }
  for (const [index, call] of wireCalls(answer).entries()) {
    write({ tool_calls: [{ index, ...call, function: { ...call.function, arguments: '' } }] })
    for (const piece of call.function.arguments.match(/[\s\S]{1,40}/g) ?? []) {
      if (pace > 0) await pause(pace)
      if (response.destroyed) return
      write({ tool_calls: [{ index, function: { arguments: piece } }] })
    }
  }
  write({}, finishOf(answer))
  if (body.stream_options?.include_usage)
    response.write(`data: ${JSON.stringify({ ...envelope(id, []), usage })}\n\n`)
  response.end('data: [DONE]\n\n')
}

function envelope(id: string, choices: object[]) {
  const created = Math.floor(Date.now() / 1_000)
  return { id, object: 'chat.completion.chunk', created, model: MODEL, choices }
}

function whole(answer: Reply, usage: object) {
  const calls = wireCalls(answer)
  const message = {
    role: 'assistant',
    content: answer.text || null,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  }
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1_000),
    model: MODEL,
    choices: [{ index: 0, message, finish_reason: finishOf(answer) }],
    usage,
  }
}

function wireCalls(answer: Reply) {
  return answer.calls.map(({ name, args }) => ({
    id: `call_${randomUUID().replaceAll('-', '').slice(0, 12)}`,
    type: 'function',
    function: { name, arguments: JSON.stringify(args) },
  }))
}

function finishOf(answer: Reply): string {
  return answer.calls.length > 0 ? 'tool_calls' : 'stop'
}

/** About four characters a token, as with real ones. */
function countTokens(prompt: string, answer: Reply) {
  const tokens = (text: string) => Math.ceil(text.length / 4)
  const completion = tokens(answer.text) + tokens(answer.calls.length > 0 ? JSON.stringify(answer.calls) : '')
  return {
    prompt_tokens: tokens(prompt),
    completion_tokens: completion,
    total_tokens: tokens(prompt) + completion,
  }
}

function parse(text: string): WireRequest | undefined {
  try {
    const body = JSON.parse(text)
    const fits =
      Array.isArray(body?.messages) &&
      body.messages.every((each: unknown) => typeof each === 'object' && each !== null)
    return fits ? body : undefined
  } catch {
    return undefined
  }
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > LARGEST_BODY) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function refuse(response: ServerResponse, status: number, message: string): void {
  sendJson(response, status, { error: { message, type: 'invalid_request_error', param: null, code: status } })
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function localDate(): string {
  const now = new Date()
  const two = (number: number) => String(number).padStart(2, '0')
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`
}

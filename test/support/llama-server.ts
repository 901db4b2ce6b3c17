/**
 * Real servers: llama.cpp's `llama-server`, named by LLAMA_SERVER, with the weights of LLAMA_MODEL or else with a tiny
 * model of ours that says noise. Each stands behind a relay that counts what is asked and fails on request.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import path from 'node:path'
import { until } from './stage.ts'
import { makeTemporary } from './temporary.ts'
import { writeTinyModel } from './tiny-model.ts'
import type { Vllm, VllmBody, VllmFault } from './vllm-server.ts'

/** What the pool's cases need of a server, made or real. */
export type PoolServer = AsyncDisposable &
  Pick<Vllm, 'url' | 'requests' | 'asked' | 'running'> & {
    fail(fault: VllmFault | undefined, times?: number): Promise<void>
  }

export type LlamaServers = AsyncDisposable & {
  /** A relay to one of the servers; each relay of a test has a server of its own. */
  open(n: number): Promise<PoolServer>
}

/** Tokens of a conversation that these servers hold. */
export const LLAMA_CONTEXT = 32_768
const STARTED_MS = 120_000

/** Starts so many servers, and waits until all of them have loaded their model. */
export async function openLlamaServers(program: string, count: number): Promise<LlamaServers> {
  await using opened = new AsyncDisposableStack()
  const temporary = opened.use(await makeTemporary())
  const model = process.env.LLAMA_MODEL ?? path.join(temporary.dir, 'tiny.gguf')
  if (!process.env.LLAMA_MODEL) await writeTinyModel(model)
  const ports = await Promise.all(
    Array.from({ length: count }, async () => {
      const port = await freePort()
      const args = ['-m', model, '--host', '127.0.0.1', '--port', String(port), '-c', String(LLAMA_CONTEXT)]
      const child = spawn(program, [...args, '--metrics', '--threads', '1'], { stdio: 'ignore' })
      opened.adopt(child, kill)
      await until(() => isLoaded(port), STARTED_MS)
      return port
    }),
  )
  const rest = opened.move()
  return {
    open: (n) => openRelay(ports[n % count] ?? 0),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

async function isLoaded(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)
  return answer?.status === 200
}

/** Passes everything on, but what shall go wrong with an answer. */
async function openRelay(to: number): Promise<PoolServer> {
  const sockets = new Set<Socket>()
  const requests: VllmBody[] = []
  let fault: VllmFault | undefined
  let times = Number.POSITIVE_INFINITY
  let running = 0
  const takeFault = () => {
    if (times <= 0) return undefined
    times -= 1
    return fault
  }

  const relay = async (asked: IncomingMessage, response: ServerResponse) => {
    const body = Buffer.concat(await Array.fromAsync(asked as AsyncIterable<Buffer>))
    const chat = asked.url === '/v1/chat/completions'
    if (chat) requests.push(JSON.parse(body.toString()))
    const now = chat ? takeFault() : undefined
    if (fault === 'broken' && asked.url === '/health') return void response.writeHead(500).end()
    if (now === 'broken') return void response.writeHead(500).end()
    if (now === 'overloaded') return void response.writeHead(503, { 'retry-after': '1' }).end()
    if (chat) running += 1
    response.once('close', () => {
      if (chat) running -= 1
    })
    const onward = request(
      { host: '127.0.0.1', port: to, path: asked.url, method: asked.method, headers: asked.headers },
      (answer) => pass(answer, response, now),
    )
    onward.on('error', () => response.destroy())
    response.once('close', () => onward.destroy())
    onward.end(body)
  }
  const server = createServer((asked, response) => {
    relay(asked, response).catch(() => response.destroy())
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const close = async () => {
    for (const socket of sockets) socket.resetAndDestroy()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  await listen(0)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    asked: () => requests.length,
    running: () => running,
    async fail(next, count = Number.POSITIVE_INFINITY) {
      if (fault === 'refuse' && next !== 'refuse') await listen(port)
      fault = next
      times = count
      if (next === 'refuse') await close()
    },
    [Symbol.asyncDispose]: close,
  }
}

/** Gives an answer back, up to where it goes wrong: after the second event of its stream, or before its end. */
function pass(answer: IncomingMessage, response: ServerResponse, fault: VllmFault | undefined): void {
  response.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders()
  if (fault === undefined) return void answer.pipe(response)
  if (fault === 'stall-before') return void answer.resume()
  let text = ''
  let broken = false
  answer.setEncoding('utf8').on('data', (more: string) => {
    if (broken) return
    text += more
    const events = text.split(/(?<=\n\n)/)
    const ends = events.findIndex((event) => /"finish_reason":"/.test(event))
    if (events.length <= 2 && ends < 0) return
    broken = true
    response.write(events.slice(0, ends < 0 ? 2 : Math.min(2, ends)).join(''))
    // What was written must be read before the reset, which would take it away.
    if (fault === 'cut') setTimeout(() => response.socket?.resetAndDestroy(), 30)
    else if (fault === 'truncate') response.end('data: [DONE]\n\n')
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

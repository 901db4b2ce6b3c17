import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { getRequestListener } from '@hono/node-server'
import { McpServer as OldServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { afterEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { ToolServer } from '../../src/core/home.ts'
import { call, openTestTools, until } from '../support/tools.ts'

const open: Server[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const server of open.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

async function listen(handler: Handler): Promise<string> {
  const server = createServer((request, response) => void handler(request, response))
  open.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
}

const at = (url: string, headers: Record<string, string> = {}) => ToolServer.parse({ url, headers })

async function body(request: IncomingMessage): Promise<{ id?: number; method?: string }> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text === '' ? {} : JSON.parse(text)
}

/** A server of the older protocol, by hand, whose tool calls are answered by `onCall`. */
function byHand(onCall: (id: number | undefined, response: ServerResponse) => void): Handler {
  return async (request, response) => {
    if (request.method !== 'POST') return response.writeHead(405).end()
    const { id, method } = await body(request)
    const json = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    const result = (value: unknown) => json(200, { jsonrpc: '2.0', id, result: value })
    if (id === undefined) return response.writeHead(202).end()
    if (method === 'initialize') {
      return result({
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 's', version: '1' },
      })
    }
    if (method === 'tools/list') return result({ tools: [{ name: 'do', inputSchema: { type: 'object' } }] })
    if (method === 'tools/call') return onCall(id, response)
    return json(200, { jsonrpc: '2.0', id, error: { code: -32601, message: 'unknown method' } })
  }
}

test('the present protocol: listed, called, a change told, a wrong argument refused', async () => {
  const names = ['greet']
  const handler = createMcpHandler(() => {
    const server = new McpServer(
      { name: 'modern', version: '1' },
      { capabilities: { tools: { listChanged: true } } },
    )
    for (const name of names) {
      server.registerTool(name, { inputSchema: z.object({ who: z.string() }) }, ({ who }) => ({
        content: [{ type: 'text', text: `Hello ${who}` }],
      }))
    }
    return server
  })
  let key: string | undefined
  const listener = getRequestListener((request) => handler.fetch(request))
  const url = await listen((request, response) => {
    key = request.headers.authorization
    return listener(request, response)
  })
  const env = { ...process.env, API_TOKEN: 'abcdef123' }
  await using tools = openTestTools({ web: at(url, { Authorization: `Bearer \${API_TOKEN}` }) }, { env })
  expect((await tools.catalogue()).map(({ name }) => name)).toEqual(['web__greet'])
  expect(key).toBe('Bearer abcdef123')
  expect((await call(tools, 'web__greet', { who: 'Ana' })).text).toBe('Hello Ana')
  expect((await call(tools, 'web__greet', { who: 7 })).outcome).toBe('failed')

  names.push('leave')
  handler.notify.toolsChanged()
  await until(() => tools.health()[0]?.tools === 2)
  await handler.close()
})

/** A server of the older protocol that keeps sessions, in `sessions`, and counts them. */
async function withSessions() {
  const sessions = new Map<string, StreamableHTTPServerTransport>()
  let made = 0
  const url = await listen(async (request, response) => {
    const known = sessions.get(String(request.headers['mcp-session-id']))
    if (known) return known.handleRequest(request, response)
    if (request.headers['mcp-session-id']) return response.writeHead(404).end()
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => `session-${++made}`,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    })
    const server = new OldServer({ name: 'old', version: '1' })
    server.registerTool('greet', {}, () => ({ content: [{ type: 'text', text: 'Hello' }] }))
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(request, response)
  })
  return { url, sessions, made: () => made }
}

test('the older protocol with sessions: a lost session is one failure, then a new one', async () => {
  const { url, sessions, made } = await withSessions()
  const tools = openTestTools({ web: at(url) })
  expect((await call(tools, 'web__greet')).text).toBe('Hello')
  sessions.clear()
  expect((await call(tools, 'web__greet')).outcome).toBe('failed')
  expect((await call(tools, 'web__greet')).text).toBe('Hello')
  expect(made()).toBe(2)
  await tools.close()
  expect(sessions.size).toBe(0)
})

test('no call is risked on a session that rested and is gone', async () => {
  const { url, sessions, made } = await withSessions()
  await using tools = openTestTools({ web: at(url) })
  expect((await call(tools, 'web__greet')).text).toBe('Hello')
  sessions.clear()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 15_000 })
  expect((await call(tools, 'web__greet')).text).toBe('Hello')
  expect(made()).toBe(2)
})

test('nobody listens: failed, and nothing was sent', async () => {
  const url = await listen(() => {})
  await new Promise((resolve) => open.pop()?.close(resolve))
  await using tools = openTestTools({ web: at(url) })
  expect(await tools.catalogue()).toEqual([])
  const { outcome, text } = await call(tools, 'web__do')
  expect(outcome).toBe('failed')
  expect(text).toContain('ECONNREFUSED')
})

test.each<[string, 'failed' | 'unknown', string, (id: number | undefined, response: ServerResponse) => void]>(
  [
    ['a connection cut before the answer', 'unknown', 'was lost', (_, response) => response.destroy()],
    [
      'a connection cut within the answer',
      'unknown',
      'was lost',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hold on\n\n')
        setTimeout(() => response.destroy(), 20)
      },
    ],
    [
      'a stream that ends without an answer',
      'unknown',
      'was lost',
      (_, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(': bye\n\n'),
    ],
    [
      'a body of 60 MB',
      'unknown',
      'more than 8 MB',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        const piece = Buffer.alloc(1_000_000, 'x')
        for (let i = 0; i < 60; i++) response.write(piece)
        response.end()
      },
    ],
    [
      'an event of 20 MB',
      'unknown',
      'more than 8 MB',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.end(`data: ${'x'.repeat(20_000_000)}\n\n`)
      },
    ],
    ['an error of a gateway', 'unknown', '502', (_, response) => response.writeHead(502).end('bad gateway')],
    ['a refusal', 'failed', '403', (_, response) => response.writeHead(403).end('no')],
    [
      'a page instead of an answer',
      'unknown',
      'not a result',
      (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>hello'),
    ],
    [
      'a body that unpacks to 60 MB',
      'unknown',
      'more than 8 MB',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        response.end(gzipSync(Buffer.alloc(60_000_000, 'x')))
      },
    ],
    [
      'an answer to another question',
      'unknown',
      'was lost',
      (id, response) =>
        response
          .writeHead(200, { 'content-type': 'text/event-stream' })
          .end(
            `data: ${JSON.stringify({ jsonrpc: '2.0', id: Number(id) + 7, result: { content: [] } })}\n\n`,
          ),
    ],
    ['silence', 'unknown', 'within 400 ms', () => {}],
    [
      'a body that drips',
      'unknown',
      'within 400 ms',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        const timer = setInterval(() => response.write(' '), 20)
        response.on('close', () => clearInterval(timer))
      },
    ],
    [
      'a stream without end',
      'unknown',
      'within 400 ms',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        const timer = setInterval(() => response.write(': still here\n\n'), 20)
        response.on('close', () => clearInterval(timer))
      },
    ],
    [
      'a call that is sent on to the metadata service of a cloud',
      'failed',
      'redirects to http://169.254.169.254, which was not followed',
      (_, response) =>
        response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
    ],
    [
      'a call that is sent on with its arguments lost',
      'failed',
      'in a way that loses what was sent',
      (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:22/' }).end(),
    ],
  ],
)('%s', async (_, outcome, words, onCall) => {
  await using tools = openTestTools({ web: at(await listen(byHand(onCall))) })
  const ended = await call(
    tools,
    'web__do',
    {},
    outcome === 'unknown' && words.includes('400') ? 400 : 20_000,
  )
  expect(ended.text).toContain(words)
  expect(ended.outcome).toBe(outcome)
  expect(ended.ms).toBeLessThan(5_000)
})

test('a flood of notices in the stream of an answer does not stall another server', async () => {
  const notice = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } })}\n\n`
  const flood = byHand((id, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(notice.repeat(50_000))
    const result = { content: [{ type: 'text', text: 'noted' }] }
    response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`)
  })
  const answer = byHand((id, response) => {
    const result = { content: [{ type: 'text', text: 'quick' }] }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  })
  const servers = { loud: at(await listen(flood)), quiet: at(await listen(answer)) }
  await using tools = openTestTools(servers)
  await tools.catalogue()
  const ended: string[] = []
  const running = call(tools, 'loud__do').finally(() => ended.push('loud'))
  for (let time = 0; time < 5; time++) {
    expect((await call(tools, 'quiet__do')).text).toBe('quick')
    ended.push('quiet')
  }
  expect(await running).toMatchObject({ outcome: 'succeeded', text: 'noted' })
  expect(ended[0]).toBe('quiet')
})

test('a server that never lets go of a session is left all the same', async () => {
  const answered = byHand((id, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'done' }] } }),
    )
  })
  let asked = 0
  const url = await listen((request, response) => {
    response.setHeader('mcp-session-id', 'for-ever')
    if (request.method !== 'DELETE') return answered(request, response)
    asked++
  })
  const tools = openTestTools({ web: at(url) })
  expect((await call(tools, 'web__do')).text).toBe('done')
  const began = performance.now()
  await tools.close()
  expect(performance.now() - began).toBeLessThan(3_000)
  expect(asked).toBe(1)
})

test('a redirect to another origin is not followed, so secrets stay', async () => {
  const seen: (string | undefined)[] = []
  const elsewhere = await listen((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(200).end()
  })
  const url = await listen((_, response) => response.writeHead(307, { location: elsewhere }).end())
  await using tools = openTestTools({ web: at(url, { Authorization: 'Bearer secret' }) })
  expect(await tools.catalogue()).toEqual([])
  expect(seen).toEqual([])
  expect(tools.health()[0]?.state).toBe('failed')
})

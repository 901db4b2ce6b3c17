/** The one HTTP server of the workspace: Web API, uploads, response URLs, the page. Loopback only. */
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize, sep } from 'node:path'
import { type Api, readRequest } from './api.ts'
import { installOf, memberOf } from './app.ts'
import { showAuthorize, takeAuthorize } from './authorize.ts'
import { sendDocument } from './docs.ts'
import { mayFetch } from './file-methods.ts'
import type { Hub } from './hub.ts'
import { respond } from './interact.ts'
import type { openLive } from './live.ts'
import type { SocketTransport } from './socket.ts'
import { answerPage } from './ui.ts'
import type { Json } from './world.ts'

type Parts = {
  hub: Hub
  api: Api
  live: ReturnType<typeof openLive>
  socket: SocketTransport
  pageDir: string
  docs: string | undefined
}

const MAX_BODY = 16 * 1024 * 1024
const PORTS_TRIED = 20

/** Listens on the port, or on one of the next twenty where it is taken; 0 picks any. */
export async function listen(server: Server, port: number): Promise<number> {
  for (let tried = 0; ; tried++) {
    const next = port === 0 ? 0 : port + tried
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(next, '127.0.0.1', () => {
          server.off('error', reject)
          resolve()
        })
      })
      return (server.address() as AddressInfo).port
    } catch (error) {
      const taken = ['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')
      if (!taken || port === 0 || tried >= PORTS_TRIED || next >= 65_535) throw error
    }
  }
}

/** @param parts asked for at every request: the port is known only after the server listens */
export function createWorkspaceServer(parts: () => Parts): Server {
  const server = createServer((request, response) => {
    route(parts(), request, response).catch((error: unknown) => {
      if (response.headersSent) return response.destroy()
      const status = error instanceof BodyTooLarge ? 413 : 500
      send(response, status, { ok: false, error: error instanceof Error ? error.message : String(error) })
    })
  })
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    const path = pathOf(request)
    const { socket: transport, live, hub } = parts()
    if (path === '/link/') return transport.upgrade(request, socket, head)
    if (path === '/ui/live' && isOurPage(request, hub.origin)) return live.upgrade(request, socket, head)
    socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
  })
  server.keepAliveTimeout = 30_000
  return server
}

async function route(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = pathOf(request)
  if (path.startsWith('/api/')) return callApi(parts, path.slice(5), request, response)
  if (path.startsWith('/response/')) {
    const body = JSON.parse((await readBody(request)).toString() || '{}') as Json
    const answer = respond(
      hubWith(parts.hub, ({ hooks }) => hooks.hasResponse(path.slice(10))),
      path.slice(10),
      body,
    )
    return send(response, answer.status, answer.body)
  }
  if (path.startsWith('/upload/')) {
    const id = path.slice(8)
    return takeUpload(
      hubWith(parts.hub, ({ files }) => files.has(id)),
      id,
      request,
      response,
    )
  }
  const { authorization } = request.headers
  if (path.startsWith('/files/') && authorization !== undefined)
    return sendToApp(parts.hub, path.split('/')[2] ?? '', authorization, response)
  if (!isOurPage(request, parts.hub.origin)) {
    return send(response, 403, { error: 'This page is served to this machine only.' })
  }
  if (path.startsWith('/ui/')) return callPage(parts.hub, path, request, response)
  if (path === '/oauth/v2/authorize') return authorize(parts.hub, request, response)
  if (path.startsWith('/files/')) {
    const id = path.split('/')[2] ?? ''
    return sendFile(
      hubWith(parts.hub, ({ files }) => files.has(id)),
      id,
      response,
    )
  }
  const document = /^\/docs(?:\/(.*))?$/s.exec(path)
  if (document) {
    const raw = request.url?.endsWith('?raw') ?? false
    return sendDocument({ docs: parts.docs, page: parts.pageDir }, document[1] ?? '', raw, response)
  }
  const link = /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(path)
  if (link) {
    response.writeHead(302, { location: `/#${link[1]}/${link[2]}.${link[3]}` }).end()
    return
  }
  return sendPage(parts.pageDir, path, response)
}

/** The workspace of this Slack that has something; ours where none has. */
function hubWith(own: Hub, has: (hub: Hub) => boolean): Hub {
  return own.app.members.find(({ hub }) => has(hub))?.hub ?? own
}

async function authorize(hub: Hub, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked =
    request.method === 'POST'
      ? takeAuthorize(hub.app, new URLSearchParams((await readBody(request)).toString()))
      : showAuthorize(hub.app, new URL(request.url ?? '/', 'http://local').searchParams)
  if ('redirect' in asked) return void response.writeHead(302, { location: asked.redirect }).end()
  response.writeHead(asked.status, { 'content-type': 'text/html; charset=utf-8', ...PRIVATE }).end(asked.html)
}

async function callApi(
  { api, hub }: Pick<Parts, 'api' | 'hub'>,
  method: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = (await readBody(request)).toString()
  const query = new URL(request.url ?? '/', 'http://local').search.slice(1)
  const asked = {
    method,
    authorization: request.headers.authorization,
    contentType: request.headers['content-type'] ?? '',
    body: body || query,
  }
  const { token, args } = readRequest(asked)
  const answer = await (memberOf(hub.app, token, args)?.api ?? api).call(asked)
  if (answer.cut) {
    request.socket.resetAndDestroy()
    return
  }
  send(response, answer.status, answer.body, answer.headers)
}

async function callPage(
  hub: Hub,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { searchParams } = new URL(request.url ?? '/', 'http://local')
  try {
    if (request.method === 'POST' && !request.headers['content-type']?.startsWith('application/json')) {
      throw new Error('Send JSON.')
    }
    const text = (await readBody(request)).toString()
    const body = text === '' ? {} : (JSON.parse(text) as Json)
    send(response, 200, await answerPage(hub, request.method ?? 'GET', path, searchParams, body))
  } catch (error) {
    send(response, 400, { error: error instanceof Error ? error.message : String(error) })
  }
}

async function takeUpload(
  hub: Hub,
  id: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const file = hub.files.get(id)
  if (!file || file.bytes) return send(response, 404, { ok: false, error: 'file_not_found' })
  const raw = await readBody(request)
  const type = request.headers['content-type'] ?? ''
  file.bytes = type.startsWith('multipart/form-data') ? await firstFile(raw, type) : raw
  response.writeHead(200, { 'content-type': 'text/plain' }).end(`OK - ${file.bytes.length}`)
}

async function firstFile(body: Buffer, type: string): Promise<Buffer> {
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()
  for (const value of form.values())
    if (typeof value !== 'string') return Buffer.from(await value.arrayBuffer())
  return Buffer.alloc(0)
}

function sendFile(hub: Hub, id: string, response: ServerResponse): void {
  const file = hub.files.get(id)
  if (!file?.bytes) {
    send(response, 404, { error: 'There is no such file.' })
    return
  }
  const headers = {
    'content-type': 'application/octet-stream',
    'content-disposition': 'attachment',
    ...PRIVATE,
  }
  response.writeHead(200, headers).end(file.bytes)
}

/** With a token that does not open it, Slack leads to where people sign in. */
function sendToApp(own: Hub, id: string, authorization: string, response: ServerResponse): void {
  const hub = hubWith(own, ({ files }) => files.has(id))
  const file = hub.files.get(id)
  const held = installOf(hub.app, authorization.replace(/^Bearer /, ''))
  const opens = !('refused' in held) && held.teams.has(hub) && held.scopes.includes('files:read')
  if (!file || (opens && mayFetch(hub, file))) sendFile(hub, id, response)
  else response.writeHead(302, { location: `${hub.origin}/?redir=%2Ffiles%2F${id}` }).end()
}

const PRIVATE = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
}

async function sendPage(dir: string, path: string, response: ServerResponse): Promise<void> {
  const name = path === '/' ? 'index.html' : path.startsWith('/page/') ? path.slice(6) : ''
  const file = normalize(join(dir, name))
  const type = TYPES[extname(file)]
  if (name === '' || !type || !file.startsWith(normalize(dir) + sep)) {
    return send(response, 404, { error: 'There is nothing here.' })
  }
  try {
    const content = await readFile(file)
    response.writeHead(200, { 'content-type': type, ...PRIVATE }).end(content)
  } catch {
    send(response, 404, { error: 'There is nothing here.' })
  }
}

/** A page of this server, not a foreign one that made its name point here. */
function isOurPage(request: IncomingMessage, origin: string): boolean {
  const { port } = new URL(origin)
  const ours = [`127.0.0.1:${port}`, `localhost:${port}`]
  const from = request.headers.origin
  if (!ours.includes(request.headers.host ?? '')) return false
  return from === undefined || ours.some((host) => from === `http://${host}`)
}

function pathOf(request: IncomingMessage): string {
  try {
    return decodeURIComponent(new URL(request.url ?? '/', 'http://local').pathname)
  } catch {
    return '/'
  }
}

class BodyTooLarge extends Error {}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > MAX_BODY) throw new BodyTooLarge(`A request may hold no more than ${MAX_BODY} bytes.`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function send(
  response: ServerResponse,
  status: number,
  body: Json,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(body)
  response
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...PRIVATE, ...headers })
    .end(text)
}

/** Socket Mode: envelopes travel over WebSockets the app opened, each to one of them. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import type { Handed, Parcel, Transport } from './outbox.ts'

export type SocketTransport = Transport & {
  /** A one-time address for the next connection, good for 30 s. */
  ticket(): string
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  connections(): number
  /** Cuts every connection without a closing handshake. */
  drop(): void
}

const PING_MS = 5_000
const TICKET_MS = 30_000
const GOODBYE_MS = 250

/** @param app the id of the app, named in the greeting */
export function openSocketTransport(app: string, changed: () => void): SocketTransport {
  const server = new WebSocketServer({ noServer: true })
  const tickets = createTickets()
  const pool = createPool()
  const unanswered = new Map<string, { socket: WebSocket; settle: (handed: Handed) => void }>()
  let closed = false

  const pings = setInterval(() => {
    for (const socket of pool.sockets) socket.ping()
  }, PING_MS)
  pings.unref()

  function connected(socket: WebSocket): void {
    socket.on('error', () => socket.terminate())
    socket.on('message', (data) => {
      const { envelope_id, payload } = parseFrame(data.toString())
      unanswered.get(String(envelope_id))?.settle({ outcome: 'acknowledged', body: payload })
    })
    socket.on('close', () => {
      pool.remove(socket)
      for (const entry of [...unanswered.values()]) {
        if (entry.socket === socket) entry.settle({ outcome: 'lost' })
      }
      changed()
    })
    socket.send(JSON.stringify(greeting(app, pool.sockets.length + 1)))
    pool.add(socket)
    changed()
  }

  function send(socket: WebSocket, parcel: Parcel, ackMs: number): Promise<Handed> {
    return new Promise((resolve) => {
      const settle = (handed: Handed) => {
        clearTimeout(timer)
        unanswered.delete(parcel.envelope)
        resolve(handed)
      }
      const timer = setTimeout(() => settle({ outcome: 'refused', reason: 'timeout' }), ackMs)
      unanswered.set(parcel.envelope, { socket, settle })
      socket.send(JSON.stringify(frameOf(parcel)))
    })
  }

  return {
    async hand(parcel, ackMs, patience) {
      if (closed) return { outcome: 'closed' }
      const socket = pool.next() ?? (await pool.wait(patience))
      if (closed) return { outcome: 'closed' }
      if (!socket) return { outcome: 'refused', reason: 'no connection' }
      if (parcel.over?.()) return { outcome: 'refused', reason: 'given up', final: true }
      return send(socket, parcel, ackMs)
    },
    ticket: tickets.issue,
    upgrade(request, socket, head) {
      if (tickets.use(new URL(request.url ?? '/', 'ws://local').searchParams.get('ticket') ?? '')) {
        server.handleUpgrade(request, socket, head, connected)
      } else {
        socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n')
      }
    },
    connections: () => pool.sockets.length,
    drop() {
      for (const socket of [...pool.sockets]) socket.terminate()
    },
    async close() {
      closed = true
      clearInterval(pings)
      pool.giveUp()
      for (const entry of [...unanswered.values()]) entry.settle({ outcome: 'closed' })
      await Promise.all(pool.sockets.map(part))
      server.close()
    },
  }
}

function createTickets() {
  const until = new Map<string, number>()
  return {
    issue() {
      const ticket = randomUUID()
      until.set(ticket, Date.now() + TICKET_MS)
      return ticket
    },
    /** False where the ticket was never given, was used, or is too old. */
    use(ticket: string): boolean {
      const end = until.get(ticket) ?? 0
      until.delete(ticket)
      return end >= Date.now()
    },
  }
}

/** The open connections, taken in turn; where there is none, those who need one wait in order. */
function createPool() {
  const sockets: WebSocket[] = []
  const queue = new Set<(socket: WebSocket | undefined) => void>()
  let turn = 0
  return {
    sockets,
    add(socket: WebSocket) {
      sockets.push(socket)
      for (const take of [...queue]) take(socket)
    },
    remove(socket: WebSocket) {
      const at = sockets.indexOf(socket)
      if (at >= 0) sockets.splice(at, 1)
    },
    next(): WebSocket | undefined {
      const open = sockets.filter((socket) => socket.readyState === WebSocket.OPEN)
      return open[turn++ % Math.max(1, open.length)]
    },
    /** The next connection; undefined when `patience` milliseconds pass or everybody gives up. */
    wait: (patience?: number) =>
      new Promise<WebSocket | undefined>((resolve) => {
        const take = (socket: WebSocket | undefined) => {
          clearTimeout(timer)
          queue.delete(take)
          resolve(socket)
        }
        const timer = patience === undefined ? undefined : setTimeout(() => take(undefined), patience)
        queue.add(take)
      }),
    giveUp() {
      for (const take of [...queue]) take(undefined)
    },
  }
}

function parseFrame(text: string): { envelope_id?: unknown; payload?: unknown } {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

function greeting(app: string, connections: number): Record<string, unknown> {
  return {
    type: 'hello',
    num_connections: connections,
    debug_info: { host: 'local-workspace', build_number: 1, approximate_connection_time: 18_060 },
    connection_info: { app_id: app },
  }
}

/** Says goodbye, and cuts the connection where nobody answers. */
function part(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => socket.terminate(), GOODBYE_MS)
    socket.once('close', () => {
      clearTimeout(cut)
      resolve()
    })
    socket.close(1001)
  })
}

function frameOf(parcel: Parcel): Record<string, unknown> {
  const { kind, envelope, payload, attempt, reason } = parcel
  const frame = {
    envelope_id: envelope,
    payload,
    type: kind,
    accepts_response_payload: kind !== 'events_api',
  }
  return kind === 'events_api' ? { ...frame, retry_attempt: attempt, retry_reason: reason ?? '' } : frame
}

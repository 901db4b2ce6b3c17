/** What the page is told as it happens, to each person what they may see. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { seesMessage } from './ui.ts'
import { type Change, type Json, type Message, mayRead, type World, withReplies } from './world.ts'

export function openLive(world: World) {
  const server = new WebSocketServer({ noServer: true })
  const pages = new Map<WebSocket, string>()

  const push = (change: Change) => {
    for (const [socket, user] of pages) {
      const told = tellingOf(world, user, change)
      if (told && socket.readyState === socket.OPEN) socket.send(JSON.stringify(told))
    }
  }
  world.listeners.add(push)

  return {
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
      const user = new URL(request.url ?? '/', 'ws://local').searchParams.get('as') ?? ''
      if (!world.users.has(user)) {
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n')
        return
      }
      server.handleUpgrade(request, socket, head, (page) => {
        pages.set(page, user)
        page.on('error', () => page.terminate())
        page.on('close', () => pages.delete(page))
      })
    },
    close() {
      world.listeners.delete(push)
      for (const page of pages.keys()) page.terminate()
      server.close()
    },
  }
}

/** The push for one person, or undefined where it is not theirs to see. */
function tellingOf(world: World, user: string, change: Change): Json | undefined {
  switch (change.type) {
    case 'message':
    case 'changed':
    case 'counted':
      return messageTelling(world, user, change.type === 'message' ? 'message' : 'changed', change.message)
    case 'deleted': {
      const { channel, ts } = change.message
      return mayRead(world, user, channel) ? { type: 'deleted', channel, ts } : undefined
    }
    case 'session': {
      const { channel, thread, session } = change
      return mayRead(world, user, channel)
        ? { type: 'session', channel, thread_ts: thread, ...session }
        : undefined
    }
    case 'joined': {
      const { channel, user: joined } = change
      return mayRead(world, user, channel) ? { type: 'joined', channel, user: joined } : undefined
    }
    default:
      return change.user === user ? privateTelling(change) : undefined
  }
}

function messageTelling(world: World, user: string, type: string, message: Message): Json | undefined {
  const { channel } = message
  if (!mayRead(world, user, channel) || !seesMessage(world, user, message)) return undefined
  return { type, channel, message: withReplies(world, message) }
}

type Private = Extract<Change, { type: 'ephemeral' | 'ephemeral_deleted' | 'view' | 'view_closed' | 'home' }>

function privateTelling(change: Private): Json {
  switch (change.type) {
    case 'ephemeral': {
      const { channel, thread_ts } = change.message
      return { type: 'ephemeral', channel, ...(thread_ts ? { thread_ts } : {}), message: change.message }
    }
    case 'ephemeral_deleted':
      return { type: 'deleted', channel: change.message.channel, ts: change.message.ts }
    case 'view_closed':
      return { type: 'view_closed', view_id: change.view.id }
    default:
      return { type: change.type, view: change.view }
  }
}

/** What was said, kept as JSON lines: appended as it happens, compacted when it is opened. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { type Change, type Message, microsOf, place, type Session, type View, type World } from './world.ts'

type Line =
  | { message: Message }
  | { deleted: { channel: string; ts: string } }
  | { home: { user: string; view: View } }
  | { session: { channel: string; thread: string } & Session }
  | { joined: { channel: string; user: string } }

/**
 * Fills a fresh world from `file` and keeps the file up to date from then on. Lines that cannot be
 * read (a write torn by a crash) are skipped; the file is rewritten without them. Private notes,
 * open modals and the contents of uploaded files are not kept.
 */
export function keepIn(file: string, world: World): { close(): void } {
  mkdirSync(dirname(file), { recursive: true })
  if (existsSync(file)) {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const parsed = parseLine(line)
      if (parsed) restore(world, parsed)
    }
  }
  sortMessages(world)
  const fresh = `${file}.new`
  writeFileSync(fresh, [...snapshot(world)].map((line) => `${JSON.stringify(line)}\n`).join(''))
  renameSync(fresh, file)

  const handle = openSync(file, 'a')
  const append = (change: Change) => {
    const line = lineOf(change)
    if (line) writeSync(handle, `${JSON.stringify(line)}\n`)
  }
  world.listeners.add(append)
  return {
    close() {
      if (world.listeners.delete(append)) closeSync(handle)
    },
  }
}

function parseLine(line: string): Line | undefined {
  if (line.trim() === '') return undefined
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Line) : undefined
  } catch {
    return undefined
  }
}

function lineOf(change: Change): Line | undefined {
  switch (change.type) {
    case 'message':
    case 'changed':
      return change.message.streaming ? undefined : { message: change.message }
    case 'deleted':
      return { deleted: { channel: change.message.channel, ts: change.message.ts } }
    case 'home':
      return { home: { user: change.user, view: change.view } }
    case 'session':
      return { session: { channel: change.channel, thread: change.thread, ...change.session } }
    case 'joined':
      return { joined: { channel: change.channel, user: change.user } }
    default:
      return undefined
  }
}

function restore(world: World, line: Line): void {
  if ('message' in line) {
    const { message } = line
    world.messages.get(message.channel)?.set(message.ts, message)
    world.lastMicros = Math.max(world.lastMicros, microsOf(message.ts))
  } else if ('deleted' in line) {
    world.messages.get(line.deleted.channel)?.delete(line.deleted.ts)
  } else if ('home' in line) {
    world.homes.set(line.home.user, line.home.view)
  } else if ('session' in line) {
    const { channel, thread, ...session } = line.session
    world.sessions.set(place(channel, thread), session)
  } else if ('joined' in line) {
    const channel = world.channels.get(line.joined.channel)
    if (channel && !channel.members.includes(line.joined.user)) channel.members.push(line.joined.user)
  }
}

function sortMessages(world: World): void {
  world.replies.clear()
  for (const [channel, messages] of world.messages) {
    const sorted = [...messages.values()].sort((a, b) => microsOf(a.ts) - microsOf(b.ts))
    world.messages.set(channel, new Map(sorted.map((message) => [message.ts, message])))
    for (const { ts, thread_ts } of sorted) {
      if (!thread_ts || thread_ts === ts) continue
      const key = place(channel, thread_ts)
      world.replies.set(key, [...(world.replies.get(key) ?? []), ts])
    }
  }
}

function* snapshot(world: World): Generator<Line> {
  for (const messages of world.messages.values()) for (const message of messages.values()) yield { message }
  for (const [user, view] of world.homes) yield { home: { user, view } }
  for (const [key, session] of world.sessions) {
    const [channel = '', thread = ''] = key.split(':')
    yield { session: { channel, thread, ...session } }
  }
  for (const channel of world.channels.values()) {
    for (const user of channel.members) yield { joined: { channel: channel.id, user } }
  }
}

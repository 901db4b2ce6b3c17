/** What every part of the workspace's server has at hand. */
import type { App } from './app.ts'
import type { Hooks } from './hooks.ts'
import type { Outbox } from './outbox.ts'
import type { World } from './world.ts'

export type Hub = {
  world: World
  outbox: Outbox
  hooks: Hooks
  /** The app's registration, shared by the workspaces of one Slack. */
  app: App
  files: Map<string, StoredFile>
  /** The scopes of the bot token; tests take some away. */
  scopes: string[]
  /** Whether a mention arrives as `app_mention` and `message`, as it does in Slack. */
  both: boolean
  /** How long a stream lives, in milliseconds. */
  streamMs: number
  /** As many messages as history and replies give at once. */
  mostMessages: number
  streams: Map<string, Stream>
  /** How long a session counts as at work after it was said to be, in milliseconds. */
  sessionMs: number
  sessionTimers: Map<string, NodeJS.Timeout>
  /** Whether the app has subscribed to the native Stop. */
  stops: boolean
  /** `http://127.0.0.1:PORT` */
  origin: string
  /** A one-time address for Socket Mode; undefined in HTTP mode. */
  connect(): string | undefined
}

export type StoredFile = {
  id: string
  name: string
  title: string
  length: number
  bytes?: Buffer
  shared: boolean
  type?: string
  /** The person who shared it and where; of files that the app uploaded there is neither. */
  user?: string
  channel?: string
}

/** An open or ended stream and what has been written into it. */
export type Stream = {
  open: boolean
  /** Slack holds a stream to how its first content came: `markdown_text`, or chunks. */
  content?: 'text' | 'chunks'
  stoppedByUser?: boolean
  mode: 'plan' | 'timeline'
  text: string
  planTitle?: string
  parts: StreamPart[]
  timer?: NodeJS.Timeout
}

export type StreamPart =
  | { kind: 'text'; text: string }
  | {
      kind: 'task'
      task: { id: string; title: string; status: string; details: string; output: string; sources: unknown[] }
    }
  | { kind: 'blocks'; blocks: Record<string, unknown>[] }

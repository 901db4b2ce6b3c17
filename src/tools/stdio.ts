/**
 * MCP over the standard streams of a child process. Unlike the library's transport this one owns the whole
 * process group and what left it, so that nothing a server started is left behind, and survives lines of any length.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import {
  type JSONRPCMessage,
  parseJSONRPCMessage,
  SdkError,
  SdkErrorCode,
  type Transport,
} from '@modelcontextprotocol/client'
import { readLines } from './lines.ts'
import { lostAnswer } from './lost.ts'
import { killStrays, MARK } from './strays.ts'

/** How long a server may take to leave after its input ended, and again after SIGTERM, in milliseconds. */
const LEAVE_MS = 700
/** Bytes that may wait for a server that does not read its input. */
const MAX_UNREAD = 16 * 1024 * 1024

/** Lines that are read in a second at most, so that a flood of them leaves time for everybody else. */
const LINES_A_SECOND = 2_000

type Child = ChildProcessByStdio<Writable, Readable, Readable>

export type StdioTransport = Transport & {
  /** Process id of the child, which is also its group's; undefined unless it runs. */
  readonly pid: number | undefined
  /** Its presence, with `pid`, tells the library that this is a process and not a network. */
  readonly stderr: null
  /** How the process ended, in words; undefined while it runs. */
  ended(): string | undefined
  /** Ends the whole group at once, without waiting. */
  kill(): void
}

/**
 * A transport that starts `command` when the client connects.
 *
 * @param options.env the whole environment of the child, but for one mark by which its own children are found
 * @param options.maxBytes longest line that is read; an answer on a longer one is reported as lost
 * @param options.onStderr one line the child wrote to standard error, at most 4 kB of it
 */
export function stdioTransport(options: {
  command: string
  args: string[]
  cwd: string
  env: Record<string, string>
  maxBytes: number
  onStderr?: (line: string) => void
}): StdioTransport {
  const mark = randomUUID()
  let child: Child | undefined
  let end: string | undefined

  const transport: StdioTransport = {
    stderr: null,
    get pid() {
      return end === undefined ? child?.pid : undefined
    },
    ended: () => end,
    kill: () => killAll(child),
    async start() {
      child = spawn(options.command, options.args, {
        cwd: options.cwd,
        env: { ...options.env, [MARK]: mark },
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      })
      const started = once(child, 'spawn')
      watch(child)
      await started
    },
    async send(message) {
      const input = child?.stdin
      if (!input?.writable || end !== undefined) {
        throw new SdkError(SdkErrorCode.NotConnected, 'the process has ended')
      }
      if (input.writableLength > MAX_UNREAD) {
        throw new SdkError(SdkErrorCode.NotConnected, 'the process does not read its input')
      }
      input.write(`${JSON.stringify(message)}\n`)
    },
    async close() {
      if (child?.pid !== undefined && end === undefined) await leave(child)
    },
  }

  function killAll(process: Child | undefined): void {
    killGroup(process)
    killStrays(mark)
  }

  function watch(process: Child): void {
    process.on('error', (error) => transport.onerror?.(error))
    process.stdin.on('error', (error) => transport.onerror?.(error))
    process.stdout.on('error', (error) => transport.onerror?.(error))
    const [messagePace, wordPace] = [pace(process.stdout), pace(process.stderr)]
    process.stdout.on(
      'data',
      readLines(options.maxBytes, {
        line(text) {
          messagePace()
          receive(text)
        },
        oversized(head, tail) {
          const id = answeredId(head, tail)
          if (id === undefined) transport.onerror?.(new Error('a line was too long and was skipped'))
          else transport.onmessage?.(lostAnswer(id, 'oversized'))
        },
      }),
    )
    process.stderr.on('error', () => {})
    process.stderr.on(
      'data',
      readLines(4_096, {
        line(text) {
          wordPace()
          if (text.trim() !== '') options.onStderr?.(text)
        },
        oversized: (head) => options.onStderr?.(`${head} …`),
      }),
    )
    process.once('exit', (code, signal) => {
      end = signal ? `its process was ended by ${signal}` : `its process ended with code ${code}`
      killAll(process)
    })
    process.once('close', () => transport.onclose?.())
  }

  function receive(line: string): void {
    let message: JSONRPCMessage
    try {
      message = parseJSONRPCMessage(JSON.parse(line))
    } catch {
      if (line.trim() !== '') transport.onerror?.(new Error('a line on standard output was no message'))
      return
    }
    transport.onmessage?.(message)
  }

  return transport
}

/** To be told of every line: a child that writes too many in a second is not read until the second is over. */
function pace(stream: Readable): () => void {
  let lines = 0
  let since = Date.now()
  let waits = false

  function begin(): void {
    lines = 0
    since = Date.now()
  }

  return () => {
    if (Date.now() - since >= 1_000) begin()
    if (++lines < LINES_A_SECOND || waits) return
    waits = true
    stream.pause()
    setTimeout(() => {
      waits = false
      begin()
      stream.resume()
    }, 1_000).unref()
  }
}

/** Asks the child to go, then makes it; in the end nothing of its group is alive. */
async function leave(child: Child): Promise<void> {
  const closed = new Promise((resolve) => child.once('close', resolve))
  child.stdin.end()
  if (await within(closed, LEAVE_MS)) return
  signalGroup(child, 'SIGTERM')
  if (await within(closed, LEAVE_MS)) return
  killGroup(child)
  await within(closed, LEAVE_MS)
  for (const stream of child.stdio) stream?.destroy()
}

async function within(event: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(resolve, ms, false)
  try {
    return await Promise.race([event.then(() => true), promise])
  } finally {
    clearTimeout(timer)
  }
}

function killGroup(child: Child | undefined): void {
  signalGroup(child, 'SIGKILL')
}

function signalGroup(child: Child | undefined, signal: NodeJS.Signals): void {
  if (child?.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // Nothing of the group is left.
  }
}

/** The request an oversized line answers, from its ends: writers put the id first or last. */
function answeredId(head: string, tail: string): number | undefined {
  const id =
    /^\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(\d+)\s*,/.exec(head)?.[1] ??
    /^\s*\{\s*"id"\s*:\s*(\d+)\s*,/.exec(head)?.[1] ??
    /[}\]"\w]\s*,\s*"id"\s*:\s*(\d+)\s*\}\s*$/.exec(tail)?.[1]
  return id === undefined ? undefined : Number(id)
}

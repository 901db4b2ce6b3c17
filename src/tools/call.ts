/** One call of one tool, and what became of it. */
import type { CallToolResult } from '@modelcontextprotocol/client'
import type { ToolOutcome } from '../core/catalogue.ts'
import { Fault } from '../core/fault.ts'
import { least } from '../core/reach.ts'
import type { Accepted } from './accept.ts'
import { findNotConnected } from './access.ts'
import { type Connection, connected, hangUp } from './connection.ts'
import { type Line, MAX_BYTES } from './dial.ts'
import { maskedInput, type Resume, resumeParams, wantedBy } from './input.ts'
import { type Progress, throttled } from './progress.ts'
import { cutText, renderResult } from './render.ts'
import { findMissingScopes } from './scopes.ts'
import { settleError } from './settle.ts'
import { tellAsked, type Unanswered } from './unanswered.ts'

/** How long a tool may be silent, in milliseconds. */
const CALL_MS = 60_000
/** How long it may take in all, however much progress it reports. */
const TOTAL_MS = 10 * 60_000

/** How long a call may wait for others at the same server, in milliseconds. */
const WAIT_MS = 2 * 60_000

/** Said of a call that was stopped before anything was sent. */
export const STOPPED_EARLY = 'The call was stopped before it began.'

type Ended = Omit<ToolOutcome, 'ms'>

export type CallOptions = {
  signal: AbortSignal
  /** How long the tool may be silent, in milliseconds; a minute, or what mcp.json says, where it is left out. */
  timeoutMs?: number
  /** Largest result that is read, in bytes; 8 MB where it is left out, and never more. */
  resultBytes?: number
  /** What was decided on: the call is refused where the tool or its server is something else by now. */
  expect?: { definitionHash: string; serverHash: string }
  /** Told at most twice a second; the words are one line, cut and without characters that could hide something. */
  onProgress?: ((progress: Progress) => void) | undefined
  /** What a call goes on with whose server wanted to know something. */
  resume?: Resume | undefined
  /** Who asks: where a server is used with an account of one's own, it is theirs. */
  person?: Caller | undefined
}

/** A person in a workspace. */
export type Caller = { workspace: string; user: string }

/**
 * Calls a tool at most once. Never throws for what a server does: what surely did not run is `failed`, what
 * may have run without an answer is `unknown`, and the text says why, for the model and for people.
 *
 * @param name the catalogue name
 */
export async function callTool(
  connection: Connection,
  name: string,
  args: unknown,
  options: CallOptions,
): Promise<ToolOutcome> {
  const began = performance.now()
  const ended = await settle(connection, name, args, options)
  const text = cutText(connection.mask(ended.text))
  return { ...ended, text, ms: Math.round(performance.now() - began) }
}

async function settle(
  connection: Connection,
  name: string,
  args: unknown,
  options: CallOptions,
): Promise<Ended> {
  if (typeof (args ?? {}) !== 'object' || Array.isArray(args)) {
    return failed('The arguments must be one JSON object.')
  }
  let endTurn: (() => void) | undefined
  try {
    endTurn = await connection.turns.take(options.signal, WAIT_MS)
    const line = await unlessAborted(connected(connection), options.signal)
    return await sendKnown(connection, line, name, (args ?? {}) as Record<string, unknown>, options)
  } catch (error) {
    if (options.signal.aborted) return failed(STOPPED_EARLY)
    if (findNotConnected(error)) return notConnected(connection.name)
    const scopes = findMissingScopes(error)
    if (scopes) return needsMore(connection, scopes)
    if (error instanceof Fault) return failed(error.message)
    throw error
  } finally {
    endTurn?.()
  }
}

async function sendKnown(
  connection: Connection,
  line: Line,
  name: string,
  args: Record<string, unknown>,
  options: CallOptions,
): Promise<Ended> {
  // Only now: a server that was started again may list other tools than before.
  const tool = connection.tools.find((one) => one.name === name)
  const refused = tool ? differs(tool, options.expect) : `There is no tool called "${name}" any more.`
  if (!tool || refused) return failed(refused ?? '')
  const timeoutMs = least([options.timeoutMs, connection.config.timeoutMs]) ?? CALL_MS
  const resultBytes = options.resultBytes ?? MAX_BYTES
  const open: Unanswered = { questions: [], times: 0 }
  connection.calls.add(open)
  try {
    const ended = await send(connection, line, tool, args, { ...options, timeoutMs, resultBytes })
    const asked = tellAsked(open)
    return asked === undefined ? ended : { ...ended, asked }
  } finally {
    connection.calls.delete(open)
  }
}

function differs(tool: Accepted, expect: CallOptions['expect']): string | undefined {
  if (!expect) return undefined
  const what =
    expect.definitionHash !== tool.definitionHash
      ? `The tool "${tool.name}"`
      : expect.serverHash !== tool.serverHash
        ? `The server of "${tool.name}"`
        : undefined
  return what && `${what} has changed since the call was decided; nothing was called.`
}

/** The result of `work`, unless the signal comes first: then its reason is thrown. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

async function send(
  connection: Connection,
  line: Line,
  tool: Accepted,
  args: Record<string, unknown>,
  options: CallOptions & { timeoutMs: number; resultBytes: number },
): Promise<Ended> {
  const { name } = connection
  const silence = options.timeoutMs
  const total = Math.max(TOTAL_MS, silence)
  const late = AbortSignal.timeout(total)
  const progress = throttled((told) => options.onProgress?.(masked(connection, told)))
  try {
    const result = await line.client.callTool(
      { name: tool.tool, arguments: args, ...resumeParams(options.resume) },
      {
        signal: AbortSignal.any([options.signal, late]),
        timeout: silence,
        resetTimeoutOnProgress: true,
        allowInputRequired: true,
        onprogress: progress.hear,
        // With a definition of our own the library neither sends twice nor judges the result after the fact.
        toolDefinition: withoutOutputSchema(tool.definition),
      },
    )
    connection.usedAt = Date.now()
    const wanted = wantedBy(result)
    if (typeof wanted === 'string') return failed(`${name} cannot go on: ${wanted}. It did not finish.`)
    if (wanted) return { outcome: 'input', text: '', input: maskedInput(wanted, connection.mask) }
    const outcome = result.isError ? 'failed' : 'succeeded'
    return { outcome, text: readable(name, result as CallToolResult, options.resultBytes) }
  } catch (error) {
    if (options.signal.aborted) return unknown(`The call of ${name} was stopped while it ran.`)
    if (late.aborted) return unknown(`${name} did not finish within ${seconds(total)}.`)
    if (isTimeout(error)) return unknown(`${name} did not answer within ${seconds(silence)}.`)
    // The server refused before it did anything, and there is nothing better to show it.
    if (findNotConnected(error)) return notConnected(name)
    const scopes = findMissingScopes(error)
    if (scopes) return needsMore(connection, scopes)
    const settled = settleError(error, name, line.ended())
    if (settled.broken && connection.line === line) hangUp(connection, line.ended() ?? settled.text)
    return settled
  } finally {
    progress.end()
  }
}

function readable(name: string, result: CallToolResult, most: number): string {
  const { content, structuredContent } = result
  const size = Buffer.byteLength(JSON.stringify({ content, structuredContent }))
  if (size <= most) return renderResult(result)
  const bytes = (count: number) => `${count.toLocaleString('en')} bytes`
  return `(${name} answered with ${bytes(size)}, more than the ${bytes(most)} it may; that was not read.)`
}

function masked(connection: Connection, told: Progress): Progress {
  return told.message === undefined ? told : { ...told, message: connection.mask(told.message) }
}

function withoutOutputSchema(definition: Accepted['definition']): Accepted['definition'] {
  const { outputSchema: _, ...rest } = definition
  return rest
}

function failed(text: string): Ended {
  return { outcome: 'failed', text }
}

/** Said to the model; the person is told how to connect beside it. */
export function notConnected(server: string): Ended {
  const text = `Nothing was called: whoever asked must first connect their account at ${server}, or connect it again, in App Home. They were told so.`
  return { outcome: 'failed', text, connect: server }
}

/** The server refused before it did anything: the account may do too little. It is not tried again by itself. */
function needsMore({ name, config }: Connection, scopes: string[]): Ended {
  const which = scopes.length > 0 ? ` (${scopes.join(', ')})` : ''
  const what = `Nothing was done: ${name} asks for further permissions${which}`
  if (!('auth' in config) || config.auth?.type !== 'oauth')
    return failed(`${what}. Somebody who runs this can give them in mcp.json.`)
  const text = `${what} than its account was connected with. Whoever asked was told how to give them; do not call it again before.`
  return { outcome: 'failed', text, connect: name, scopes }
}

function unknown(text: string): Ended {
  return { outcome: 'unknown', text: `${text} The call may have run.` }
}

function isTimeout(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === 'REQUEST_TIMEOUT'
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${Math.round(ms / 1_000)} s`
}

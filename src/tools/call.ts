/** One call of one tool, and what became of it. */
import type { CallToolResult } from '@modelcontextprotocol/client'
import type { ToolOutcome } from '../core/catalogue.ts'
import { Fault } from '../core/fault.ts'
import type { Accepted } from './accept.ts'
import { type Connection, connected, hangUp } from './connection.ts'
import type { Line } from './dial.ts'
import { cutText, renderResult } from './render.ts'
import { settleError } from './settle.ts'

/** How long a tool may be silent, in milliseconds. */
const CALL_MS = 60_000
/** How long it may take in all, however much progress it reports. */
const TOTAL_MS = 10 * 60_000

type Ended = Omit<ToolOutcome, 'ms'>

/**
 * Calls a tool at most once. Never throws: what surely did not run is `failed`, what may have run without an
 * answer is `unknown`, and a text says why, for the model and for people.
 *
 * @param options.timeoutMs how long the tool may be silent; a minute, or what the server's configuration says
 */
export async function callTool(
  connection: Connection,
  tool: Accepted,
  args: unknown,
  options: { signal: AbortSignal; timeoutMs?: number | undefined },
): Promise<ToolOutcome> {
  const began = performance.now()
  const ended = await settle(connection, tool, args, options)
  const text = cutText(connection.mask(ended.text))
  return { outcome: ended.outcome, text, ms: Math.round(performance.now() - began) }
}

async function settle(
  connection: Connection,
  tool: Accepted,
  args: unknown,
  options: { signal: AbortSignal; timeoutMs?: number | undefined },
): Promise<Ended> {
  const stopped: Ended = { outcome: 'failed', text: 'The call was stopped before it began.' }
  if (options.signal.aborted) return stopped
  if (typeof (args ?? {}) !== 'object' || Array.isArray(args)) {
    return { outcome: 'failed', text: 'The arguments must be one JSON object.' }
  }
  let line: Line
  try {
    line = await connected(connection)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { outcome: 'failed', text: error.message }
  }
  if (options.signal.aborted) return stopped
  return send(connection, line, tool, (args ?? {}) as Record<string, unknown>, options)
}

async function send(
  connection: Connection,
  line: Line,
  tool: Accepted,
  args: Record<string, unknown>,
  options: { signal: AbortSignal; timeoutMs?: number | undefined },
): Promise<Ended> {
  const { name } = connection
  const silence = options.timeoutMs ?? connection.config.timeoutMs ?? CALL_MS
  const total = Math.max(TOTAL_MS, silence)
  const late = AbortSignal.timeout(total)
  try {
    const result = await line.client.callTool(
      { name: tool.tool, arguments: args },
      {
        signal: AbortSignal.any([options.signal, late]),
        timeout: silence,
        resetTimeoutOnProgress: true,
        onprogress: () => {},
        // With a definition of our own the library neither sends twice nor judges the result after the fact.
        toolDefinition: withoutOutputSchema(tool.definition),
      },
    )
    connection.usedAt = Date.now()
    return { outcome: result.isError ? 'failed' : 'succeeded', text: renderResult(result as CallToolResult) }
  } catch (error) {
    if (options.signal.aborted) return unknown(`The call of ${name} was stopped while it ran.`)
    if (late.aborted) return unknown(`${name} did not finish within ${seconds(total)}.`)
    if (isTimeout(error)) return unknown(`${name} did not answer within ${seconds(silence)}.`)
    const settled = settleError(error, name, line.ended())
    if (settled.broken && connection.line === line) hangUp(connection, line.ended() ?? settled.text)
    return settled
  }
}

function withoutOutputSchema(definition: Accepted['definition']): Accepted['definition'] {
  const { outputSchema: _, ...rest } = definition
  return rest
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

/** One attempt to connect to a tool server and to list its tools. */
import {
  Client,
  type ElicitRequestParams,
  type ElicitResult,
  type PriorDiscovery,
  SdkError,
  SdkErrorCode,
  type Tool,
  type Transport,
} from '@modelcontextprotocol/client'
import type { Reach } from '../core/reach.ts'
import type { Expanded } from './expand.ts'
import { type HttpAuth, httpTransport } from './http.ts'
import { describe } from './settle.ts'
import { stdioTransport } from './stdio.ts'

/** Largest answer that is read, in bytes. */
export const MAX_BYTES = 8 * 1024 * 1024
const CONNECT_MS = 30_000
const PROBE_MS = 10_000

export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void

/** A connected server. */
export type Line = {
  client: Client
  /** Which protocol it speaks, so that the next connection need not ask. */
  era: PriorDiscovery
  /** Whether the server keeps a session that may have ended unnoticed. */
  session(): boolean
  /** How the connection ended, in words; undefined while nothing is known. */
  ended(): string | undefined
  /** Ends a child process at once, without waiting. */
  kill(): void
}

/** Who is dialled, how far it may reach, and who is told what. */
export type Ear = {
  /** The server's name in mcp.json. */
  server: string
  reach: Reach
  onListChanged(): void
  /** Resources came or went, or one that is followed is another now. */
  onResourcesChanged(): void
  onStart(kill: () => void): void
  log: Log
  /** Signs every request to a server over HTTP in. */
  authProvider?: HttpAuth | undefined
  /** Answers what a server asks in the middle of a call; where it is left out such a call is not carried on. */
  onElicit?: ((asked: ElicitRequestParams) => Promise<ElicitResult>) | undefined
  /** Told of a question that nobody can be asked. */
  onUnanswered?: ((asked: ElicitRequestParams) => void) | undefined
}

/**
 * Connects. Where the era is not known the server is asked; a process that ends on the question is started
 * once more and addressed in the older way.
 *
 * @throws whatever the attempt failed with, its secrets not yet masked
 */
export async function dial(expanded: Expanded, era: PriorDiscovery | undefined, ear: Ear): Promise<Line> {
  try {
    return await dialOnce(expanded, era, ear)
  } catch (error) {
    const asked = error instanceof SdkError && error.code === SdkErrorCode.EraNegotiationFailed
    if (expanded.kind !== 'stdio' || era !== undefined || !asked) throw error
    return dialOnce(expanded, { kind: 'legacy' }, ear)
  }
}

/** All tools a connected server lists, freshly asked. */
export async function listTools(client: Client, timeout = CONNECT_MS): Promise<Tool[]> {
  if (!client.getServerCapabilities()?.tools) return []
  const { tools } = await client.listTools(undefined, { cacheMode: 'refresh', timeout })
  return tools
}

async function dialOnce(expanded: Expanded, era: PriorDiscovery | undefined, ear: Ear): Promise<Line> {
  const { transport, ended, kill } = makeTransport(expanded, ear)
  const client = new Client(
    { name: 'quorum', version: '1' },
    {
      versionNegotiation: { mode: 'auto', probe: { timeoutMs: PROBE_MS } },
      inputRequired: { autoFulfill: ear.onElicit !== undefined },
      capabilities: { elicitation: ear.onElicit ? { form: { applyDefaults: true } } : { form: {}, url: {} } },
      listMaxPages: 16,
      listChanged: {
        tools: { autoRefresh: false, onChanged: ear.onListChanged },
        resources: { autoRefresh: false, onChanged: ear.onResourcesChanged },
      },
    },
  )
  const { onElicit = (asked) => refuse(asked, ear) } = ear
  client.setRequestHandler('elicitation/create', ({ params }) => onElicit(params))
  client.setNotificationHandler('notifications/resources/updated', ear.onResourcesChanged)
  client.onerror = (error) => ear.log('debug', 'tool server', { error: expanded.mask(describe(error)) })
  ear.onStart(kill)
  try {
    await client.connect(transport, { timeout: CONNECT_MS, ...(era ? { prior: era } : {}) })
  } catch (error) {
    await transport.close().catch(() => {})
    const how = ended()
    if (how === undefined) throw error
    if (error instanceof SdkError) throw new SdkError(error.code, how)
    throw new Error(how)
  }
  const discover = client.getProtocolEra() === 'modern' ? client.getDiscoverResult() : undefined
  return {
    client,
    era: discover ? { kind: 'modern', discover } : { kind: 'legacy' },
    session: () => expanded.kind === 'http' && transport.sessionId !== undefined,
    ended,
    kill,
  }
}

/**
 * In the older protocol a server asks while the call is open. No call is kept open for a person, who may take hours,
 * and an answer would not outlive a restart: nobody is asked, and the call says so.
 */
async function refuse(asked: ElicitRequestParams, { onUnanswered }: Ear): Promise<ElicitResult> {
  onUnanswered?.(asked)
  return { action: 'cancel' }
}

function makeTransport(
  expanded: Expanded,
  { server, reach, log, authProvider }: Ear,
): { transport: Transport; ended: () => string | undefined; kill: () => void } {
  if (expanded.kind === 'http') {
    const guard = { server, url: expanded.url, egress: reach.egress }
    const transport = httpTransport(guard, { headers: expanded.headers, maxBytes: MAX_BYTES, authProvider })
    return { transport, ended: () => undefined, kill: () => void transport.close() }
  }
  let last = ''
  const transport = stdioTransport({
    ...expanded,
    maxBytes: MAX_BYTES,
    onStderr: (line) => {
      last = line.slice(0, 200)
      log('debug', 'tool server wrote', { line: expanded.mask(line) })
    },
  })
  function ended(): string | undefined {
    const how = transport.ended()
    return how && last !== '' ? `${how} (${last})` : how
  }
  return { transport, ended, kill: transport.kill }
}

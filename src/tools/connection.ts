/** One tool server: connected when first needed, and again after it broke. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuthProvider, PriorDiscovery } from '@modelcontextprotocol/client'
import { Fault } from '../core/fault.ts'
import type { ToolServer } from '../core/home.ts'
import type { Reach } from '../core/reach.ts'
import { type Accepted, acceptTools } from './accept.ts'
import { findNotConnected } from './access.ts'
import { serverHash } from './bind.ts'
import { dial, type Line, type Log, listTools } from './dial.ts'
import { type Environment, type Expanded, expandServer } from './expand.ts'
import { missing } from './scopes.ts'
import { describe } from './settle.ts'
import { openTurns, type Turns } from './turns.ts'
import { noteAsked, type Unanswered } from './unanswered.ts'

/** How long a server that rested may take to say what it has now, in milliseconds. */
const LOOK_MS = 5_000
/** The longest pause before a failing server is tried again; the pauses double up to it, in milliseconds. */
const LONGEST_PAUSE_MS = 60_000
/** A connection that held this long was a good one: the count of failures begins again. */
const GOOD_MS = 30_000
/** A session that rested this long is asked whether it still exists before a call is risked on it. */
const RESTED_MS = 10_000

/** Calls at once where no rule says. */
const AT_ONCE = 4
/** The tools of a server that tells of changes without end are listed this often at most, in milliseconds. */
const RELIST_MS = 1_000

/** What is known of one server, for people who look after it. */
export type Health = {
  server: string
  state: 'idle' | 'connecting' | 'ready' | 'failed'
  tools: number
  /** Why it is away. */
  why?: string
  /** Which revision of MCP it speaks, while it is connected. */
  era?: string
  /** Calls that run, and calls that wait for their turn. */
  running: number
  waiting: number
  /** How often it had to be connected to again. */
  restarts: number
  /** How long until it is tried again, in milliseconds, while it is away. */
  retryMs?: number
}

/** One server and what became of it so far. Changed by the functions of this file only. */
export type Connection = {
  readonly name: string
  readonly config: ToolServer
  readonly options: {
    env: Environment
    cwd: string
    reach: Reach
    log: Log
    /** Told that resources of the server changed. */
    onResources?: (server: string) => void
    /** How requests are signed in; `mask` hides what they are signed with. */
    signIn?: (server: Expanded) => { authProvider: AuthProvider; mask: (text: string) => string } | undefined
  }
  line?: Line | undefined
  opening?: Promise<Line> | undefined
  /** Ends what is being started or runs, at once. */
  kill: () => void
  /** Hides secrets in text that came from this server. */
  mask: (text: string) => string
  era?: PriorDiscovery | undefined
  /** What was last listed, sorted; kept while the server is away. */
  tools: Accepted[]
  /** Whether it was ever listed. */
  asked: boolean
  /** The definitions it was last taken over from, the refused ones included. */
  taken?: Parameters<typeof acceptTools>[2] | undefined
  /** What it has now is being asked. */
  waking?: Promise<Line> | undefined
  failures: number
  retryAt: number
  openedAt: number
  usedAt: number
  why?: string | undefined
  /** How often it was connected to. */
  connects: number
  /** Who calls, and who waits. */
  readonly turns: Turns
  /** Calls whose answer is waited for. */
  readonly calls: Set<Unanswered>
  /** Listing again is under way; `again` where the tools changed once more meanwhile. */
  relisting?: { again: boolean } | undefined
  closed: boolean
}

/** Prepares a connection; nothing is started before it is used. */
export function openConnection(name: string, config: ToolServer, options: Connection['options']): Connection {
  return {
    name,
    config,
    options,
    kill: () => {},
    mask: (text) => text,
    tools: [],
    asked: false,
    failures: 0,
    retryAt: 0,
    openedAt: 0,
    usedAt: 0,
    connects: 0,
    turns: openTurns(name, options.reach.limits.atOnce ?? AT_ONCE),
    calls: new Set(),
    closed: false,
  }
}

/**
 * The connected server; connects where that is needed, once for all who wait.
 *
 * @throws Fault tool-unreachable, at once while a pause after failures lasts
 */
export async function connected(connection: Connection): Promise<Line> {
  if (connection.closed) throw new Fault('tool-unreachable', `${connection.name} is closed.`)
  if (connection.line) return awake(connection, connection.line)
  if (Date.now() < connection.retryAt) throw unreachable(connection)
  connection.opening ??= connect(connection).finally(() => {
    connection.opening = undefined
  })
  return connection.opening
}

/** Gives a connection up, after which the next use makes a new one. */
export function hangUp(connection: Connection, why: string): void {
  const { line } = connection
  if (!line) return
  connection.line = undefined
  note(connection, why)
  line.client.close().catch(() => {})
}

/** Ends the connection for good, its process and everything that process started included. */
export async function closeConnection(connection: Connection): Promise<void> {
  connection.closed = true
  if (connection.opening) connection.kill()
  await connection.opening?.catch(() => {})
  const { line } = connection
  connection.line = undefined
  await line?.client.close().catch(() => {})
}

export function health(connection: Connection): Health {
  const { name, line, opening, why, tools, turns, connects, retryAt } = connection
  const state = line ? 'ready' : opening ? 'connecting' : why === undefined ? 'idle' : 'failed'
  const era = line?.client.getNegotiatedProtocolVersion()
  const away = line ? undefined : why
  return {
    server: name,
    state,
    tools: tools.length,
    running: turns.running(),
    waiting: turns.waiting(),
    restarts: Math.max(0, connects - 1),
    ...(era !== undefined && { era }),
    ...(away !== undefined && { why: away, retryMs: Math.max(0, retryAt - Date.now()) }),
  }
}

async function connect(connection: Connection): Promise<Line> {
  const { name, config, options } = connection
  let line: Line | undefined
  try {
    const expanded = expandServer(config, options.env, options.cwd, options.reach.env)
    const signedIn = options.signIn?.(expanded)
    connection.mask = (text) => expanded.mask(signedIn?.mask(text) ?? text)
    line = await dial(expanded, connection.era, {
      server: name,
      reach: options.reach,
      onListChanged: () => void relist(connection),
      onResourcesChanged: () => options.onResources?.(name),
      onUnanswered: ({ message }) => noteAsked(connection.calls, connection.mask(message)),
      onStart: (kill) => {
        connection.kill = kill
        if (connection.closed) throw new Error('it was closed while it connected')
      },
      authProvider: signedIn?.authProvider,
      log: (level, message, fields) => options.log(level, message, { server: name, ...fields }),
    })
    const definitions = await listTools(line.client)
    if (connection.closed) throw new Error('it was closed while it connected')
    take(connection, definitions)
    watch(connection, line)
    return line
  } catch (error) {
    const why = line?.ended() ?? describe(error)
    await line?.client.close().catch(() => {})
    connection.era = undefined
    // Nothing is wrong with the server: no pause is due.
    const wanting = findNotConnected(error) ?? missing(error)
    if (wanting) throw wanting
    connection.failures = Math.max(connection.failures, 1)
    note(connection, why)
    throw unreachable(connection)
  }
}

function watch(connection: Connection, line: Line): void {
  connection.line = line
  connection.era = line.era
  connection.why = undefined
  connection.connects++
  connection.openedAt = connection.usedAt = Date.now()
  line.client.onclose = () => {
    if (connection.line !== line) return
    connection.line = undefined
    if (!connection.closed) note(connection, line.ended() ?? 'the connection was closed')
  }
}

/** Remembers why the server is away. The first time it may be tried again at once, then after pauses. */
function note(connection: Connection, why: string): void {
  const held = connection.openedAt > 0 && Date.now() - connection.openedAt > GOOD_MS
  connection.openedAt = 0
  connection.failures = held ? 1 : connection.failures + 1
  const pause = connection.failures < 2 ? 0 : 1_000 * 2 ** Math.min(connection.failures - 2, 6)
  connection.retryAt = Date.now() + Math.min(pause, LONGEST_PAUSE_MS)
  connection.why = connection.mask(why)
  if (connection.closed) return
  connection.options.log('warn', 'tool server is away', { server: connection.name, why: connection.why })
}

function unreachable(connection: Connection): Fault {
  const why = connection.why ?? 'it did not answer'
  return new Fault('tool-unreachable', `${connection.name} cannot be reached: ${why}.`, { retry: true })
}

/**
 * Asks a server that rested what it has now: it may have changed without telling, and a call on a session that has
 * ended would only fail. All who come meanwhile wait for the same answer.
 */
async function awake(connection: Connection, line: Line): Promise<Line> {
  const rested = Date.now() - connection.usedAt > RESTED_MS
  connection.usedAt = Date.now()
  if (rested) {
    const waking = lookAgain(connection, line)
    connection.waking = waking
    const done = () => {
      if (connection.waking === waking) connection.waking = undefined
    }
    waking.then(done, done)
  }
  return connection.waking ?? line
}

async function lookAgain(connection: Connection, line: Line): Promise<Line> {
  try {
    const definitions = await listTools(line.client, LOOK_MS)
    const same = JSON.stringify(definitions) === JSON.stringify(connection.taken)
    if (!same && connection.line === line) take(connection, definitions)
    return line
  } catch {
    // Whoever keeps no session and is slow to answer may still be busy with a call.
    if (!line.session() && connection.line === line) return line
    if (connection.line === line) hangUp(connection, 'its session had ended')
    // Whoever connects now must not wait for us.
    connection.waking = undefined
    connection.retryAt = 0
    return connected(connection)
  }
}

async function relist(connection: Connection): Promise<void> {
  if (connection.relisting) {
    connection.relisting.again = true
    return
  }
  const listing = { again: true }
  connection.relisting = listing
  while (listing.again && connection.line) {
    listing.again = false
    await listOnce(connection, connection.line)
    if (connection.line) await sleep(RELIST_MS, undefined, { ref: false })
  }
  connection.relisting = undefined
}

async function listOnce(connection: Connection, line: Line): Promise<void> {
  try {
    take(connection, await listTools(line.client))
  } catch (error) {
    connection.options.log('warn', 'tools could not be listed again', {
      server: connection.name,
      error: connection.mask(describe(error)),
    })
  }
}

/** Takes over a list of tools. */
function take(connection: Connection, definitions: Parameters<typeof acceptTools>[2]): void {
  const { name, config, options } = connection
  const { tools, refused } = acceptTools(name, serverHash(name, config), definitions)
  for (const why of refused)
    options.log('warn', 'a tool is refused', { server: name, why: connection.mask(why) })
  const most = options.reach.limits.tools ?? tools.length
  if (tools.length > most) options.log('warn', 'tools beyond the limit are left out', { server: name, most })
  connection.tools = tools
  connection.asked = true
  connection.taken = definitions
}

/** The tools of a home: every server of mcp.json behind one catalogue. */
import type { CatalogueTool, ToolOutcome } from '../core/catalogue.ts'
import type { ToolServer } from '../core/home.ts'
import type { Lock } from '../core/lock.ts'
import { reachOf } from '../core/reach.ts'
import type { Policy } from '../core/rules.ts'
import type { Accepted } from './accept.ts'
import { serverHash } from './bind.ts'
import { type CallOptions, callTool, STOPPED_EARLY, unlessAborted } from './call.ts'
import {
  type Connection,
  closeConnection,
  connected,
  type Health,
  health,
  openConnection,
} from './connection.ts'
import type { Log } from './dial.ts'
import type { Environment } from './expand.ts'
import { lookAlikes } from './names.ts'
import { holdAgainst, isAcceptedServer, type Withdrawn } from './pins.ts'

/** How long a catalogue waits for a server that is slow to start, in milliseconds. */
const PATIENCE_MS = 10_000

export type Tools = {
  /**
   * The tools of every server that can be reached, by server and then name: the same servers give the same
   * bytes. Connects where that is needed; a server that fails or is slow costs its own tools only.
   */
  catalogue(): Promise<CatalogueTool[]>
  /** Calls a tool by its catalogue name, at most once; never throws for what a server does. */
  call(name: string, args: unknown, options: CallOptions): Promise<ToolOutcome>
  health(): Health[]
  /** What servers have listed and nobody accepted, as far as they were asked. */
  withdrawn(): Withdrawn[]
  /** Everything that servers list, accepted or not, with the hash of each server's entry; asks every server. */
  listed(): Promise<{ server: string; config: string; tools: Accepted[]; why?: string }[]>
  /** Ends every connection and every process, theirs included. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export type ToolsOptions = {
  /** What `${NAME}` stands for; child processes get PATH, HOME, LANG, TZ, TMPDIR and their own `env`. */
  env: Environment
  /** Where relative directories and arguments of servers begin. */
  cwd: string
  /**
   * What tools.lock.json accepts just now: nothing else is offered or called, and no server is started or addressed
   * whose entry was not accepted. Left out only by whoever accepts: then everything that is listed is taken.
   */
  lock?: () => Lock | undefined
  /** How far each server may reach, and what bounds it. */
  policy?: Policy | undefined
  /** The entries of mcp.json as written, which the lock is about. */
  written?: Record<string, unknown>
  log?: Log
}

/** Opens the tools of a home. Nothing is started before the first use. */
export function openTools(servers: Record<string, ToolServer>, options: ToolsOptions): Tools {
  const { env, cwd, policy, lock, written = servers, log = () => {} } = options
  const connections = Object.entries(servers)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, server]) => {
      const reach = policy ? reachOf(policy, name) : { limits: {} }
      return openConnection(name, server, { env, cwd, reach, log })
    })
  const configOf = (name: string) => serverHash(name, written[name])
  const held = (one: Connection) =>
    lock ? holdAgainst(lock(), one.name, configOf(one.name), one.tools) : { tools: one.tools, withdrawn: [] }
  const isOpen = (one: Connection) => !lock || isAcceptedServer(lock(), one.name, configOf(one.name))
  const offered = (some: Connection[]) => unique(some.filter(isOpen).flatMap((one) => held(one).tools))

  const killAll = () => {
    for (const connection of connections) connection.kill()
  }
  process.on('exit', killAll)

  async function close(): Promise<void> {
    await Promise.all(connections.map(closeConnection))
    process.off('exit', killAll)
  }

  return {
    async catalogue() {
      const open = connections.filter(isOpen)
      const ready = await Promise.all(open.map(reachable))
      const tools = offered(open.filter((_, i) => ready[i]))
      return tools.map(({ definition: _, ...tool }) => tool)
    },

    async call(name, args, callOptions) {
      const { signal } = callOptions
      const open = connections.filter(isOpen)
      const found = find(open, name, () => offered(open))
      const connection = await unlessAborted(found, signal).catch((error: unknown) => {
        if (signal.aborted) return STOPPED_EARLY
        throw error
      })
      if (typeof connection === 'string') return { outcome: 'failed', text: connection, ms: 0 }
      return callTool(connection, name, args, callOptions)
    },

    health: () => connections.map(health),
    withdrawn: () => connections.flatMap((one) => (one.asked || !isOpen(one) ? held(one).withdrawn : [])),
    async listed() {
      const ready = await Promise.all(connections.map(reachable))
      return connections.map((one, i) => {
        const why = ready[i] ? undefined : (one.why ?? 'it did not answer in time')
        return { server: one.name, config: configOf(one.name), tools: one.tools, ...(why ? { why } : {}) }
      })
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Whether the server is connected before patience ends; connecting goes on where it is not. */
async function reachable(connection: Connection): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(resolve, PATIENCE_MS, false)
  connected(connection).then(
    () => resolve(true),
    () => resolve(false),
  )
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

/** The tools without those whose name, or whose server's, two have or that could be taken for one another. */
function unique(all: Accepted[]): Accepted[] {
  const times = new Map<string, number>()
  for (const { name } of all) times.set(name, (times.get(name) ?? 0) + 1)
  const alike = new Set(lookAlikes(all.map(({ name }) => name)).flat())
  const servers = new Set(lookAlikes(all.map(({ server }) => server)).flat())
  return all.filter(({ name, server }) => times.get(name) === 1 && !alike.has(name) && !servers.has(server))
}

/** The one server with a tool of that name, or a sentence why there is none. Connects to those that could. */
async function find(
  connections: Connection[],
  name: string,
  offered: () => Accepted[],
): Promise<Connection | string> {
  const known = () => {
    const server = offered().find((tool) => tool.name === name)?.server
    return connections.find((connection) => connection.name === server)
  }
  const found = known()
  if (found) return found
  const candidates = connections.filter((connection) => name.startsWith(`${connection.name}__`))
  const failures = await Promise.all(
    candidates.map((connection) =>
      connected(connection).then(
        () => '',
        (error: Error) => error.message,
      ),
    ),
  )
  const why = failures.find((failure) => failure !== '')
  return known() ?? why ?? `There is no tool called ${JSON.stringify(name.slice(0, 200))}.`
}

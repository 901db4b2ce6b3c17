/** The tools of a home: every server of mcp.json behind one catalogue. */
import type { CatalogueTool, ToolOutcome } from '../core/catalogue.ts'
import type { ToolServer } from '../core/home.ts'
import { limitsOf, reachOf } from '../core/reach.ts'
import type { Policy } from '../core/rules.ts'
import type { Accepted } from './accept.ts'
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
  /** Ends every connection and every process, theirs included. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens the tools of a home. Nothing is started before the first use.
 *
 * @param options.env what `${NAME}` stands for; child processes get PATH, HOME, LANG, TZ, TMPDIR and their own `env`
 * @param options.cwd where relative directories and arguments of servers begin
 * @param options.policy how far each server may reach, and what bounds it
 * @param options.onChange the tools of a server are no longer what they were
 */
export function openTools(
  servers: Record<string, ToolServer>,
  options: { env: Environment; cwd: string; policy?: Policy; onChange?: () => void; log?: Log },
): Tools {
  const { env, cwd, policy, onChange = () => {}, log = () => {} } = options
  const bounds = (names: readonly string[]) => (policy ? limitsOf(policy, names) : {})
  const connections = Object.entries(servers)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, server]) => {
      const reach = policy ? reachOf(policy, name) : { limits: {} }
      return openConnection(name, server, { env, cwd, reach, limitsOf: bounds, onChange, log })
    })

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
      const ready = await Promise.all(connections.map(reachable))
      const tools = unique(connections.filter((_, i) => ready[i]))
      return tools.map(({ definition: _, ...tool }) => tool)
    },

    async call(name, args, callOptions) {
      const { signal } = callOptions
      const connection = await unlessAborted(find(connections, name), signal).catch((error: unknown) => {
        if (signal.aborted) return STOPPED_EARLY
        throw error
      })
      if (typeof connection === 'string') return { outcome: 'failed', text: connection, ms: 0 }
      return callTool(connection, name, args, callOptions)
    },

    health: () => connections.map(health),
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

/** The tools of these servers; a name that two servers produce belongs to neither. */
function unique(connections: Connection[]): Accepted[] {
  const all = connections.flatMap((connection) => connection.tools)
  const times = new Map<string, number>()
  for (const { name } of all) times.set(name, (times.get(name) ?? 0) + 1)
  return all.filter(({ name }) => times.get(name) === 1)
}

/** The one server with a tool of that name, or a sentence why there is none. Connects to those that could. */
async function find(connections: Connection[], name: string): Promise<Connection | string> {
  const known = () => {
    const server = unique(connections).find((tool) => tool.name === name)?.server
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

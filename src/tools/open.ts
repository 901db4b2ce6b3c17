/** The tools of a home: every server of mcp.json behind one catalogue. */
import type { CatalogueTool, ToolOutcome } from '../core/catalogue.ts'
import { Fault } from '../core/fault.ts'
import type { ToolServer } from '../core/home.ts'
import type { Lock } from '../core/lock.ts'
import type { Accepted } from './accept.ts'
import type { FetchFor, Vault } from './access.ts'
import { type CallOptions, callTool, notConnected, STOPPED_EARLY, unlessAborted } from './call.ts'
import { type Connection, connected, type Health } from './connection.ts'
import type { Log } from './dial.ts'
import type { Environment } from './expand.ts'
import { openServed, type Served } from './served.ts'

/** How long a catalogue waits for a server that is slow to start, in milliseconds. */
const PATIENCE_MS = 10_000

export type Tools = {
  /**
   * The tools of every server that can be reached, by server and then name: the same servers give the same
   * bytes. Connects where that is needed; a server that fails or is slow costs its own tools only.
   * A server that people connect accounts to is listed with one of `workspace`, or as it was accepted.
   */
  catalogue(workspace?: string): Promise<CatalogueTool[]>
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
 * @param options.onChange the tools of a server are no longer what they were
 * @param options.vault where accounts are kept; without it, servers that people connect to are refused
 * @param options.fetchFor what signing in goes through
 */
export function openTools(
  servers: Record<string, ToolServer>,
  options: {
    env: Environment
    cwd: string
    onChange?: () => void
    log?: Log
    vault?: Vault | undefined
    fetchFor?: FetchFor
    lock?: Lock | undefined
  },
): Tools {
  const { onChange = () => {}, log = () => {}, fetchFor = () => fetch } = options
  const all = Object.entries(servers)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, server]) => openServed(name, server, { ...options, onChange, log, fetchFor }))

  const killAll = () => {
    for (const served of all) for (const connection of served.connections()) connection.kill()
  }
  process.on('exit', killAll)

  async function close(): Promise<void> {
    await Promise.all(all.map((served) => served.close()))
    process.off('exit', killAll)
  }

  return {
    async catalogue(workspace) {
      const lists = await Promise.all(all.map((served) => listed(served, workspace)))
      return unique(lists.flat()).map(({ definition: _, ...tool }) => tool)
    },

    async call(name, args, callOptions) {
      const { signal, person } = callOptions
      const work = find(all, name, person?.workspace)
      const served = await unlessAborted(work, signal).catch((error: unknown) => {
        if (signal.aborted) return STOPPED_EARLY
        throw error
      })
      if (typeof served === 'string') return { outcome: 'failed', text: served, ms: 0 }
      return callAt(served, name, args, callOptions)
    },

    health: () => all.map((served) => served.health()),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function callAt(
  served: Served,
  name: string,
  args: unknown,
  options: CallOptions,
): Promise<ToolOutcome> {
  try {
    const lent = await served.lend(options.person)
    if (!lent) return { ...notConnected(served.name), ms: 0 }
    try {
      return await callTool(lent.connection, name, args, options)
    } finally {
      lent.giveBack()
    }
  } catch (error) {
    if (error instanceof Fault) return { outcome: 'failed', text: error.message, ms: 0 }
    throw error
  }
}

/** The tools of one server: freshly known where it is reached, as accepted where nobody is connected. */
async function listed(served: Served, workspace: string | undefined): Promise<Accepted[]> {
  const connection = await served.lister(workspace).catch(() => undefined)
  if (!connection) return served.pinned
  return (await reachable(connection)) ? connection.tools : []
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

/** The tools whose name is theirs alone; a name that two servers produce belongs to neither. */
function unique(tools: Accepted[]): Accepted[] {
  const times = new Map<string, number>()
  for (const { name } of tools) times.set(name, (times.get(name) ?? 0) + 1)
  return tools.filter(({ name }) => times.get(name) === 1)
}

/** The one server with a tool of that name, or a sentence why there is none. Connects to those that could. */
async function find(all: Served[], name: string, workspace: string | undefined): Promise<Served | string> {
  const known = () => {
    const tools = all.flatMap((served) => [
      ...served.connections().flatMap((one) => one.tools),
      ...served.pinned,
    ])
    const servers = new Set(tools.filter((tool) => tool.name === name).map((tool) => tool.server))
    return servers.size === 1 ? all.find((served) => servers.has(served.name)) : undefined
  }
  const found = known()
  if (found) return found
  const candidates = all.filter((served) => name.startsWith(`${served.name}__`))
  const failures = await Promise.all(candidates.map((served) => failureOf(served, workspace)))
  const why = failures.find((failure) => failure !== '')
  const [only] = candidates
  const unseen = only && candidates.length === 1 && only.connections().length === 0 ? only : undefined
  return known() ?? unseen ?? why ?? `There is no tool called ${JSON.stringify(name.slice(0, 200))}.`
}

/** Why a server cannot be reached; empty where it can, and where nobody is connected to it. */
async function failureOf(served: Served, workspace: string | undefined): Promise<string> {
  try {
    const connection = await served.lister(workspace)
    if (connection) await connected(connection)
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

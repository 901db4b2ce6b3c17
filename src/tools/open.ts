/** The tools of a home: every server of mcp.json behind one catalogue. */
import type { Client } from '@modelcontextprotocol/client'
import type { CatalogueTool, ToolOutcome } from '../core/catalogue.ts'
import { Fault } from '../core/fault.ts'
import type { ToolServer } from '../core/home.ts'
import type { Lock } from '../core/lock.ts'
import { reachOf } from '../core/reach.ts'
import type { Policy } from '../core/rules.ts'
import type { Accepted } from './accept.ts'
import type { FetchFor, Vault } from './access.ts'
import { serverHash } from './bind.ts'
import { type CallOptions, callTool, notConnected, STOPPED_EARLY, unlessAborted } from './call.ts'
import { type Connection, connected, type Health } from './connection.ts'
import type { Log } from './dial.ts'
import { guardedFetch } from './egress.ts'
import type { Environment } from './expand.ts'
import { openFollowing } from './following.ts'
import { maskAll } from './mask.ts'
import { lookAlikes } from './names.ts'
import {
  type ListedPrompt,
  type ListedResource,
  listPrompts,
  listResources,
  readPrompt,
  readResource,
} from './offers.ts'
import { holdAgainst, isAcceptedServer, type Withdrawn } from './pins.ts'
import { openServed, pinnedTools, type Served } from './served.ts'

/** How long a catalogue waits for a server that is slow to start, in milliseconds. */
const PATIENCE_MS = 10_000
/** How long one request of signing in may take, in milliseconds, and how large its answer may be, in bytes. */
const SIGN_IN_MS = 30_000
const SIGN_IN_BYTES = 1 << 20

export type Tools = {
  /**
   * The accepted tools of every server that can be reached, by server and then name: the same servers give the same
   * bytes. Connects where that is needed; a server that fails or is slow costs its own tools only.
   * A server that people connect accounts to is listed with one of `workspace`, or as it was accepted.
   */
  catalogue(workspace?: string): Promise<CatalogueTool[]>
  /** Calls a tool by its catalogue name, at most once; never throws for what a server does. */
  call(name: string, args: unknown, options: CallOptions): Promise<ToolOutcome>
  /** The resources of an accepted server. @throws Fault tool-unreachable, or what the server answered */
  resources(server: string): {
    list(): Promise<ListedResource[]>
    read(uri: string): Promise<string | undefined>
    /** Has the server tell of changes of these, where it can; see `onResources`. */
    follow(uris: readonly string[]): Promise<void>
  }
  /** Has `listener` told of each server whose resources have changed, until what is answered is called. */
  onResources(listener: (server: string) => void): () => void
  /** Prompts of every accepted server that can be reached, by `server__prompt`. */
  prompts(): Promise<(ListedPrompt & { server: string })[]>
  /** The text of a prompt. @throws Fault, or what the server answered */
  prompt(server: string, name: string, args: Record<string, string>): Promise<string>
  health(): Health[]
  /** What servers have listed and nobody accepted, as far as they were asked. */
  withdrawn(): Withdrawn[]
  /** Everything that servers list, accepted or not, with the hash of each server's entry; asks every server. */
  listed(): Promise<Listing[]>
  /** Ends every connection and every process, theirs included. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** What one server lists; `why` says in words that it could not be asked. */
export type Listing = { server: string; config: string; tools: Accepted[]; why?: string }

export type ToolsOptions = {
  /** What `${NAME}` stands for; child processes get PATH, HOME, LANG, TZ, TMPDIR and their own `env`. */
  env: Environment
  /** Where relative directories and arguments of servers begin. */
  cwd: string
  /**
   * What tools.lock.json accepts just now: nothing else is offered or called, and no server is started or addressed
   * whose entry was not accepted. Left out only by whoever accepts: then everything that is listed is taken.
   */
  lock?: (() => Lock | undefined) | undefined
  /** How far each server may reach, and what bounds it. */
  policy?: Policy | undefined
  /** The entries of mcp.json as written, which the lock is about. */
  written?: Record<string, unknown>
  /** Where accounts are kept; without it, servers that people connect to are refused. */
  vault?: Vault | undefined
  /** What signing in to a server goes through; held to where policy lets the server reach where it is left out. */
  fetchFor?: FetchFor
  log?: Log
}

/** Opens the tools of a home. Nothing is started before the first use. */
export function openTools(servers: Record<string, ToolServer>, options: ToolsOptions): Tools {
  const { lock, written = servers } = options
  const configOf = (name: string) => serverHash(name, written[name])
  const follow = openFollowing()
  const listeners = new Set<(server: string) => void>()
  const onResources = (server: string) => {
    for (const listener of listeners) listener(server)
  }
  const all = Object.entries(servers)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, server]) => prepare(name, server, { ...options, onResources }, configOf(name)))
  const isOpen = ({ name }: Served) => !lock || isAcceptedServer(lock(), name, configOf(name))
  const hold = (served: Served, tools: Accepted[]) => {
    const held = lock
      ? holdAgainst(lock(), served.name, configOf(served.name), tools)
      : { tools, withdrawn: [] }
    // Of the accepted ones: else a server could push them out with names of its own.
    return { tools: held.tools.slice(0, served.most), withdrawn: held.withdrawn }
  }
  const known = () =>
    unique(all.filter(isOpen).flatMap((served) => hold(served, askedTools(served) ?? served.pinned()).tools))

  const killAll = () => {
    for (const served of all) for (const connection of served.connections()) connection.kill()
  }
  process.on('exit', killAll)

  async function close(): Promise<void> {
    await Promise.all(all.map((served) => served.close()))
    process.off('exit', killAll)
  }

  /** A client of an accepted server; never with the account of one person, for what it gives is for others too. */
  async function connectedTo(name: string): Promise<Connection> {
    const served = all.find((one) => one.name === name && isOpen(one))
    if (served?.personal)
      throw new Fault(
        'tool-refused',
        `Everybody has an account of their own at ${name}, so it is not read for all.`,
      )
    const connection = await served?.lister(undefined)
    if (!connection)
      throw new Fault('tool-unreachable', `${name} is not an accepted server that can be asked.`)
    await connected(connection)
    return connection
  }

  /** What `read` gives, and what it throws in words, without the secrets of the server's environment. */
  async function offered<T>(name: string, read: (client: Client) => Promise<T>): Promise<T> {
    const connection = await connectedTo(name)
    try {
      return maskAll(await read((await connected(connection)).client), connection.mask)
    } catch (error) {
      if (error instanceof Fault) throw new Fault(error.code, connection.mask(error.message))
      throw new Error(connection.mask(error instanceof Error ? error.message : String(error)))
    }
  }

  return {
    async catalogue(workspace) {
      const open = all.filter(isOpen)
      const lists = await Promise.all(open.map((served) => listOf(served, workspace)))
      const tools = open.flatMap((served, i) => hold(served, lists[i] ?? []).tools)
      return unique(tools).map(({ definition: _, ...tool }) => tool)
    },

    async call(name, args, callOptions) {
      const { signal, person } = callOptions
      const work = find(all.filter(isOpen), name, person?.workspace, { known, unlocked: lock === undefined })
      const served = await unlessAborted(work, signal).catch((error: unknown) => {
        if (signal.aborted) return STOPPED_EARLY
        throw error
      })
      if (typeof served === 'string') return { outcome: 'failed', text: served, ms: 0 }
      // Whoever says nothing else expects what is accepted: the server may have become another one meanwhile.
      const expect = callOptions.expect ?? (lock && known().find((tool) => tool.name === name))
      if (lock && !expect) return { outcome: 'failed', text: `${name} is not accepted any more.`, ms: 0 }
      return callAt(served, name, args, { ...callOptions, ...(expect ? { expect } : {}) })
    },

    resources: (name) => ({
      list: () => offered(name, listResources),
      read: (uri) => offered(name, (client) => readResource(client, uri)),
      follow: (uris) => offered(name, (client) => follow(client, uris)),
    }),
    onResources(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async prompts() {
      const lists = await Promise.all(
        all.filter(isOpen).map(async ({ name }) => {
          const listed = await offered(name, listPrompts).catch(() => [])
          return listed.map((one) => ({ ...one, server: name }))
        }),
      )
      return lists.flat()
    },
    prompt: (server, name, args) => offered(server, (client) => readPrompt(client, name, args)),

    health: () => all.map((served) => served.health()),
    withdrawn: () =>
      all.flatMap((served) => {
        const asked = askedTools(served)
        return asked || !isOpen(served) ? hold(served, asked ?? []).withdrawn : []
      }),
    listed: () =>
      Promise.all(all.map(async (served) => ({ ...(await ask(served)), config: configOf(served.name) }))),
    close,
    [Symbol.asyncDispose]: close,
  }
}

type Preparing = ToolsOptions & { onResources: (server: string) => void }

function prepare(name: string, server: ToolServer, options: Preparing, config: string): Served {
  const {
    env,
    cwd,
    policy,
    lock,
    vault,
    onResources,
    fetchFor = guardedFor(policy),
    log = () => {},
  } = options
  const reach = policy ? reachOf(policy, name) : { limits: {} }
  return openServed(name, server, {
    ...{ env, cwd, reach, vault, log, onResources },
    fetchFor,
    pinned: () => pinnedTools(name, server, config, lock?.()),
  })
}

/** What signing in to each server goes through: held to where that server may reach. */
export function guardedFor(policy: Policy | undefined): FetchFor {
  return ({ name, url }) => {
    const egress = policy && reachOf(policy, name).egress
    const guard = { server: name, url, ...(egress ? { egress } : {}) }
    return guardedFetch(guard, { maxBytes: SIGN_IN_BYTES, timeoutMs: SIGN_IN_MS })
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
async function listOf(served: Served, workspace: string | undefined): Promise<Accepted[]> {
  const connection = await served.lister(workspace).catch(() => undefined)
  if (!connection) return served.pinned()
  return (await reachable(connection)) ? connection.tools : []
}

/**
 * What any connection of a server has last listed: one account may see tools that another one
 * does not. Undefined where none was asked yet.
 */
function askedTools(served: Served): Accepted[] | undefined {
  const asked = served.connections().filter((connection) => connection.asked)
  const tools = asked.flatMap((connection) => connection.tools)
  const different = new Map(tools.map((tool) => [`${tool.tool} ${tool.definitionHash}`, tool]))
  return asked.length > 0 ? [...different.values()] : undefined
}

async function ask(served: Served): Promise<Omit<Listing, 'config'>> {
  const server = served.name
  try {
    const connection = await served.lister(undefined)
    if (!connection) return { server, tools: [], why: 'nobody has connected an account to it' }
    if (await reachable(connection)) return { server, tools: connection.tools }
    return { server, tools: [], why: connection.why ?? 'it did not answer in time' }
  } catch (error) {
    return { server, tools: [], why: error instanceof Error ? error.message : String(error) }
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
  all: Served[],
  name: string,
  workspace: string | undefined,
  { known, unlocked }: { known: () => Accepted[]; unlocked: boolean },
): Promise<Served | string> {
  const owner = () => {
    const server = known().find((tool) => tool.name === name)?.server
    return all.find((served) => served.name === server)
  }
  const found = owner()
  if (found) return found
  const candidates = all.filter((served) => name.startsWith(`${served.name}__`))
  const failures = await Promise.all(candidates.map((served) => failureOf(served, workspace)))
  const why = failures.find((failure) => failure !== '')
  // Whoever is lent a connection to it will be told why there is none.
  const [only] = candidates
  const unseen = only && candidates.length === 1 && only.connections().length === 0 ? only : undefined
  return (
    owner() ??
    (unlocked ? unseen : undefined) ??
    why ??
    `There is no tool called ${JSON.stringify(name.slice(0, 200))}.`
  )
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

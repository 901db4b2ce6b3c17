/** One server of mcp.json: one connection for everybody, or one for each account that people connected. */
import { Fault } from '../core/fault.ts'
import type { ToolServer } from '../core/home.ts'
import type { Lock } from '../core/lock.ts'
import { type Accepted, acceptTools } from './accept.ts'
import { type FetchFor, type Holder, type SignIn, signIn, signInAsClient, type Vault } from './access.ts'
import { serverHash } from './bind.ts'
import type { Caller } from './call.ts'
import { type Connection, closeConnection, type Health, health, openConnection } from './connection.ts'
import { type OAuthServer, oauthServer } from './oauth.ts'

/** Connections to one server at most, and how long one rests before it is closed, in ms. */
const MOST = 64
const IDLE_MS = 10 * 60_000
const LOOK_MS = 60_000

/** A connection that is in use until it is given back. */
export type Lent = { connection: Connection; giveBack(): void }

export type Served = {
  readonly name: string
  /** Where its tools can be listed; undefined where nobody is connected. */
  lister(workspace: string | undefined): Promise<Connection | undefined>
  /** What a person accepted of its tools, for while nobody is connected. */
  pinned(): Accepted[]
  /** Whether each person uses an account of their own there. */
  readonly personal: boolean
  /** How many of its tools are offered at most. */
  readonly most: number | undefined
  /**
   * The connection for calls of this person; undefined where they must connect first.
   * @throws Fault with a sentence
   */
  lend(person: Caller | undefined): Promise<Lent | undefined>
  connections(): Connection[]
  health(): Health
  close(): Promise<void>
}

export type ServedOptions = Connection['options'] & {
  /** Undefined where no key is set: then servers that people connect to are refused. */
  vault?: Vault | undefined
  /** What signing in goes through. */
  fetchFor: FetchFor
  pinned: () => Accepted[]
}

/** Prepares a server; nothing is started before it is used. */
export function openServed(name: string, config: ToolServer, options: ServedOptions): Served {
  const people = 'url' in config && config.auth?.type === 'oauth'
  return people ? forAccounts(name, config, options) : forEverybody(name, config, options)
}

function forEverybody(name: string, config: ToolServer, options: ServedOptions): Served {
  const { fetchFor, pinned: _, ...rest } = options
  let signed: SignIn | undefined
  const connection = openConnection(name, config, {
    ...rest,
    signIn(expanded) {
      if (expanded.kind !== 'http' || expanded.auth?.type !== 'client_credentials') return undefined
      signed ??= signInAsClient(
        { name, url: expanded.url, auth: expanded.auth },
        fetchFor({ name, url: expanded.url }),
      )
      return signed
    },
  })
  return {
    name,
    pinned: () => [],
    personal: false,
    most: options.reach.limits.tools,
    lister: async () => connection,
    lend: async () => ({ connection, giveBack() {} }),
    connections: () => [connection],
    health: () => health(connection),
    close: () => closeConnection(connection),
  }
}

/** `account` is the Connect it was made for: after another one it may be another person there. */
type Open = { connection: Connection; account: string; lent: number; usedAt: number }

function forAccounts(name: string, config: ToolServer, options: ServedOptions): Served {
  const { vault, fetchFor, pinned, ...rest } = options
  const open = new Map<string, Open>()
  const anonymous = openConnection(name, config, { ...rest, log: () => {} })
  const keyOf = (holder: Holder) => JSON.stringify([holder.workspace, holder.person])
  const resting = setInterval(() => endIdle(IDLE_MS), LOOK_MS).unref()

  function drop(key: string): void {
    const found = open.get(key)
    open.delete(key)
    // A call that is under way ends first.
    if (found?.lent === 0) void closeConnection(found.connection)
  }
  function endIdle(ms: number): void {
    for (const [key, one] of open) if (one.lent === 0 && Date.now() - one.usedAt >= ms) drop(key)
  }
  function makeRoom(): void {
    if (open.size < MOST) return
    const idle = [...open].filter(([, one]) => one.lent === 0).sort(([, a], [, b]) => a.usedAt - b.usedAt)
    if (!idle[0])
      throw new Fault('tool-unreachable', `${name} is used by too many people just now.`, { retry: true })
    drop(idle[0][0])
  }
  function ready(): { server: OAuthServer; vault: Vault } {
    if (!vault)
      throw new Fault(
        'config-invalid',
        `${name} needs QUORUM_SECRET, which seals the accounts that people connect.`,
      )
    const server = oauthServer(name, config, options.env)
    if (!server)
      throw new Fault(
        'config-invalid',
        `${name} is not set up completely: a variable that mcp.json names is not set.`,
      )
    return { server, vault }
  }
  async function openFor(holder: Holder): Promise<Open | undefined> {
    const { server, vault: accounts } = ready()
    const account = await accounts.load(server, holder)
    const key = keyOf(holder)
    const known = open.get(key)
    if (known && known.account !== account?.id) drop(key)
    if (account?.state !== 'connected') return undefined
    const kept = open.get(key)
    if (kept) return kept
    makeRoom()
    const signed = signIn(server, accounts, holder, fetchFor(server))
    const connection = openConnection(name, config, { ...rest, signIn: () => signed })
    const made = { connection, account: account.id, lent: 0, usedAt: Date.now() }
    open.set(key, made)
    return made
  }
  async function someone(workspace: string | undefined): Promise<Open | undefined> {
    const { server, vault: accounts } = ready()
    for (const holder of await accounts.holders(server, workspace)) {
      const found = await openFor(holder).catch(() => undefined)
      if (found) return found
    }
    return undefined
  }

  return {
    name,
    pinned,
    personal: 'auth' in config && config.auth?.type === 'oauth' && config.auth.per === 'user',
    most: options.reach.limits.tools,
    async lister(workspace) {
      const found = vault && (await someone(workspace))
      // Some servers list their tools to everybody.
      return found?.connection ?? (pinned().length > 0 ? undefined : anonymous)
    },
    async lend(person) {
      const shared = 'auth' in config && config.auth?.type === 'oauth' && config.auth.per === 'workspace'
      const found =
        person && (await openFor({ workspace: person.workspace, person: shared ? '' : person.user }))
      if (!found) return undefined
      found.lent++
      return {
        connection: found.connection,
        giveBack() {
          found.lent--
          found.usedAt = Date.now()
          if (found.lent === 0 && ![...open.values()].includes(found)) void closeConnection(found.connection)
        },
      }
    },
    connections: () => [...open.values()].map((one) => one.connection),
    health() {
      const all = [...open.values()].map((one) => health(one.connection))
      const best = all.find((one) => one.state === 'ready') ?? all.at(-1)
      if (best) return best
      const none = health(anonymous)
      if (!vault) return { ...none, state: 'failed', why: 'QUORUM_SECRET is not set' }
      return { ...none, tools: pinned().length }
    },
    async close() {
      clearInterval(resting)
      const all = [anonymous, ...[...open.values()].map((one) => one.connection)]
      open.clear()
      await Promise.all(all.map(closeConnection))
    },
  }
}

/** The tools as they were accepted, where the server is still the one they were accepted of. */
export function pinnedTools(
  name: string,
  server: ToolServer,
  config: string,
  lock: Lock | undefined,
): Accepted[] {
  const found = lock && Object.hasOwn(lock.servers, name) ? lock.servers[name] : undefined
  if (!found || found.config !== config) return []
  const definitions = Object.entries(found.tools).map(([tool, pin]) => ({ name: tool, ...pin.definition }))
  return acceptTools(name, serverHash(name, server), definitions as Parameters<typeof acceptTools>[2]).tools
}

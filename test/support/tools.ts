/** Tool servers for tests. */
import { fileURLToPath } from 'node:url'
import { ToolServer } from '../../src/core/home.ts'
import type { Lock } from '../../src/core/lock.ts'
import { serverHash } from '../../src/tools/bind.ts'
import { openTools, type Tools } from '../../src/tools/open.ts'
import { acceptInto } from '../../src/tools/pins.ts'

/** The configuration of the misbehaving server; its options are explained in servers/hostile.ts. */
export function hostile(...args: string[]): ToolServer {
  return ours(import.meta.resolve('./servers/hostile.ts'), args)
}

/** The configuration of a well-behaved server of the present protocol. */
export function modern(): ToolServer {
  return ours(import.meta.resolve('./servers/modern.ts'), [])
}

/** The configuration of a server of the older protocol with resources to subscribe to. */
export function shelf(): ToolServer {
  return ours(import.meta.resolve('./servers/shelf.ts'), [])
}

function ours(script: string, args: string[]): ToolServer {
  return ToolServer.parse({ command: process.execPath, args: [fileURLToPath(script), ...args] })
}

/** The configuration of a server from npm, run with this very Node. */
export function packaged(name: string, args: string[] = [], env: Record<string, string> = {}): ToolServer {
  const script = fileURLToPath(import.meta.resolve(`${name}/dist/index.js`))
  return ToolServer.parse({ command: process.execPath, args: [script, ...args], env })
}

/** Opens tools in the present directory and environment, and remembers what was logged. */
export function openTestTools(
  servers: Record<string, ToolServer>,
  options: Partial<Parameters<typeof openTools>[1]> = {},
): Tools & { lines: string[] } {
  const lines: string[] = []
  const log = (level: string, message: string, fields?: unknown) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
  return Object.assign(openTools(servers, { env: process.env, cwd: process.cwd(), log, ...options }), {
    lines,
  })
}

const accepted = new Map<string, Promise<Lock>>()

/**
 * Everything these servers list, accepted as `quorum tools accept --all` does it; listed once a process.
 * `written` are their entries as mcp.json has them.
 */
export function acceptAll(
  servers: Record<string, ToolServer>,
  written: Record<string, unknown> = servers,
): Promise<Lock> {
  const key = JSON.stringify([servers, written])
  const known = accepted.get(key) ?? acceptOnce(servers, written)
  accepted.set(key, known)
  return known
}

async function acceptOnce(
  servers: Record<string, ToolServer>,
  written: Record<string, unknown>,
): Promise<Lock> {
  await using tools = openTools(servers, { env: process.env, cwd: process.cwd(), written })
  let lock: Lock = { version: 1, servers: {} }
  for (const { server, config, tools: listed, why } of await tools.listed()) {
    if (why) throw new Error(`${server}: ${why}`)
    lock = acceptInto(lock, server, config, listed)
  }
  return lock
}

/** What a server lists to an account of ours, accepted for `entry`, which people connect their own accounts to. */
export async function acceptAs(
  name: string,
  account: { url: string; clientId: string; clientSecret: string },
  entry: ToolServer,
): Promise<Lock> {
  const { url, clientId, clientSecret } = account
  const auth = { type: 'client_credentials', clientId, clientSecret: `\${ACCOUNT_SECRET}` }
  const env = { ACCOUNT_SECRET: clientSecret }
  await using tools = openTools({ [name]: ToolServer.parse({ url, auth }) }, { env, cwd: process.cwd() })
  const [listing] = await tools.listed()
  if (!listing || listing.why) throw new Error(listing?.why ?? 'nothing is listed')
  return acceptInto(undefined, name, serverHash(name, entry), listing.tools)
}

/** Calls a tool and gives the outcome. */
export function call(tools: Tools, name: string, args: unknown = {}, timeoutMs = 20_000) {
  return tools.call(name, args, { signal: new AbortController().signal, timeoutMs })
}

/** Looks again until `probe` is true. */
export async function until(probe: () => boolean, ms = 10_000): Promise<void> {
  const end = Date.now() + ms
  while (!probe()) {
    if (Date.now() > end) throw new Error(`still not true after ${ms} ms: ${probe}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Whether a process exists; one that ended and was not collected yet does. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

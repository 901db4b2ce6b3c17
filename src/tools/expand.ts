/** `${NAME}` in a server's configuration, and the secrets that come in with it. */
import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { Fault } from '../core/fault.ts'
import type { ToolAuth, ToolServer } from '../core/home.ts'
import { sandboxed } from './sandbox.ts'

type CommandServer = Extract<ToolServer, { command: string }>

export type Environment = Record<string, string | undefined>

/** What of our own environment a child process may see; everything else must be named in its `env`. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR']

/** A server's configuration ready for use; `mask` hides the values that came from the environment. */
export type Expanded = { mask: (text: string) => string } & (
  | { kind: 'stdio'; command: string; args: string[]; cwd: string; env: Record<string, string> }
  | { kind: 'http'; url: URL; headers: Record<string, string>; auth?: ToolAuth | undefined }
)

/** Names whose values are secrets however short; other values count as secrets from 16 characters on. */
const SECRET_NAME = /key|token|secret|pass|auth|cred/i

/**
 * Puts the environment's values in place of `${NAME}`. Values that look like secrets and reach the server
 * through its environment, its headers or its sign-in are replaced by `***` in what `mask` is given.
 *
 * @param cwd where relative directories of a server begin
 * @param allowed the only names its process may see; left out, those of its `env` and a few of ours
 * @throws Fault config-invalid naming every variable that is not set
 */
export function expandServer(
  server: ToolServer,
  env: Environment,
  cwd: string,
  allowed?: readonly string[],
): Expanded {
  const missing = new Set<string>()
  const secrets = new Set<string>()

  function expand(text: string, secret = false): string {
    return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const value = env[name]
      if (value === undefined || value === '') missing.add(name)
      else if (secret && isSecret(name, value)) secrets.add(value)
      return value ?? ''
    })
  }
  function expandAll(values: Record<string, string>): Record<string, string> {
    return Object.fromEntries(Object.entries(values).map(([name, text]) => [name, expand(text, true)]))
  }
  function expandCommand(given: CommandServer): { command: string; args: string[]; cwd: string } {
    const { sandbox } = given
    const place = resolve(cwd, expand(given.cwd ?? '.'))
    const run = { command: expand(given.command), args: given.args.map((arg) => expand(arg)), cwd: place }
    if (!sandbox) return run
    const bounds = sandbox === true ? { write: [], network: false } : sandbox
    const write = bounds.write.map((dir) => resolve(cwd, expand(dir)))
    return { ...run, ...sandboxed(run, { ...bounds, write }, env.PATH) }
  }
  function expandAuth(auth: ToolAuth): ToolAuth {
    const { clientId, clientSecret } = auth
    return {
      ...auth,
      ...(clientId ? { clientId: expand(clientId) } : {}),
      ...(clientSecret ? { clientSecret: expand(clientSecret, true) } : {}),
    } as ToolAuth
  }
  function mask(text: string): string {
    return [...secrets].sort((a, b) => b.length - a.length).reduce((t, s) => t.replaceAll(s, '***'), text)
  }

  const expanded: Expanded =
    'command' in server
      ? {
          mask,
          kind: 'stdio',
          ...expandCommand(server),
          env: only({ ...inherited(env), ...expandAll(server.env) }, allowed),
        }
      : {
          mask,
          kind: 'http',
          url: new URL(expand(server.url)),
          headers: expandAll(server.headers),
          auth: server.auth && expandAuth(server.auth),
        }
  if (missing.size > 0) {
    throw new Fault('config-invalid', `not set in the environment: ${[...missing].join(', ')}`)
  }
  return expanded
}

function inherited(env: Environment): Record<string, string> {
  return Object.fromEntries(INHERITED.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
}

function only(
  values: Record<string, string>,
  allowed: readonly string[] | undefined,
): Record<string, string> {
  if (!allowed) return values
  return Object.fromEntries(Object.entries(values).filter(([name]) => allowed.includes(name)))
}

function isSecret(name: string, value: string): boolean {
  if (value.length < 6 || (isAbsolute(value) && existsSync(value))) return false
  return SECRET_NAME.test(name) || value.length >= 16
}

/** How one server is reached: the client, its key and headers, and the words that must never be repeated. */
import OpenAI, { type ClientOptions } from 'openai'
import { Agent, fetch } from 'undici'
import { Fault } from '../core/fault.ts'

/** The environment, or whatever stands for it. */
export type Names = Record<string, string | undefined>

/** A line of the log; rooms write through this so that none depends on a logger. */
export type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: object) => void

export type Endpoint = {
  client: OpenAI
  /** Keys and header values: scrubbed from every sentence that leaves the room. */
  secrets: string[]
  /** Asks for a page of the server itself, beside its API: `/metrics`, `/health`. Throws where it cannot be reached. */
  get(path: string, ms: number): Promise<{ status: number; text: string }>
  post(path: string, body: object, ms: number): Promise<{ status: number; text: string }>
}

/** Keys shorter than this are placeholders such as `none`; scrubbing them would only garble sentences. */
const SHORTEST_SECRET = 6

/**
 * Opens a client for one OpenAI-compatible server.
 *
 * `key` is the name of an environment variable; `headers` may hold `${NAME}`. Nothing is retried and nothing
 * times out by itself: both are the caller's. Redirects are not followed, so that no key leaves for another host.
 *
 * @throws Fault `config-invalid` when a named variable is not set or the address holds a password
 */
export function openEndpoint(
  at: { url: string; key?: string | undefined; headers?: Record<string, string> | undefined },
  env: Names,
): Endpoint {
  const address = new URL(at.url)
  if (address.username || address.password)
    throw new Fault('config-invalid', 'models.yaml: write credentials as key or headers, not in the address')
  const key = at.key === undefined ? undefined : named(at.key, env)
  const headers = Object.fromEntries(
    Object.entries(at.headers ?? {}).map(([name, value]) => [name, expand(value, env)]),
  )
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 10_000 } })
  const client = new OpenAI({
    baseURL: at.url.replace(/\/+($|\?)/, '$1'),
    apiKey: key ?? 'none',
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: 2_147_483_647,
    logLevel: 'off',
    defaultHeaders: { ...(key === undefined ? { authorization: null } : {}), ...headers },
    fetch: fetch as unknown as typeof globalThis.fetch,
    fetchOptions: { dispatcher, redirect: 'manual' } as unknown as NonNullable<ClientOptions['fetchOptions']>,
  })
  const secrets = [key, ...Object.values(headers)].filter((value) => value !== undefined)
  const send = async (path: string, ms: number, body?: object) => {
    const response = await fetch(new URL(`${address.pathname.replace(/\/+(v1\/*)?$/, '')}${path}`, address), {
      method: body ? 'POST' : 'GET',
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(ms),
      redirect: 'manual',
      dispatcher,
    })
    return { status: response.status, text: await response.text() }
  }
  return {
    client,
    secrets: secrets.filter((value) => value.length >= SHORTEST_SECRET),
    get: (path, ms) => send(path, ms),
    post: (path, body, ms) => send(path, ms, body),
  }
}

function expand(value: string, env: Names): string {
  return value.replace(/\$\{(\w+)\}/g, (_, name: string) => named(name, env))
}

function named(name: string, env: Names): string {
  const value = env[name]
  if (!value)
    throw new Fault('config-invalid', `models.yaml names ${name}, which is not set in the environment`)
  return value.trim()
}

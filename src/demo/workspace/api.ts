/** The Web API: authorises, misbehaves where told to, runs the method, and keeps a list of the calls. */
import { setTimeout as pause } from 'node:timers/promises'
import { type App, type Install, installOf } from './app.ts'
import { CHAT_METHODS } from './chat-methods.ts'
import { CONVERSATION_METHODS } from './conversation-methods.ts'
import { FILE_METHODS } from './file-methods.ts'
import { GROUP_METHODS } from './group-methods.ts'
import type { Hub } from './hub.ts'
import { type Method, Refusal } from './method.ts'
import type { Breakage, createTiers, Faults } from './misbehave.ts'
import { OAUTH_METHODS } from './oauth-methods.ts'
import { SESSION_METHODS } from './sessions.ts'
import { STREAM_METHODS } from './stream.ts'
import { TEAM_METHODS } from './team-methods.ts'
import { VIEW_METHODS } from './view-methods.ts'
import type { Json } from './world.ts'

/** One call of the Web API. `at` is milliseconds of the clock; arguments are as parsed, without the token. */
export type Call = { method: string; at: number; args: Json; ok: boolean; error?: string }

export type ApiRequest = {
  method: string
  authorization: string | undefined
  contentType: string
  body: string
}
type ApiAnswer = { status: number; headers: Record<string, string>; body: Json; cut?: boolean }

export type Api = { calls: Call[]; call(request: ApiRequest): Promise<ApiAnswer> }

const METHODS: Record<string, Method> = {
  ...CHAT_METHODS,
  ...STREAM_METHODS,
  ...CONVERSATION_METHODS,
  ...TEAM_METHODS,
  ...GROUP_METHODS,
  ...VIEW_METHODS,
  ...FILE_METHODS,
  ...SESSION_METHODS,
  ...OAUTH_METHODS,
}

const KEPT = 50_000

/** @param tiers absent: no limits but the ones asked for */
export function createApi(
  hub: Hub,
  faults: Faults,
  tiers: ReturnType<typeof createTiers> | undefined,
  changed: () => void,
): Api {
  const calls: Call[] = []

  function record(call: Call): void {
    calls.push(call)
    if (calls.length > KEPT) calls.shift()
    changed()
  }

  function run(
    name: string,
    args: Json,
    token: string | undefined,
    due: ReturnType<Faults['take']>,
  ): ApiAnswer {
    const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined
    const wait = due.limit ?? (method && tiers?.(name, method.tier, args))
    if (wait !== undefined) return limited(wait)
    const scopes = scopesOf(hub.app, token)
    try {
      if (!method) throw new Refusal('unknown_method', { req_method: name })
      if (!method.open) authorise(hub, method, args, token)
      if (due.refuse !== undefined) throw new Refusal(due.refuse)
      return answer(scopes, { ok: true, ...method.run(hub, args, token ?? '') })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return answer(scopes, { ok: false, error: error.error, ...error.extra })
    }
  }

  return {
    calls,
    async call(request) {
      const { method } = request
      const at = Date.now()
      const due = faults.take(method)
      const { parsed, args, token } = readRequest(request)
      let result = breakage(due.broken)
      if (!result || due.broken === 'lost') {
        const ran = parsed
          ? run(method, args, token, due)
          : answer([], { ok: false, error: 'invalid_form_data' })
        result ??= { ...ran, cut: due.broken === 'lost' }
      }
      const ok = result.body.ok === true && !result.cut
      record({ method, at, args, ok, ...(ok ? {} : { error: String(result.body.error ?? due.broken) }) })
      if (due.slow !== undefined) await pause(due.slow)
      return result
    },
  }
}

function breakage(broken: Breakage | undefined): ApiAnswer | undefined {
  if (broken === undefined || broken === 'lost') return undefined
  if (broken === 'reset') return { status: 200, headers: {}, body: {}, cut: true }
  return { status: 500, headers: {}, body: { ok: false, error: 'internal_error' } }
}

function limited(seconds: number): ApiAnswer {
  return {
    status: 429,
    headers: { 'retry-after': String(seconds) },
    body: { ok: false, error: 'ratelimited' },
  }
}

/** The token of a request, and its arguments without it; `parsed` is undefined where the body cannot be read. */
export function readRequest(request: Pick<ApiRequest, 'authorization' | 'contentType' | 'body'>): {
  parsed: Json | undefined
  args: Json
  token: string | undefined
} {
  const parsed = parseArgs(request.contentType, request.body)
  const { token: inBody, ...args } = parsed ?? {}
  const token =
    /^Bearer (.+)$/i.exec(request.authorization ?? '')?.[1] ?? (inBody ? String(inBody) : undefined)
  return { parsed, args, token }
}

function answer(scopes: readonly string[], body: Json): ApiAnswer {
  return { status: 200, headers: { 'x-oauth-scopes': scopes.join(',') }, body }
}

function scopesOf(app: App, token: string | undefined): readonly string[] {
  const held = token === undefined ? { refused: '' } : installOf(app, token)
  return 'refused' in held ? [] : held.scopes
}

function authorise(hub: Hub, method: Method, args: Json, token: string | undefined): void {
  if (token === undefined) throw new Refusal('not_authed')
  const byApp = token === hub.app.appToken
  const held = byApp ? undefined : installOf(hub.app, token)
  if (held && 'refused' in held) throw new Refusal(held.refused)
  if (byApp !== (method.appToken === true)) throw new Refusal('not_allowed_token_type')
  if (held) authoriseBot(hub, method, args, held)
}

function authoriseBot(hub: Hub, method: Method, args: Json, { org, teams, scopes }: Install): void {
  const team = args.team_id
  if (org && method.needsTeam && !team) throw new Refusal('missing_argument')
  if (org && team && ![...teams].some(({ world }) => world.team.id === team))
    throw new Refusal('team_access_not_granted')
  const needed = typeof method.scope === 'function' ? method.scope(hub, args) : method.scope
  if (needed !== undefined && !scopes.includes(needed))
    throw new Refusal('missing_scope', { needed, provided: scopes.join(',') })
}

const STRUCTURED = ['blocks', 'attachments', 'metadata', 'view', 'chunks', 'files', 'message', 'prompts']

/** The arguments of a form or JSON body, JSON inside a form unpacked; undefined when it cannot be read. */
function parseArgs(contentType: string, body: string): Json | undefined {
  if (contentType.startsWith('application/json')) return parseJson(body)
  const args: Json = Object.fromEntries(new URLSearchParams(body))
  for (const name of STRUCTURED) {
    const value = args[name]
    if (typeof value !== 'string' || value === '') continue
    try {
      args[name] = JSON.parse(value)
    } catch {
      // Left as the text it is: the method refuses it in its own words.
    }
  }
  return args
}

function parseJson(body: string): Json | undefined {
  if (body.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
  } catch {
    return undefined
  }
}

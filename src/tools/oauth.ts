/**
 * OAuth 2.1 with an MCP server, as plain values: what a browser must open, what waits for its answer, what came of
 * it. Everything goes through a `fetch` of the caller's, which decides where we may go.
 */
import { randomBytes } from 'node:crypto'
import {
  auth,
  discoverOAuthServerInfo,
  extractWWWAuthenticateParams,
  type FetchLike,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  OAuthError,
  refreshAuthorization,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
} from '@modelcontextprotocol/client'
import { Fault } from '../core/fault.ts'
import type { ToolAuth, ToolServer } from '../core/home.ts'
import { type Environment, expandServer } from './expand.ts'
import { quiet } from './quiet.ts'
import { joinScopes, readScopes } from './scopes.ts'

/** A server that people connect to, its `${NAME}`s expanded. */
export type OAuthServer = { name: string; url: URL; auth: Extract<ToolAuth, { type: 'oauth' }> }

/** A server of mcp.json that people connect to; undefined for any other, and where its settings are incomplete. */
export function oauthServer(name: string, config: ToolServer, env: Environment): OAuthServer | undefined {
  if (!('url' in config) || config.auth?.type !== 'oauth') return undefined
  try {
    const expanded = expandServer(config, env, '.')
    if (expanded.kind !== 'http' || expanded.auth?.type !== 'oauth') return undefined
    return { name, url: expanded.url, auth: expanded.auth }
  } catch {
    return undefined
  }
}

/** What we are called there, where the server itself gave us the name. */
export type Registered = StoredOAuthClientInformation

/** What must be kept until the browser comes back. All of it is secret. */
export type Pending = {
  state: string
  verifier: string
  redirect: string
  discovery: OAuthDiscoveryState
  client: Registered
  /** The permissions that were asked for. */
  scopes: string[]
}

/** An account that was connected: its tokens, and what renewing and revoking them needs. All of it is secret. */
export type Grant = {
  tokens: StoredOAuthTokens
  /** When it was given and how long it lives, in ms; undefined where the server does not say. */
  at: number
  livesMs: number | undefined
  discovery: OAuthDiscoveryState
  client: Registered
  /** The permissions that were asked for; the server may have given fewer. */
  scopes?: string[]
}

/**
 * Begins: finds the authorization server, registers us where that is needed, and says what the browser must open.
 *
 * @param options.known what we are called there, from a time before
 * @param options.scopes permissions to ask for beside what the server says it needs
 * @throws Fault tool-refused or tool-unreachable, with a sentence for the person
 */
export async function beginAuthorization(
  server: OAuthServer,
  options: { redirect: string; known?: Registered | undefined; scopes?: readonly string[]; fetch: FetchLike },
): Promise<{ address: URL; pending: Pending; registered?: Registered }> {
  const fetch = quiet(options.fetch)
  const kept: Kept = { client: clientOf(server, options.known) }
  let address: URL | undefined
  const provider = providerOver(server, options.redirect, kept, (url) => {
    address = url
  })
  return plainly(server.name, async () => {
    const challenge = await askForChallenge(server, fetch)
    await auth(provider, {
      serverUrl: server.url,
      fetchFn: fetch,
      ...(challenge.resourceMetadataUrl ? { resourceMetadataUrl: challenge.resourceMetadataUrl } : {}),
      ...scopeOf(server, challenge.scope, options.scopes),
    })
    const { state, verifier, discovery, client } = kept
    if (!address || !state || !verifier || !discovery || !client)
      throw new Error('it did not say where to sign in')
    mustBeExpected(server, discovery)
    mustBeSafe(address)
    const scopes = readScopes(address.searchParams.get('scope') ?? undefined)
    const own = client.client_id !== options.known?.client_id && !server.auth.clientId
    return {
      address,
      pending: { state, verifier, redirect: options.redirect, discovery, client, scopes },
      ...(own ? { registered: client } : {}),
    }
  })
}

/**
 * Exchanges the code that the browser brought. `iss` is the answer's own word for who gave it (RFC 9207).
 * @throws Fault tool-refused or tool-unreachable, with a sentence for the person
 */
export async function finishAuthorization(
  server: OAuthServer,
  pending: Pending,
  answer: { code: string; iss?: string | undefined },
  fetch: FetchLike,
): Promise<Grant> {
  const { verifier, discovery, client } = pending
  const kept: Kept = { verifier, discovery, client }
  return plainly(server.name, async () => {
    mustBeExpected(server, discovery)
    await auth(providerOver(server, pending.redirect, kept), {
      serverUrl: server.url,
      authorizationCode: answer.code,
      ...(answer.iss === undefined ? {} : { iss: answer.iss }),
      fetchFn: quiet(fetch),
    })
    if (!kept.tokens) throw new Error('it gave no token')
    return { ...grantOf(kept.tokens, discovery, client), scopes: pending.scopes }
  })
}

/**
 * The next tokens. `reconnect`: the server gives none without the person.
 *
 * @param options.anew find the authorization server again first: it refused a token that should be good
 * @throws Fault tool-unreachable where it may be tried again
 */
export async function refreshGrant(
  server: OAuthServer,
  grant: Grant,
  options: { anew: boolean; fetch: FetchLike },
): Promise<Grant | 'reconnect'> {
  const refreshToken = grant.tokens.refresh_token
  if (!refreshToken) return 'reconnect'
  const fetchFn = quiet(options.fetch)
  try {
    const discovery = options.anew
      ? await discoverOAuthServerInfo(server.url, {
          fetchFn,
          ...(grant.discovery.resourceMetadataUrl
            ? { resourceMetadataUrl: new URL(grant.discovery.resourceMetadataUrl) }
            : {}),
        })
      : grant.discovery
    mustBeExpected(server, discovery)
    // Another authorization server than the one that gave the token must never see it.
    if (issuerOf(discovery) !== issuerOf(grant.discovery)) return 'reconnect'
    const metadata = discovery.authorizationServerMetadata
    const resource = discovery.resourceMetadata?.resource
    const tokens = await refreshAuthorization(discovery.authorizationServerUrl, {
      ...(metadata ? { metadata } : {}),
      clientInformation: grant.client,
      refreshToken,
      ...(resource ? { resource: new URL(resource) } : {}),
      fetchFn,
    })
    const kept = { ...tokens, issuer: issuerOf(discovery), scope: tokens.scope ?? grant.tokens.scope }
    const next = grantOf(kept, { ...grant.discovery, ...discovery }, grant.client)
    return grant.scopes ? { ...next, scopes: grant.scopes } : next
  } catch (error) {
    if (error instanceof OAuthError && FINAL.has(error.code)) return 'reconnect'
    const why = `${server.name} could not renew its sign-in just now`
    throw new Fault('tool-unreachable', why, { retry: true, cause: error })
  }
}

/** Tells the authorization server, where it can be told, that the tokens are not wanted any more. Never fails. */
export async function revokeGrant(server: OAuthServer, grant: Grant, fetch: FetchLike): Promise<boolean> {
  const { revocation_endpoint: endpoint } = (grant.discovery.authorizationServerMetadata ?? {}) as {
    revocation_endpoint?: unknown
  }
  if (typeof endpoint !== 'string') return false
  const { client_id: id, client_secret: secret } = {
    client_secret: server.auth.clientSecret,
    ...grant.client,
  }
  const token = grant.tokens.refresh_token ?? grant.tokens.access_token
  const hint = grant.tokens.refresh_token ? 'refresh_token' : 'access_token'
  const basic = Buffer.from([id, secret ?? ''].map(encodeURIComponent).join(':')).toString('base64')
  try {
    const answer = await quiet(fetch)(endpoint, {
      method: 'POST',
      redirect: 'error',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(secret ? { authorization: `Basic ${basic}` } : {}),
      },
      body: new URLSearchParams({ token, token_type_hint: hint, ...(secret ? {} : { client_id: id }) }),
    })
    await answer.body?.cancel()
    return answer.ok
  } catch {
    return false
  }
}

/** Whether a token should be renewed before it is used: a minute before its end, or a tenth of a short life. */
export function isOld(grant: Grant, now: number): boolean {
  if (grant.livesMs === undefined) return false
  return now > grant.at + grant.livesMs - Math.min(60_000, grant.livesMs / 10)
}

/** A server's word that the person must begin anew. */
const FINAL = new Set(['invalid_grant', 'invalid_client', 'unauthorized_client', 'invalid_scope'])

/** What one way through the library's `auth` reads and writes. */
type Kept = {
  state?: string
  verifier?: string
  discovery?: OAuthDiscoveryState
  client?: Registered | undefined
  tokens?: StoredOAuthTokens
}

function providerOver(
  server: OAuthServer,
  redirect: string,
  kept: Kept,
  open: (address: URL) => void = () => {},
): OAuthClientProvider {
  const { clientSecret, clientMetadataUrl } = server.auth
  return {
    redirectUrl: redirect,
    ...(clientMetadataUrl ? { clientMetadataUrl } : {}),
    clientMetadata: {
      client_name: 'Quorum',
      redirect_uris: [redirect],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...(clientSecret ? {} : { token_endpoint_auth_method: 'none' }),
      ...scopeOf(server),
    },
    state: () => {
      kept.state = randomBytes(32).toString('base64url')
      return kept.state
    },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => void Object.assign(kept, { client }),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void Object.assign(kept, { tokens }),
    redirectToAuthorization: open,
    saveCodeVerifier: (verifier) => void Object.assign(kept, { verifier }),
    codeVerifier: () => kept.verifier ?? '',
    saveDiscoveryState: (discovery) => void Object.assign(kept, { discovery }),
    discoveryState: () => kept.discovery,
  }
}

function clientOf(server: OAuthServer, known: Registered | undefined): Registered | undefined {
  const { clientId, clientSecret, issuer } = server.auth
  if (!clientId) return known
  return {
    client_id: clientId,
    ...(clientSecret ? { client_secret: clientSecret } : {}),
    ...(issuer ? { issuer } : {}),
  }
}

/** What mcp.json asks for, and never more; else what the server itself says it needs, and what it asked for since. */
function scopeOf(server: OAuthServer, wanted?: string, more: readonly string[] = []): { scope?: string } {
  const { scopes } = server.auth
  const scope = (scopes.length > 0 ? scopes : joinScopes(wanted?.split(' ') ?? [], more)).join(' ')
  return scope ? { scope } : {}
}

/** Asks the server once without a token: it says where its description is, and which scopes it wants. */
async function askForChallenge(server: OAuthServer, fetch: FetchLike) {
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'quorum', version: '1' },
  }
  const answer = await fetch(server.url, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }),
  })
  await answer.body?.cancel()
  return extractWWWAuthenticateParams(answer)
}

function grantOf(tokens: StoredOAuthTokens, discovery: OAuthDiscoveryState, client: Registered): Grant {
  if (!/^bearer$/i.test(tokens.token_type)) throw new Error('it gave a kind of token that cannot be used')
  const livesMs = tokens.expires_in === undefined ? undefined : tokens.expires_in * 1000
  return { tokens, at: Date.now(), livesMs, discovery, client }
}

function issuerOf(discovery: OAuthDiscoveryState): string {
  return discovery.authorizationServerMetadata?.issuer ?? String(discovery.authorizationServerUrl)
}

function mustBeExpected(server: OAuthServer, discovery: OAuthDiscoveryState): void {
  const { issuer } = server.auth
  const same = (a: string, b: string) => a.replace(/\/$/, '') === b.replace(/\/$/, '')
  if (issuer && !same(issuer, issuerOf(discovery)))
    throw new Error('it names another authorization server than mcp.json')
}

/** A person's browser is sent there: never to a script, and in the clear only on this very machine. */
function mustBeSafe({ protocol, hostname, username }: URL): void {
  const here = ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
  if ((protocol !== 'https:' && !(protocol === 'http:' && here)) || username !== '')
    throw new Error('the address of its sign-in page is not safe to open')
}

/** Errors of the library as one sentence for people; what a stranger's server wrote stays out of it. */
async function plainly<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('tool-refused', `${name} could not be connected: ${wordsFor(error)}.`, { cause: error })
  }
}

function wordsFor(error: unknown): string {
  if (error instanceof OAuthError) {
    const code = /^[a-z_]{1,40}$/.test(error.code) ? error.code : 'an unknown error'
    return `its authorization server answered ${code}`
  }
  const { name, message } = error instanceof Error ? error : { name: '', message: '' }
  if (/Issuer|AuthorizationServerMismatch/.test(name))
    return 'the answer came from another authorization server than the one that was asked'
  if (/larger than/.test(message)) return message
  if (/TimeoutError/.test(name)) return 'it did not answer in time'
  if (/fetch failed/.test(message)) return 'its authorization server cannot be reached'
  const ours = /^it (did|gave|names)|^the address of/.test(message)
  return ours ? message : 'its authorization server does not do what OAuth 2.1 asks for'
}

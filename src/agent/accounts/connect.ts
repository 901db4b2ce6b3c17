/** Connecting accounts to tool servers: what App Home shows, the way through a browser, and the way back. */
import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { Fault } from '../../core/fault.ts'
import type { ToolServer } from '../../core/home.ts'
import { connectMessage } from '../../slack/blocks/connect.ts'
import { sayMessage } from '../../slack/blocks/say.ts'
import type { Speak } from '../../slack/speak.ts'
import {
  createTicket,
  dropRegistration,
  finishPending,
  pruneConnects,
  readPending,
  readRegistration,
  readTicket,
  saveRegistration,
  type Ticket,
  takeTicket,
} from '../../store/connects.ts'
import { type Place, readCredential } from '../../store/credentials.ts'
import type { Run } from '../../store/runs.ts'
import type { Seal } from '../../store/seal.ts'
import type { FetchFor } from '../../tools/access.ts'
import type { Environment } from '../../tools/expand.ts'
import {
  beginAuthorization,
  finishAuthorization,
  type OAuthServer,
  oauthServer,
  type Pending,
  type Registered,
} from '../../tools/oauth.ts'
import { joinScopes, readScopes } from '../../tools/scopes.ts'
import { type PrivateContext, tellAlone } from '../private.ts'
import { type Mouth, sayForSure } from '../say.ts'
import { keepGrant, openAccount, placeOf } from './vault.ts'

/** A link, and the page of the authorization server, may wait so long for the person, in ms. */
const PATIENCE_MS = 10 * 60_000

export type ConnectContext = {
  pool: pg.Pool
  servers: Record<string, ToolServer>
  env: Environment
  /** Undefined where no key is set: then nobody can connect. */
  seal: Seal | undefined
  /** Where browsers reach us, without a slash at the end. */
  base: () => string
  /** Whether a person may connect and disconnect what everybody uses. */
  isAdmin: (who: { workspace: string; user: string }) => boolean | Promise<boolean>
  /** For everything that is sent on the way. */
  fetchFor: FetchFor
  log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void
}

export type Connected = {
  server: string
  title: string
  per: 'user' | 'workspace'
  state: 'connected' | 'not-connected' | 'expired'
  /** A fresh link for this very person; it may be used once. */
  url?: string
}

/** What a person can connect, and what they have: theirs, and for administrators what everybody uses. */
export async function connectionsOf(
  context: Pick<ConnectContext, 'pool' | 'servers' | 'env' | 'seal' | 'base' | 'isAdmin'>,
  who: { workspace: string; user: string },
): Promise<Connected[]> {
  await pruneConnects(context.pool)
  const found: Connected[] = []
  for (const name of Object.keys(context.servers).sort()) {
    const server = findServer(context, name)
    if (!server) continue
    const { per } = server.auth
    if (per === 'workspace' && !(await context.isAdmin(who))) continue
    const place = placeOf(server, { workspace: who.workspace, person: per === 'user' ? who.user : '' })
    const state = (await readCredential(context.pool, place))?.state ?? 'not-connected'
    const url = context.seal && (await offerLink(context, place, who.user))
    found.push({ server: name, title: name, per, state, ...(url ? { url } : {}) })
  }
  return found
}

/** A fresh link to connect one server, for a person who may; undefined where there is nothing to connect. */
async function linkFor(
  context: Pick<ConnectContext, 'pool' | 'servers' | 'env' | 'seal' | 'base' | 'isAdmin'>,
  who: { workspace: string; user: string },
  name: string,
  scopes: readonly string[],
): Promise<string | undefined> {
  const server = findServer(context, name)
  if (!server || !context.seal) return undefined
  const shared = server.auth.per === 'workspace'
  if (shared && !(await context.isAdmin(who))) return undefined
  return offerLink(context, placeOf(server, { ...who, person: shared ? '' : who.user }), who.user, scopes)
}

async function offerLink(
  context: Pick<ConnectContext, 'pool' | 'base'>,
  place: Place,
  asker: string,
  scopes: readonly string[] = [],
): Promise<string> {
  // What it asks for stands in the link itself: only the hash of the whole link is known, so nobody can change it.
  const more = scopes.length > 0 ? `.${Buffer.from(scopes.join(' ')).toString('base64url')}` : ''
  const ticket = `${randomBytes(24).toString('base64url')}${more}`
  await createTicket(context.pool, ticket, { ...place, asker }, PATIENCE_MS)
  return `${context.base()}/connect/${ticket}`
}

/** The permissions that a link asks for beyond the usual ones. */
function scopesIn(ticket: string): string[] {
  const [, more = ''] = ticket.split('.', 2)
  return readScopes(Buffer.from(more, 'base64url').toString())
}

/**
 * A call needs an account that is not there, or more `scopes` than it was connected with: the thread is told once a
 * run, and whoever asked gets a link that nobody else sees. Never fails: the run goes on without it.
 */
export async function offerConnect(
  context: ConnectContext & Mouth & { speak: Pick<Speak, 'name'> & PrivateContext['speak'] },
  run: Run,
  name: string,
  scopes?: readonly string[],
): Promise<void> {
  try {
    const { channel, thread, asker, workspace } = run
    const shared = findServer(context, name)?.auth.per === 'workspace'
    const who = shared ? 'an administrator' : await context.speak.name(asker)
    const told = scopes
      ? await tellScopes(context, run, name, { scopes, who })
      : {
          sentence: `I cannot use ${name} before ${who} has connected an account there: open App Home and press Connect.`,
          link: true,
        }
    const part = `${scopes ? 'permissions' : 'connect'} ${name}`
    const saying = { owner: run.id, part, channel, thread, message: sayMessage(told.sentence) }
    const fresh = run.reply
      ? await tellAlone(context.speak, run, saying.message).then(() => true)
      : (await sayForSure(context, saying)).new
    if (!fresh || !told.link) return
    const url = await linkFor(context, { workspace, user: asker }, name, scopes ?? [])
    if (url) await tellAlone(context.speak, run, connectMessage(name, url, scopes ?? []))
  } catch (error) {
    context.log('warn', 'a person could not be asked to connect', { run: run.id, why: String(error) })
  }
}

/** What is said where an account may do too little: nobody is asked twice for what was refused. */
async function tellScopes(
  context: ConnectContext,
  run: Run,
  name: string,
  { scopes, who }: { scopes: readonly string[]; who: string },
): Promise<{ sentence: string; link: boolean }> {
  const server = findServer(context, name)
  const which = scopes.length > 0 ? `: ${scopes.join(', ')}` : ''
  const wants = `${name} asks for further permissions${which}.`
  const allowed = server?.auth.scopes ?? []
  if (scopes.length === 0)
    return { sentence: `${wants} It does not say which, so somebody who runs me must look.`, link: false }
  if (allowed.length > 0 && !scopes.every((one) => allowed.includes(one)))
    return {
      sentence: `${wants} mcp.json does not allow me to ask for them; somebody who runs me can.`,
      link: false,
    }
  const asked = server ? await askedScopes(context, server, run) : []
  if (scopes.every((one) => asked.includes(one)))
    return {
      sentence: `${wants} They were asked for when the account was connected, and not given there.`,
      link: false,
    }
  const mine =
    server?.auth.per !== 'workspace' || (await context.isAdmin({ workspace: run.workspace, user: run.asker }))
  const sentence = mine
    ? `${wants} If ${who} wants that, connect the account again with the link that I sent, and ask again.`
    : `${wants} If ${who} wants that, they ask me for the same: I send them the link that gives them.`
  return { sentence, link: mine }
}

/** What was asked for when the account of whoever asks was connected. */
async function askedScopes(
  context: Pick<ConnectContext, 'pool' | 'seal'>,
  server: OAuthServer,
  { workspace, asker }: Pick<Run, 'workspace' | 'asker'>,
): Promise<string[]> {
  const person = server.auth.per === 'workspace' ? '' : asker
  return scopesAt(context, placeOf(server, { workspace, person }))
}

async function scopesAt(
  { pool, seal }: Pick<ConnectContext, 'pool' | 'seal'>,
  place: Place,
): Promise<string[]> {
  const row = seal && (await readCredential(pool, place))
  if (!row) return []
  try {
    return (await openAccount(pool, seal, place, row)).grant.scopes ?? []
  } catch {
    return [] // Under a key that is gone.
  }
}

/** What a link leads to, or why it leads nowhere. */
export type Seen =
  | { ok: true; workspace: string; server: string; asker: string; shared: boolean; scopes: string[] }
  | Refused
export type Refused = { ok: false; said: string }

/** Looks at a link and changes nothing: previews and scanners open links too. */
export async function seeTicket(context: Pick<ConnectContext, 'pool'>, ticket: string): Promise<Seen> {
  const found = await readTicket(context.pool, ticket)
  if (!found) return refuse(UNKNOWN)
  if (found.spent) return refuse(USED)
  if (found.expired) return refuse(EXPIRED)
  const { workspace, server, asker, person } = found
  return { ok: true, workspace, server, asker, shared: person === '', scopes: scopesIn(ticket) }
}

/** Uses a link up: where the browser must go. `browser` is what this browser alone keeps. */
export async function startConnect(
  context: ConnectContext,
  ticket: string,
  browser: string,
): Promise<{ ok: true; address: URL } | Refused> {
  const seen = await seeTicket(context, ticket)
  if (!seen.ok) return seen
  const of = await readTicket(context.pool, ticket)
  const server = of && findServer(context, of.server)
  const { seal } = context
  if (!of || !server || !seal || server.url.href !== of.resource) return refuse(GONE)
  const redirect = `${context.base()}/connect/callback`
  try {
    const at = { ...of, redirect }
    const known = await readKnown(context, seal, at)
    const scopes = joinScopes(await scopesAt(context, of), scopesIn(ticket))
    const begun = await beginAuthorization(server, {
      redirect,
      known,
      scopes,
      fetch: context.fetchFor(server),
    })
    const { registered, pending, address } = begun
    if (registered)
      await saveRegistration(context.pool, at, seal.seal(JSON.stringify(registered), aboutRegistration(at)))
    const sealed = seal.seal(JSON.stringify(pending), aboutPending(of, pending.state))
    const use = { state: pending.state, browser, sealed }
    return (await takeTicket(context.pool, ticket, use, PATIENCE_MS)) ? { ok: true, address } : refuse(USED)
  } catch (error) {
    return tell(context, of, error)
  }
}

/** What an authorization server sent a browser back with. */
export type Answer = {
  state?: string | undefined
  code?: string | undefined
  iss?: string | undefined
  error?: string | undefined
}

/** The browser is back: checks that it is the one that left, exchanges the code, keeps the account. */
export async function finishConnect(
  context: ConnectContext,
  answer: Answer,
  browser: string,
): Promise<{ ok: true; server: string } | Refused> {
  const { state, code, iss } = answer
  const found = state ? await readPending(context.pool, state, browser) : undefined
  if (!state || !found) return refuse(UNKNOWN)
  if (!found.mine) return refuse(OTHER_BROWSER)
  if (found.finished) return refuse(USED)
  if (found.expired || !found.sealed) return refuse(EXPIRED)
  const server = findServer(context, found.server)
  const { seal } = context
  if (!server || !seal || server.url.href !== found.resource) return refuse(GONE)
  try {
    const pending: Pending = JSON.parse(seal.open(found.sealed, aboutPending(found, state)).plain)
    if (!(await finishPending(context.pool, state))) return refuse(USED)
    if (answer.error !== undefined || !code) return await refuseAnswer(context, found, answer.error)
    const grant = await finishAuthorization(server, pending, { code, iss }, context.fetchFor(server))
    const place = placeOf(server, found)
    const before = await readCredential(context.pool, place)
    await keepGrant(context.pool, seal, place, grant)
    context.log('info', 'an account was connected', { server: server.name, again: before !== undefined })
    return { ok: true, server: server.name }
  } catch (error) {
    return tell(context, found, error)
  }
}

async function refuseAnswer(
  context: ConnectContext,
  of: Ticket,
  error: string | undefined,
): Promise<Refused> {
  if (error === 'access_denied') return refuse(DENIED)
  // It may have forgotten us: the next time we introduce ourselves again.
  await dropRegistration(context.pool, of.workspace, of.server)
  return refuse(`${of.server} could not be connected: its authorization server refused. ${ANEW}`)
}

async function tell(context: ConnectContext, of: Ticket, error: unknown): Promise<Refused> {
  const why = error instanceof Fault ? error.message : undefined
  context.log('warn', 'an account could not be connected', { server: of.server, why: why ?? 'a bug' })
  if (error instanceof Fault && error.code === 'tool-refused')
    await dropRegistration(context.pool, of.workspace, of.server)
  return refuse(`${why ?? `${of.server} could not be connected.`} ${ANEW}`)
}

export function findServer(
  context: Pick<ConnectContext, 'servers' | 'env'>,
  name: string,
): OAuthServer | undefined {
  const config = context.servers[name]
  return config && oauthServer(name, config, context.env)
}

type RegistrationAt = { workspace: string; server: string; resource: string; redirect: string }

async function readKnown(
  context: Pick<ConnectContext, 'pool'>,
  seal: Seal,
  at: RegistrationAt,
): Promise<Registered | undefined> {
  const sealed = await readRegistration(context.pool, at)
  if (!sealed) return undefined
  try {
    return JSON.parse(seal.open(sealed, aboutRegistration(at)).plain) as Registered
  } catch {
    return undefined // Under a key that is gone: we introduce ourselves again.
  }
}

const aboutRegistration = (at: RegistrationAt) => [
  'registration',
  at.workspace,
  at.server,
  at.resource,
  at.redirect,
]
const aboutPending = (of: Ticket, state: string) => [
  'pending',
  of.workspace,
  of.server,
  of.person,
  of.resource,
  state,
]

function refuse(said: string): Refused {
  return { ok: false, said }
}

const ANEW = 'Open App Home in Slack and press Connect again.'
const UNKNOWN = `I do not know this link. ${ANEW}`
const USED = `This link was used already. ${ANEW}`
const EXPIRED = `This link is too old. ${ANEW}`
const DENIED = `You did not agree, so nothing was connected. ${ANEW}`
const GONE = `This server is no longer set up as it was. ${ANEW}`
const OTHER_BROWSER = `This did not begin in this browser, so nothing was connected. ${ANEW}`

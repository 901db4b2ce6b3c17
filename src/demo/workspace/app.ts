/** The app as Slack keeps it: one registration, however many workspaces it is installed in, and the tokens it was given. */
import type { Api } from './api.ts'
import type { Hub } from './hub.ts'
import { newId, newSecret } from './ids.ts'

/** A workspace of this Slack. */
export type Member = { hub: Hub; api: Api }

export type App = {
  clientId: string
  clientSecret: string
  signingSecret: string
  appToken: string
  /** Where people may be sent back to after an installation, as the manifest lists it. */
  redirects: string[]
  /** Tokens live so long, in milliseconds, and are renewed with a refresh token; 0: for ever. */
  rotationMs: number
  members: Member[]
  /** HTTP mode: where events of all members are posted. */
  eventsUrl?: string
  installs: Install[]
  /** Answers of people who allowed an installation, each good once and for ten minutes. */
  codes: Map<string, Code>
}

/** What a person allowed: for a workspace, or for its whole organisation. */
export type Code = { for: Hub; org: boolean; user: string; scopes: string[]; redirect: string; until: number }

/** `teams` are the workspaces the token is good for. */
export type Install = {
  id: string
  org: boolean
  teams: Set<Hub>
  scopes: string[]
  user: string
  tokens: Map<string, { until: number; revoked?: true }>
  /** The one refresh token that is good; absent without rotation. */
  refresh?: string
}

const FOREVER = Number.POSITIVE_INFINITY
/** Tokens of one install that are good at the same time, as in Slack. */
const MOST_TOKENS = 2

export function createApp(): App {
  return {
    clientId: `${Date.now()}.${Math.floor(Math.random() * 1e12)}`,
    clientSecret: newSecret(),
    signingSecret: newSecret(),
    appToken: `xapp-local-${newSecret()}`,
    redirects: [],
    rotationMs: 0,
    members: [],
    installs: [],
    codes: new Map(),
  }
}

/** Installs the app, in the place of what was installed there; its token is not given out here. */
export function install(
  app: App,
  { for: hub, org, user, scopes }: Omit<Code, 'redirect' | 'until'>,
): Install {
  const before = app.installs.find((one) => one.org === org && one.teams.has(hub))
  const teams = before?.teams ?? new Set([hub])
  uninstall(app, hub, org)
  const made: Install = { id: newId('I'), org, teams, scopes, user, tokens: new Map() }
  app.installs.push(made)
  return made
}

/** Ends an installation; false where there was none. */
export function uninstall(app: App, hub: Hub, org: boolean): boolean {
  const before = app.installs.length
  app.installs = app.installs.filter((one) => !(one.org === org && one.teams.has(hub)))
  return app.installs.length < before
}

/** A new token for an installation: for ever, or with the refresh token that the next one is asked for with. */
export function issue(app: App, to: Install): { token: string; refresh?: string; seconds?: number } {
  const { rotationMs } = app
  if (rotationMs === 0) {
    const token = `xoxb-local-${newSecret()}`
    to.tokens.set(token, { until: FOREVER })
    return { token }
  }
  const token = `xoxe.xoxb-1-local-${newSecret()}`
  to.tokens.set(token, { until: Date.now() + rotationMs })
  for (const old of [...to.tokens.keys()].slice(0, -MOST_TOKENS)) to.tokens.delete(old)
  to.refresh = `xoxe-1-local-${newSecret()}`
  return { token, refresh: to.refresh, seconds: rotationMs / 1000 }
}

/** The installation a bot token is of, or the word with which Slack refuses it. */
export function installOf(app: App, token: string): Install | { refused: string } {
  for (const one of app.installs) {
    const found = one.tokens.get(token)
    if (!found) continue
    if (found.revoked) return { refused: 'token_revoked' }
    return found.until > Date.now() ? one : { refused: 'token_expired' }
  }
  return {
    refused: token.startsWith('xox') && token.includes('-local-') ? 'account_inactive' : 'invalid_auth',
  }
}

/** The workspace a call is about: of an organisation's token the one it names, or whose channel or person it names. */
export function memberOf(
  app: App,
  token: string | undefined,
  args: Record<string, unknown>,
): Member | undefined {
  const held = token === undefined ? undefined : app.installs.find((one) => one.tokens.has(token))
  if (!held) return undefined
  const teams = app.members.filter(({ hub }) => held.teams.has(hub))
  if (!held.org) return teams[0]
  const named = args.team_id === undefined ? undefined : String(args.team_id)
  if (named) return teams.find(({ hub }) => hub.world.team.id === named)
  const channel = String(args.channel ?? '')
  return teams.find(({ hub }) => hub.world.channels.has(channel)) ?? teams[0]
}

/** By what the app is installed in a workspace; the workspace's own before the organisation's. */
export function installedIn(hub: Hub): Install | undefined {
  const all = hub.app.installs.filter((one) => one.teams.has(hub))
  return all.find((one) => !one.org) ?? all[0]
}

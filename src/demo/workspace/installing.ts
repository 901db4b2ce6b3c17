/** How the app comes into a workspace and leaves it: what people do about that, and what the app hears of it. */
import { type Install, install, installedIn, issue, uninstall } from './app.ts'
import type { Hub } from './hub.ts'
import { newId } from './ids.ts'
import type { Json } from './world.ts'

export type Installing = {
  clientId: string
  clientSecret: string
  /** Slack's page on which people allow an installation. */
  authorizeUrl: string
  /** Lists an address that people may be sent back to. */
  allowRedirect(url: string): void
  /** Tokens given from now on live so long, in milliseconds, and come with a refresh token; 0: for ever. */
  rotate(ms: number): void
  /** Ends the installation of the app, of the whole organisation where it is that. */
  uninstall(): void
  /** Ends its tokens, and leaves the app installed. */
  revokeTokens(): void
  /** Adds this workspace to the organisation's installation, or takes it out of it. */
  grantAccess(on: boolean): void
  /** Tokens that are good just now. */
  tokens(): string[]
}

export function installing(hub: Hub): Installing {
  const { app } = hub
  return {
    clientId: app.clientId,
    clientSecret: app.clientSecret,
    authorizeUrl: `${hub.origin}/oauth/v2/authorize`,
    allowRedirect: (url) => void app.redirects.push(url),
    rotate(ms) {
      app.rotationMs = ms
    },
    uninstall() {
      const found = expectInstalled(hub)
      uninstall(app, hub, found.org)
      tellUninstalled(found, ['tokens_revoked', 'app_uninstalled'])
    },
    revokeTokens() {
      const found = expectInstalled(hub)
      for (const one of found.tokens.values()) one.revoked = true
      delete found.refresh
      tellUninstalled(found, ['tokens_revoked'])
    },
    grantAccess: (on) => grantAccess(hub, on),
    tokens: () => {
      const now = Date.now()
      const all = [...(installedIn(hub)?.tokens ?? [])]
      return all.filter(([, one]) => !one.revoked && one.until > now).map(([token]) => token)
    },
  }
}

/** The app is installed from the beginning, with a token that never expires. */
export function preinstall(hub: Hub): string {
  const { token } = issue(
    hub.app,
    install(hub.app, { for: hub, org: false, user: 'U0CHLOE', scopes: hub.scopes }),
  )
  return token
}

function expectInstalled(hub: Hub): Install {
  const found = installedIn(hub)
  if (!found) throw new Error('The app is not installed here.')
  return found
}

function grantAccess(hub: Hub, on: boolean): void {
  const { enterprise, team } = hub.world
  const org = hub.app.installs.find(
    (one) => one.org && [...one.teams].some((other) => other.world.enterprise?.id === enterprise?.id),
  )
  if (!org || !enterprise) throw new Error('The app is not installed in an organisation of this workspace.')
  const [first = hub] = org.teams
  if (on) org.teams.add(hub)
  else org.teams.delete(hub)
  const type = on ? 'team_access_granted' : 'team_access_revoked'
  deliver(
    on ? hub : first,
    org,
    { team_id: null, enterprise_id: enterprise.id },
    { type, team_ids: [team.id] },
  )
}

/** What the app is told, once, when its tokens end; Slack promises no order of the two. */
export function tellUninstalled(of: Install, types: ('tokens_revoked' | 'app_uninstalled')[]): void {
  const [hub] = of.teams
  if (!hub) return
  const { team, enterprise, bot } = hub.world
  const where = of.org ? { team_id: null, enterprise_id: enterprise?.id } : { team_id: team.id }
  for (const type of types)
    deliver(
      hub,
      of,
      where,
      type === 'app_uninstalled' ? { type } : { type, tokens: { oauth: [], bot: [bot.user] } },
    )
}

/** These events name nobody they are authorised by. */
function deliver(hub: Hub, of: Install, where: Json, event: Json): void {
  hub.outbox.post({
    token: 'local-workspace',
    ...where,
    api_app_id: hub.world.bot.app,
    event,
    type: 'event_callback',
    event_id: newId('Ev'),
    event_time: Math.floor(Date.now() / 1000),
    ...(of.org ? { is_enterprise_install: true } : {}),
  })
}

/** As whom the app hears of what happens in a workspace; undefined where it is not installed there. */
export function authorizationOf(hub: Hub): Json | undefined {
  const found = installedIn(hub)
  if (!found) return undefined
  return {
    enterprise_id: hub.world.enterprise?.id ?? null,
    team_id: hub.world.team.id,
    user_id: hub.world.bot.user,
    is_bot: true,
    is_enterprise_install: found.org,
  }
}

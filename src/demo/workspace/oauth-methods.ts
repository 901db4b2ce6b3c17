/** oauth.v2.access, and what else an app does with its own tokens. */
import { type App, type Install, install, installOf, issue, uninstall } from './app.ts'
import type { Hub } from './hub.ts'
import { tellUninstalled } from './installing.ts'
import { type Method, Refusal, textArg } from './method.ts'
import type { Json } from './world.ts'

export const OAUTH_METHODS: Record<string, Method> = {
  'oauth.v2.access': { tier: 4, open: true, run: access },
  'auth.revoke': { tier: 3, run: revoke },
  'auth.teams.list': { tier: 2, run: listTeams },
  'apps.uninstall': { tier: 1, run: uninstallApp },
}

function access(hub: Hub, args: Json): Json {
  const { app } = hub
  expectClient(app, args)
  const grant = textArg(args, 'grant_type') ?? 'authorization_code'
  if (grant === 'refresh_token') return refresh(hub, textArg(args, 'refresh_token'))
  if (grant !== 'authorization_code') throw new Refusal('invalid_grant_type')
  const given = textArg(args, 'code')
  const code = given === undefined ? undefined : app.codes.get(given)
  if (!given || !code) throw new Refusal('invalid_code')
  app.codes.delete(given)
  if (code.until < Date.now()) throw new Refusal('invalid_code')
  if (code.redirect !== '' && textArg(args, 'redirect_uri') !== code.redirect)
    throw new Refusal('bad_redirect_uri')
  return describe(hub, install(app, code))
}

/** A refresh token is good once: who loses the answer loses the installation when its last token expires. */
function refresh(hub: Hub, given: string | undefined): Json {
  const found = hub.app.installs.find((one) => one.refresh !== undefined && one.refresh === given)
  if (!found) throw new Refusal('invalid_refresh_token')
  return describe(hub, found)
}

function describe({ app, world }: Hub, made: Install): Json {
  const { token, refresh: refresh_token, seconds } = issue(app, made)
  const [hub] = made.teams
  const { enterprise = null, team } = (hub ?? { world }).world
  return {
    access_token: token,
    token_type: 'bot',
    scope: made.scopes.join(','),
    bot_user_id: (hub ?? { world }).world.bot.user,
    app_id: world.bot.app,
    team: made.org ? null : { id: team.id, name: team.name },
    enterprise,
    authed_user: { id: made.user },
    is_enterprise_install: made.org,
    ...(refresh_token ? { refresh_token, expires_in: seconds } : {}),
  }
}

function revoke(hub: Hub, args: Json, token: string): Json {
  const found = installOf(hub.app, token)
  if ('refused' in found) throw new Refusal(found.refused)
  const test = ['1', 'true'].includes(String(args.test))
  if (test) return { revoked: false }
  for (const one of found.tokens.values()) one.revoked = true
  delete found.refresh
  tellUninstalled(found, ['tokens_revoked'])
  return { revoked: true }
}

function listTeams(hub: Hub, _: Json, token: string): Json {
  const found = installOf(hub.app, token)
  if ('refused' in found) throw new Refusal(found.refused)
  const teams = [...found.teams].map(({ world }) => ({ id: world.team.id, name: world.team.name }))
  return { teams, response_metadata: { next_cursor: '' } }
}

function uninstallApp(hub: Hub, args: Json, token: string): Json {
  expectClient(hub.app, args)
  const found = installOf(hub.app, token)
  if ('refused' in found) throw new Refusal(found.refused)
  const [first] = found.teams
  if (first) uninstall(hub.app, first, found.org)
  tellUninstalled(found, ['tokens_revoked', 'app_uninstalled'])
  return {}
}

function expectClient(app: App, args: Json): void {
  if (textArg(args, 'client_id') !== app.clientId) throw new Refusal('invalid_client_id')
  if (textArg(args, 'client_secret') !== app.clientSecret) throw new Refusal('bad_client_secret')
}

/** Being installed: Slack's page, the token it gives for an answer, and what becomes of that token. */
import { WebClient } from '@slack/web-api'
import { z } from 'zod'
import { isTokenWord, slackFault, slackWord } from './faults.ts'
import { clientOptions } from './identify.ts'
import type { Log } from './message.ts'

/** What Slack gave a token for: a workspace (T…), or an organisation (E…) and those workspaces it lets us into. */
export type Granted = GrantedToken & {
  holder: string
  name: string
  app: string
  /** Who allowed it. */
  person: string
}

/** `seconds` is how long it is good; absent with `refresh` where it does not end. */
export type GrantedToken = { token: string; refresh?: string; seconds?: number }

export type SlackOAuth = {
  /** Slack's page that asks a person, who then comes back to `redirect` with `state`. */
  address(asking: { state: string; redirect: string; scopes: readonly string[] }): string
  /** @throws Fault slack-refused where the answer is not good any more */
  exchange(code: string, redirect: string): Promise<Granted>
  /** A refresh token is good once. @throws Fault */
  renew(refresh: string): Promise<GrantedToken>
  /** The workspaces that the token of an organisation is good for. @throws Fault */
  teams(token: string): Promise<{ id: string; name: string }[]>
  /** Whether Slack still knows the installation of a token. @throws Fault where it does not say */
  works(token: string): Promise<boolean>
  /** Ends an installation at Slack; false where it did not say so. Never fails. */
  leave(token: string): Promise<boolean>
}

export type OAuthApp = { clientId: string; clientSecret: string }

const Renewed = z.object({
  access_token: z.string(),
  refresh_token: z.string().optional(),
  expires_in: z.number().positive().optional(),
})
const Place = z.object({ id: z.string(), name: z.string().nullish() })
const Given = Renewed.extend({
  app_id: z.string(),
  team: Place.nullish(),
  enterprise: Place.nullish(),
  is_enterprise_install: z.boolean().nullish(),
  authed_user: z.object({ id: z.string() }).nullish(),
})
const Teams = z.object({
  teams: z.array(Place),
  response_metadata: z.object({ next_cursor: z.string().nullish() }).nullish(),
})

export function openSlackOAuth(app: OAuthApp, at: { apiUrl?: string | undefined; log?: Log }): SlackOAuth {
  const { apiUrl, log } = at
  const client = (token?: string) => new WebClient(token, clientOptions(apiUrl, log))
  const credentials = { client_id: app.clientId, client_secret: app.clientSecret }
  const ask = async (method: string, args: Record<string, unknown>, token?: string) => {
    try {
      return await client(token).apiCall(method, args)
    } catch (error) {
      throw slackFault(error, method)
    }
  }
  return {
    address({ state, redirect, scopes }) {
      const url = new URL('../oauth/v2/authorize', apiUrl ?? 'https://slack.com/api/')
      const asked = { client_id: app.clientId, scope: scopes.join(','), redirect_uri: redirect, state }
      url.search = new URLSearchParams(asked).toString()
      return url.href
    },
    async exchange(code, redirect) {
      const answer = await ask('oauth.v2.access', { ...credentials, code, redirect_uri: redirect })
      const given = Given.parse(answer)
      const holder = given.is_enterprise_install ? given.enterprise : given.team
      if (!holder) throw new Error('Slack gave a token without saying for whom')
      return {
        holder: holder.id,
        name: holder.name ?? holder.id,
        app: given.app_id,
        person: given.authed_user?.id ?? '',
        ...tokenOf(given),
      }
    },
    async renew(refresh) {
      const asked = { ...credentials, grant_type: 'refresh_token', refresh_token: refresh }
      return tokenOf(Renewed.parse(await ask('oauth.v2.access', asked)))
    },
    async teams(token) {
      const all: { id: string; name: string }[] = []
      let cursor: string | undefined
      do {
        const args = { limit: 200, ...(cursor ? { cursor } : {}) }
        const page = Teams.parse(await ask('auth.teams.list', args, token))
        all.push(...page.teams.map(({ id, name }) => ({ id, name: name ?? id })))
        cursor = page.response_metadata?.next_cursor || undefined
      } while (cursor)
      return all
    },
    async works(token) {
      try {
        await ask('auth.test', {}, token)
        return true
      } catch (error) {
        const word = slackWord(error) ?? ''
        if (word === 'token_expired') return true
        if (isTokenWord(word)) return false
        throw error
      }
    },
    async leave(token) {
      try {
        await ask('apps.uninstall', credentials, token)
        return true
      } catch (error) {
        log?.('warn', 'Slack did not end an installation', { error: String(error) })
        return false
      }
    },
  }
}

function tokenOf({ access_token, refresh_token, expires_in }: z.infer<typeof Renewed>): GrantedToken {
  return {
    token: access_token,
    ...(refresh_token ? { refresh: refresh_token } : {}),
    ...(expires_in ? { seconds: expires_in } : {}),
  }
}

/** Signing in to a server for every request, with tokens kept elsewhere and renewed by one at a time. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type AuthProvider, auth, type FetchLike, type StoredOAuthTokens } from '@modelcontextprotocol/client'
import { Fault } from '../core/fault.ts'
import type { ToolAuth } from '../core/home.ts'
import { type Grant, isOld, type OAuthServer, refreshGrant } from './oauth.ts'
import { quiet } from './quiet.ts'

/** The `fetch` that signing in to a server goes through: it decides where that may lead. */
export type FetchFor = (server: { name: string; url: URL }) => FetchLike

/** Whose account is used; `person` is empty for the one of the whole workspace. */
export type Holder = { workspace: string; person: string }

/** A kept account. `id` is new for every Connect, `version` for every renewal. */
export type Account = { id: string; version: number; state: 'connected' | 'expired'; grant: Grant }

/** Where accounts are kept. What it gives is for the address it was connected for only. */
export type Vault = {
  /** @throws Fault config-invalid where it cannot be read */
  load(server: OAuthServer, holder: Holder): Promise<Account | undefined>
  /** The turn to renew this version, for {@link TURN_MS}; false where somebody else has it or it is not the newest. */
  claim(server: OAuthServer, holder: Holder, account: Account): Promise<boolean>
  renew(server: OAuthServer, holder: Holder, account: Account, grant: Grant): Promise<void>
  /** Ends a turn without a result. */
  release(server: OAuthServer, holder: Holder, account: Account): Promise<void>
  expire(server: OAuthServer, holder: Holder, account: Account): Promise<void>
  /** Who is connected, in one workspace or in any; accounts of whole workspaces first. */
  holders(server: OAuthServer, workspace: string | undefined): Promise<Holder[]>
}

/** How long a turn to renew lasts where its process dies; longer than renewing may take. */
export const TURN_MS = 60_000
const LOOK_MS = 100

/** There is no account that could be used: the person must connect, or connect again. */
class NotConnected extends Error {}

/** That reason in an error or its causes. */
export function findNotConnected(error: unknown): Error | undefined {
  let inner = error
  for (let depth = 0; inner instanceof Error && depth < 5; depth++, inner = inner.cause)
    if (inner instanceof NotConnected) return inner
  return undefined
}

/** Keeps what must not be repeated, the newest of it, and hides it in texts. */
function openMask(): { add(secret: string | undefined): void; mask(text: string): string } {
  const secrets = new Set<string>()
  return {
    add(secret) {
      if (!secret) return
      secrets.delete(secret)
      secrets.add(secret)
      const [oldest] = secrets
      if (secrets.size > 16 && oldest) secrets.delete(oldest)
    },
    mask: (text) => [...secrets].reduce((t, secret) => t.replaceAll(secret, '***'), text),
  }
}

/** Signs requests in; `mask` hides what they were signed with. */
export type SignIn = { authProvider: AuthProvider; mask(text: string): string }

/** Signs a holder's requests in. Every request reads the account: one that is taken away is gone at once. */
export function signIn(server: OAuthServer, vault: Vault, holder: Holder, fetch: FetchLike): SignIn {
  const { add, mask } = openMask()
  let renewing: Promise<void> | undefined
  let sent: string | undefined

  const once = (account: Account, anew: boolean) => {
    renewing ??= renew(server, vault, holder, account, { anew, fetch }).finally(() => {
      renewing = undefined
    })
    return renewing
  }
  async function usable(): Promise<Account> {
    const account = await vault.load(server, holder)
    if (account?.state !== 'connected') throw new NotConnected(account ? 'expired' : 'not connected')
    add(account.grant.tokens.access_token)
    add(account.grant.tokens.refresh_token)
    return account
  }
  const authProvider: AuthProvider = {
    async token() {
      let account = await usable()
      if (isOld(account.grant, Date.now()) && account.grant.tokens.refresh_token) {
        await once(account, false)
        account = await usable()
      }
      sent = account.grant.tokens.access_token
      return sent
    },
    async onUnauthorized() {
      const account = await usable()
      // Somebody has renewed it since it was sent: the newer one is tried first.
      if (account.grant.tokens.access_token !== sent) return
      await once(account, true)
    },
  }
  return { authProvider, mask }
}

/** Renews, or waits for whoever does. A refresh token that is used twice may cost the person the connection. */
async function renew(
  server: OAuthServer,
  vault: Vault,
  holder: Holder,
  account: Account,
  options: { anew: boolean; fetch: FetchLike },
): Promise<void> {
  const end = Date.now() + TURN_MS + 5_000
  while (!(await vault.claim(server, holder, account))) {
    const now = await vault.load(server, holder)
    if (!now || now.id !== account.id || now.version !== account.version || now.state !== 'connected') return
    if (Date.now() > end)
      throw new Fault('tool-unreachable', `${server.name} could not renew its sign-in`, { retry: true })
    await sleep(LOOK_MS)
  }
  let grant: Grant | 'reconnect'
  try {
    grant = await refreshGrant(server, account.grant, options)
  } catch (error) {
    await vault.release(server, holder, account)
    throw error
  }
  if (grant === 'reconnect') await vault.expire(server, holder, account)
  else await vault.renew(server, holder, account, grant)
}

/** Signs Quorum itself in, by its own name and secret. The token lives as long as this process. */
export function signInAsClient(
  server: { name: string; url: URL; auth: Extract<ToolAuth, { type: 'client_credentials' }> },
  fetch: FetchLike,
): SignIn {
  const { add, mask } = openMask()
  const { clientId, clientSecret, scopes, issuer } = server.auth
  const scope = scopes.join(' ')
  let [tokens, until]: [StoredOAuthTokens | undefined, number] = [undefined, 0]
  let asking: Promise<unknown> | undefined
  const provider = {
    redirectUrl: undefined,
    clientMetadata: {
      client_name: 'Quorum',
      redirect_uris: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_basic',
      ...(scope ? { scope } : {}),
    },
    clientInformation: () => ({
      client_id: clientId,
      client_secret: clientSecret,
      ...(issuer ? { issuer } : {}),
    }),
    tokens: () => tokens,
    saveTokens(given: StoredOAuthTokens) {
      tokens = given
      add(given.access_token)
      until = Date.now() + (given.expires_in ?? 3600) * 900
    },
    redirectToAuthorization() {},
    saveCodeVerifier() {},
    codeVerifier: () => '',
    prepareTokenRequest: () =>
      new URLSearchParams({ grant_type: 'client_credentials', ...(scope ? { scope } : {}) }),
  }
  async function ask(): Promise<void> {
    asking ??= auth(provider, { serverUrl: server.url, fetchFn: quiet(fetch) }).finally(() => {
      asking = undefined
    })
    await asking
  }
  const authProvider: AuthProvider = {
    async token() {
      // The first time the server is asked without one, so that it says where to sign in.
      if (tokens && Date.now() > until) await ask()
      return tokens?.access_token
    },
    onUnauthorized: ask,
  }
  return { authProvider, mask }
}

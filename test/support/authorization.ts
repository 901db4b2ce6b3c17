/** An authorization server (OAuth 2.1) and a tool server it protects, on the loopback address; strict, or hostile on request. */
import { createHash, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { type Context, Hono } from 'hono'
import { z } from 'zod'

type Token = {
  account: string
  scope: string
  kind: 'access' | 'refresh'
  family: string
  used: boolean
  expires: number
}

export type Authorization = AsyncDisposable & {
  /** The protected tool server: tools `whoami` and `echo`. */
  url: string
  issuer: string
  /** Every token ever given. */
  tokens: Map<string, Token>
  /** Requests by path. */
  seen: { path: string; body: URLSearchParams }[]
  registered: () => number
  revoked: string[]
  /** How it behaves; may be changed at any time. */
  behave: {
    /** Lifetime of access tokens, in seconds. */
    lives: number
    denies: boolean
    /** The `iss` of its answers. */
    iss: string | undefined
    /** What its metadata says instead. */
    issuer?: string
    /** Where the tool server says that people sign in. */
    authorizationServer?: string
    /** Instead of an answer of the token endpoint. */
    token?: (c: Context) => Response | Promise<Response>
    /** What the tool server refuses although it is good. */
    refuses: Set<string>
    /** The scope that a call needs, and whether it is given when it is asked for. */
    needs?: string | undefined
    withholds?: boolean
    /** Who does not see the tool `leak`. */
    hides?: string
  }
}

/** Opens both; close with `await using`. */
export async function openAuthorization(): Promise<Authorization> {
  const tokens = new Map<string, Token>()
  const codes = new Map<
    string,
    { account: string; challenge: string; redirect: string; client: string; scope: string }
  >()
  const clients = new Map<string, { redirects: string[]; secret?: string }>([
    ['machine', { redirects: [], secret: 'machine-secret-1' }],
  ])
  const seen: Authorization['seen'] = []
  const revoked: string[] = []
  const behave: Authorization['behave'] = { lives: 3600, denies: false, iss: undefined, refuses: new Set() }
  const app = new Hono()
  let origin = ''

  const give = (account: string, family: string, scope: string) => {
    const make = (kind: Token['kind'], seconds: number) => {
      const token = `${kind}-${randomUUID()}`
      tokens.set(token, { account, scope, kind, family, used: false, expires: Date.now() + seconds * 1000 })
      return token
    }
    const [access, refresh] = [make('access', behave.lives), make('refresh', 86_400)]
    return { access_token: access, token_type: 'Bearer', expires_in: behave.lives, refresh_token: refresh }
  }
  const endFamily = (family: string) => {
    for (const [text, token] of tokens) if (token.family === family) tokens.delete(text)
  }
  const wrong = (c: Context, error: string, more = '') => c.json({ error, error_description: more }, 400)

  app.get('/.well-known/oauth-protected-resource/mcp', (c) =>
    c.json({ resource: `${origin}/mcp`, authorization_servers: [behave.authorizationServer ?? origin] }),
  )
  app.get('/.well-known/oauth-authorization-server', (c) =>
    c.json({
      issuer: behave.issuer ?? origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      registration_endpoint: `${origin}/register`,
      revocation_endpoint: `${origin}/revoke`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none', 'client_secret_basic'],
      authorization_response_iss_parameter_supported: true,
    }),
  )
  app.post('/register', async (c) => {
    const { redirect_uris: redirects } = await c.req.json()
    const id = `client-${randomUUID()}`
    clients.set(id, { redirects })
    return c.json({ client_id: id, redirect_uris: redirects, token_endpoint_auth_method: 'none' }, 201)
  })
  // The account is named by the browser of the test: who is signed in there.
  app.get('/authorize', (c) => {
    const q = c.req.query()
    const known = clients.get(q.client_id ?? '')
    if (!known?.redirects.includes(q.redirect_uri ?? '')) return c.text('unknown client or redirect', 400)
    if (q.code_challenge_method !== 'S256' || !q.code_challenge || q.resource !== `${origin}/mcp`)
      return c.text('PKCE and resource are needed', 400)
    const back = new URL(q.redirect_uri ?? '')
    back.searchParams.set('state', q.state ?? '')
    back.searchParams.set('iss', behave.iss ?? origin)
    if (behave.denies) back.searchParams.set('error', 'access_denied')
    else {
      const code = `code-${randomUUID()}`
      const account = c.req.header('x-account') ?? 'nobody'
      codes.set(code, {
        account,
        challenge: q.code_challenge,
        redirect: q.redirect_uri ?? '',
        client: q.client_id ?? '',
        scope: behave.withholds ? '' : (q.scope ?? ''),
      })
      back.searchParams.set('code', code)
    }
    return c.redirect(back.href, 302)
  })
  app.post('/token', async (c) => {
    const body = new URLSearchParams(await c.req.text())
    seen.push({ path: '/token', body })
    if (behave.token) return behave.token(c)
    if (body.get('resource') !== `${origin}/mcp`) return wrong(c, 'invalid_target')
    const grant = body.get('grant_type')
    if (grant === 'client_credentials') {
      const basic = Buffer.from('machine:machine-secret-1').toString('base64')
      if (c.req.header('authorization') !== `Basic ${basic}`) return wrong(c, 'invalid_client')
      return c.json({ ...give('machine', randomUUID(), ''), refresh_token: undefined })
    }
    if (grant === 'refresh_token') {
      const text = body.get('refresh_token') ?? ''
      const token = tokens.get(text)
      if (token?.kind !== 'refresh') return wrong(c, 'invalid_grant', `the token ${text} is not known`)
      if (token.used) {
        // As OAuth 2.1 asks: a token used twice ends all that came of it.
        endFamily(token.family)
        return wrong(c, 'invalid_grant', `the token ${text} was used before`)
      }
      token.used = true
      return c.json(give(token.account, token.family, token.scope))
    }
    const code = codes.get(body.get('code') ?? '')
    codes.delete(body.get('code') ?? '')
    const verifier = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url')
    const fits = code?.challenge === verifier && code.redirect === body.get('redirect_uri')
    if (!code || !fits || code.client !== body.get('client_id')) return wrong(c, 'invalid_grant')
    return c.json(give(code.account, randomUUID(), code.scope))
  })
  app.post('/revoke', async (c) => {
    const body = new URLSearchParams(await c.req.text())
    const token = tokens.get(body.get('token') ?? '')
    revoked.push(body.get('token') ?? '')
    if (token) endFamily(token.family)
    return c.body(null, 200)
  })

  const handler = createMcpHandler((context) => {
    const account = String(context.authInfo?.extra?.account)
    const server = new McpServer({ name: 'tickets', version: '1' })
    server.registerTool('whoami', { inputSchema: z.object({}) }, () => ({
      content: [{ type: 'text', text: `You are ${account}.` }],
    }))
    if (behave.hides === account) return server
    server.registerTool('leak', { inputSchema: z.object({}) }, () => ({
      content: [{ type: 'text', text: `Your token is ${context.authInfo?.token}.` }],
    }))
    return server
  })
  app.all('/mcp', async (c) => {
    const text = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1] ?? ''
    const token = tokens.get(text)
    seen.push({ path: '/mcp', body: new URLSearchParams({ token: text }) })
    if (token?.kind !== 'access' || token.expires < Date.now() || behave.refuses.has(text)) {
      const where = `${origin}/.well-known/oauth-protected-resource/mcp`
      return c.json({}, 401, { 'www-authenticate': `Bearer resource_metadata="${where}"` })
    }
    const { method }: { method?: string } = await c.req.raw
      .clone()
      .json()
      .then(Object, () => ({}))
    if (method === 'tools/call' && behave.needs && !token.scope.split(' ').includes(behave.needs)) {
      const challenge = `Bearer error="insufficient_scope", scope="${behave.needs}"`
      return c.json({}, 403, { 'www-authenticate': challenge })
    }
    const authInfo = { token: text, clientId: 'c', scopes: [], extra: { account: token.account } }
    return handler.fetch(c.req.raw, { authInfo })
  })

  const server = createServer(getRequestListener(app.fetch))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `${origin}/mcp`,
    issuer: origin,
    tokens,
    seen,
    revoked,
    behave,
    registered: () => clients.size - 1,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

/** A browser made of fetch: keeps cookies by origin, follows redirects, is signed in as `account` wherever it goes. */
export function openPerson(account: string) {
  const jar = new Map<string, string>()
  async function go(
    address: string,
    init: RequestInit = {},
  ): Promise<{ url: string; status: number; text: string }> {
    const { host } = new URL(address)
    const headers = new Headers(init.headers)
    headers.set('x-account', account)
    if (jar.has(host)) headers.set('cookie', jar.get(host) ?? '')
    const answer = await fetch(address, { ...init, headers, redirect: 'manual' })
    for (const cookie of answer.headers.getSetCookie()) jar.set(host, cookie.split(';')[0] ?? '')
    const to = answer.headers.get('location')
    if (to) return go(new URL(to, address).href)
    return { url: address, status: answer.status, text: await answer.text() }
  }
  return {
    go,
    /** Opens a link and presses the button on its page. */
    async press(address: string) {
      const page = await go(address)
      const browser = /name="browser" value="([^"]+)"/.exec(page.text)?.[1]
      if (!browser) return page
      return go(address, { method: 'POST', body: new URLSearchParams({ browser }) })
    },
    /** As far as the authorization server's page: the address of it. */
    async begin(address: string): Promise<string> {
      const page = await go(address)
      const browser = /name="browser" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
      const headers = { cookie: jar.get(new URL(address).host) ?? '' }
      const body = new URLSearchParams({ browser })
      const answer = await fetch(address, { method: 'POST', body, headers, redirect: 'manual' })
      return answer.headers.get('location') ?? ''
    },
  }
}

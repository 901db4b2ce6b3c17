import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  type ConnectContext,
  connectionsOf,
  finishConnect,
  startConnect,
} from '../../../src/agent/accounts/connect.ts'
import { openVault } from '../../../src/agent/accounts/vault.ts'
import { ToolServer } from '../../../src/core/home.ts'
import type { Store } from '../../../src/store/open.ts'
import { openSeal, type Seal } from '../../../src/store/seal.ts'
import { acceptInto } from '../../../src/tools/pins.ts'
import { type Authorization, openAuthorization } from '../../support/authorization.ts'
import { openTestStore } from '../../support/store.ts'
import { openTestTools } from '../../support/tools.ts'

const OLD = Buffer.alloc(32, 1).toString('base64')
const NEXT = Buffer.alloc(32, 2).toString('base64')
const ana = { workspace: 'T1', user: 'U0ANA' }

let store: Store
let authorization: Authorization
beforeEach(async () => {
  store = await openTestStore()
  authorization = await openAuthorization()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await store.close()
  await authorization[Symbol.asyncDispose]()
})

const serversOf = (auth: Record<string, unknown> = { type: 'oauth' }) => ({
  tickets: ToolServer.parse({ url: authorization.url, auth }),
})

function contextWith(other: Partial<ConnectContext> = {}): ConnectContext {
  return {
    pool: store.pool,
    servers: serversOf(),
    env: {},
    seal: openSeal(OLD),
    base: () => 'http://127.0.0.1:9',
    isAdmin: () => false,
    fetchFor: () => fetch,
    log: () => {},
    ...other,
  }
}

/** Goes the whole way without pages. */
async function connect(context: ConnectContext, account = 'ana@example', person = ana): Promise<string> {
  const [first] = await connectionsOf(context, person)
  const ticket = first?.url?.split('/').at(-1) ?? ''
  const begun = await startConnect(context, ticket, 'browser')
  if (!begun.ok) return begun.said
  const answer = await fetch(begun.address, { redirect: 'manual', headers: { 'x-account': account } })
  const back = new URL(answer.headers.get('location') ?? '')
  const done = await finishConnect(context, Object.fromEntries(back.searchParams), 'browser')
  return done.ok ? 'connected' : done.said
}

/** As mcp.json names a variable. */
const named = (name: string) => `\${${name}}`
const openWith = (seal: Seal) => openTestTools(serversOf(), { vault: openVault(store.pool, seal) })
type Tools = ReturnType<typeof openWith>
const whoami = (tools: Tools) =>
  tools.call('tickets__whoami', {}, { signal: new AbortController().signal, person: ana })
const refreshes = () =>
  authorization.seen.filter(({ body }) => body.get('grant_type') === 'refresh_token').length

test('twenty calls at once, over two sets of connections, renew an old token once', async () => {
  authorization.behave.lives = 1
  expect(await connect(contextWith())).toBe('connected')
  await using one = openWith(openSeal(OLD))
  await using two = openWith(openSeal(OLD))
  expect((await whoami(one)).text).toContain('ana@example')
  expect((await whoami(two)).text).toContain('ana@example')
  await sleep(1_100)
  authorization.behave.lives = 3600
  const before = refreshes()
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => whoami(i % 2 ? one : two)))
  for (const { outcome, text } of results)
    expect([outcome, text]).toEqual(['succeeded', 'You are ana@example.'])
  expect(refreshes() - before).toBe(1)
})

test('a token that is refused before its time is renewed, and the call is answered', async () => {
  await connect(contextWith())
  await using tools = openWith(openSeal(OLD))
  expect((await whoami(tools)).outcome).toBe('succeeded')
  for (const [text, token] of authorization.tokens)
    if (token.kind === 'access') authorization.behave.refuses.add(text)
  expect(await whoami(tools)).toMatchObject({ outcome: 'succeeded', text: 'You are ana@example.' })
  expect(refreshes()).toBe(1)
})

test('an authorization server that is away for a moment costs one call, not the connection', async () => {
  authorization.behave.lives = 1
  await connect(contextWith())
  await using tools = openWith(openSeal(OLD))
  await whoami(tools)
  await sleep(1_100)
  authorization.behave.token = (c) => c.text('busy', 503)
  const away = await whoami(tools)
  expect(away.outcome).toBe('failed')
  expect(away.text).toContain('could not renew its sign-in just now')
  delete authorization.behave.token
  expect((await whoami(tools)).outcome).toBe('succeeded')
})

test('a tool that one account does not see is not withdrawn from the others', async () => {
  authorization.behave.hides = 'ben@example'
  const ben = { workspace: 'T1', user: 'U0BEN' }
  await connect(contextWith())
  const servers = serversOf()
  await using listing = openWith(openSeal(OLD))
  const [listed] = await listing.listed()
  const lock = acceptInto(undefined, 'tickets', listed?.config ?? '', listed?.tools ?? [])
  await connect(contextWith(), 'ben@example', ben)
  await using tools = openTestTools(servers, {
    vault: openVault(store.pool, openSeal(OLD)),
    lock: () => lock,
  })
  for (const person of [ana, ben])
    expect(
      await tools.call('tickets__whoami', {}, { signal: new AbortController().signal, person }),
    ).toMatchObject({
      text: `You are ${person === ana ? 'ana' : 'ben'}@example.`,
    })
  expect(tools.withdrawn()).toEqual([])
  const leak = await tools.call('tickets__leak', {}, { signal: new AbortController().signal, person: ben })
  expect(leak).toMatchObject({ outcome: 'failed', text: expect.stringContaining('no tool') })
  const own = await tools.call('tickets__leak', {}, { signal: new AbortController().signal, person: ana })
  expect(own.outcome).toBe('succeeded')
})

test('after another Connect the calls are those of the other account', async () => {
  await connect(contextWith())
  await using tools = openWith(openSeal(OLD))
  expect((await whoami(tools)).text).toContain('ana@example')
  await connect(contextWith(), 'other@example')
  expect((await whoami(tools)).text).toContain('other@example')
})

test('a new key opens what the former one sealed and seals it anew; without the former one a sentence says so', async () => {
  await connect(contextWith())
  const sealed = async () => (await store.pool.query('select sealed from credentials')).rows[0]?.sealed
  const before = await sealed()
  await using lost = openWith(openSeal(NEXT))
  const refused = await whoami(lost)
  expect(refused.outcome).toBe('failed')
  expect(refused.text).toContain('sealed under another QUORUM_SECRET')
  expect(await sealed()).toBe(before)
  await using both = openWith(openSeal(`${NEXT},${OLD}`))
  expect((await whoami(both)).outcome).toBe('succeeded')
  expect(await sealed()).not.toBe(before)
  await using next = openWith(openSeal(NEXT))
  expect((await whoami(next)).outcome).toBe('succeeded')
})

test('a token is never sent to another address than it was given for', async () => {
  await connect(contextWith())
  await using other = await openAuthorization()
  const servers = { tickets: ToolServer.parse({ url: other.url, auth: { type: 'oauth' } }) }
  await using tools = openTestTools(servers, { vault: openVault(store.pool, openSeal(OLD)) })
  expect(await whoami(tools)).toMatchObject({ outcome: 'failed', connect: 'tickets' })
  expect(other.seen.every(({ body }) => !body.get('token'))).toBe(true)
})

test('hostile servers: each a sentence, and nothing a stranger wrote is logged', async () => {
  const said = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const { behave } = authorization
  behave.token = (c) => c.body(new Uint8Array(60 * 1024 * 1024), 200, { 'content-type': 'application/json' })
  expect(await connect(contextWith())).toContain('larger than 1 MB')
  behave.token = (c) => c.redirect('http://127.0.0.1:9/elsewhere', 307)
  expect(await connect(contextWith())).toContain('tickets could not be connected')
  behave.token = (c) => c.json({ error: 'invalid_grant', error_description: 'secret-in-words' }, 400)
  expect(await connect(contextWith())).toContain('answered invalid_grant')
  delete behave.token
  behave.issuer = 'https://elsewhere.example'
  expect(await connect(contextWith())).toContain('another authorization server')
  delete behave.issuer
  behave.authorizationServer = 'http://169.254.169.254'
  const guarded: ReturnType<ConnectContext['fetchFor']> = async (url, init) => {
    if (!String(url).startsWith(authorization.issuer)) throw new Error(`guarded: ${url}`)
    return fetch(url, init)
  }
  expect(await connect(contextWith({ fetchFor: () => guarded }))).toContain('tickets could not be connected')
  delete behave.authorizationServer
  const pinned = serversOf({ type: 'oauth', issuer: 'https://ours.example' })
  expect(await connect(contextWith({ servers: pinned }))).toContain(
    'another authorization server than mcp.json',
  )
  expect(JSON.stringify(said.mock.calls)).not.toContain('secret-in-words')
  expect(await connect(contextWith())).toBe('connected')
})

test('two people with one link: one of them is too late', async () => {
  const context = contextWith()
  const [first] = await connectionsOf(context, ana)
  const ticket = first?.url?.split('/').at(-1) ?? ''
  const both = await Promise.all([startConnect(context, ticket, 'a'), startConnect(context, ticket, 'b')])
  expect(both.filter((one) => one.ok)).toHaveLength(1)
})

test('Quorum signs itself in with its own name and secret, which stands in no sentence', async () => {
  const auth = { type: 'client_credentials', clientId: named('ID'), clientSecret: named('SECRET') }
  const env = { ...process.env, ID: 'machine', SECRET: 'machine-secret-1' }
  await using tools = openTestTools(serversOf(auth), { env })
  expect((await tools.catalogue()).map(({ name }) => name)).toContain('tickets__whoami')
  expect((await whoami(tools)).text).toBe('You are machine.')
  const leak = await tools.call('tickets__leak', {}, { signal: new AbortController().signal })
  expect(leak.text).toBe('Your token is ***.')
  await using wrong = openTestTools(serversOf(auth), { env: { ...env, SECRET: 'quite-another-secret' } })
  const refused = await whoami(wrong)
  expect(refused.outcome).toBe('failed')
  expect(refused.text + wrong.lines.join()).not.toContain('quite-another-secret')
})

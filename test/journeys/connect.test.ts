import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectionsOf } from '../../src/agent/accounts/connect.ts'
import { ToolServer } from '../../src/core/home.ts'
import { connectContext } from '../../src/doors/connect.ts'
import { type Authorization, openAuthorization, openPerson } from '../support/authorization.ts'
import type { Script } from '../support/model-server.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { acceptAs } from '../support/tools.ts'

/** Calls the tool its question names, then says what the tool said. */
const script: Script = ({ body }) => {
  const last = body.messages.at(-1)
  if (last?.role === 'tool') return { text: `The tool said: ${last.content}` }
  const tool = /use (\w+)/.exec(last?.content ?? '')?.[1] ?? 'whoami'
  return { calls: [{ name: `tickets__${tool}`, args: {} }] }
}
const policy = { 'tickets__*': { decision: 'allow' } }

/** What a person accepted of the server's tools. */
async function lockOf(authorization: Authorization, servers: ReturnType<typeof serverOf>) {
  const account = { url: authorization.url, clientId: 'machine', clientSecret: 'machine-secret-1' }
  const lock = await acceptAs('tickets', account, servers.tickets)
  return () => lock
}

function serverOf(authorization: Authorization, per: 'user' | 'workspace' = 'user') {
  return { tickets: ToolServer.parse({ url: authorization.url, auth: { type: 'oauth', per } }) }
}

/** What App Home shows to a person. */
function connections(stage: Stage, user: string, workspace = stage.workspace.team) {
  const { admins } = stage.engines.home.policy
  const context = connectContext(
    stage.engines,
    () => stage.serving().port,
    ({ user: person }) => admins.includes(person),
  )
  return connectionsOf(context, { workspace, user })
}

async function linkOf(stage: Stage, user: string): Promise<string> {
  const [first] = await connections(stage, user)
  if (!first?.url) throw new Error('there is no link')
  return first.url
}

/** Asks as a person and waits for the end: what the thread was told. */
async function askAs(stage: Stage, user: string, text = '@quorum use whoami'): Promise<string> {
  const { workspace } = stage
  const channel = workspace.channels.general
  const ts = await workspace.say(user, channel, text)
  await stage.ended(channel, ts)
  return stage.said(channel, ts).join('\n')
}

describe("an account of one's own", () => {
  let authorization: Authorization
  let stage: Stage
  beforeAll(async () => {
    authorization = await openAuthorization()
    const servers = serverOf(authorization)
    stage = await openStage({ model: script, policy, servers, lock: await lockOf(authorization, servers) })
  })
  afterAll(async () => {
    await stage[Symbol.asyncDispose]()
    await authorization[Symbol.asyncDispose]()
  })

  test('who is not connected is told so in the thread, gets a private link, and nothing is sent', async () => {
    const { ana, ben } = stage.workspace.users
    // Somebody must be connected for the tools to be known: no definitions were accepted here.
    expect((await openPerson('ben@example').press(await linkOf(stage, ben))).text).toContain('Connected.')
    authorization.seen.length = 0
    const said = await askAs(stage, ana)
    expect(said).toMatch(/cannot use tickets before .* has connected an account there: open App Home/)
    expect(said).toContain('Nothing was called')
    const used = authorization.seen.filter(({ path }) => path === '/mcp').map(({ body }) => body.get('token'))
    for (const token of used)
      expect(authorization.tokens.get(token ?? '')?.account ?? 'ben@example').toBe('ben@example')
    const whispered = await stage.workspace.until(() => stage.workspace.ephemerals(ana).at(-1))
    const url = /"url":"([^"]+)"/.exec(JSON.stringify(whispered.blocks))?.[1]
    expect(url).toContain('/connect/')
    expect(JSON.stringify(stage.workspace.messages(stage.workspace.channels.general))).not.toContain(
      '/connect/',
    )
    const page = await openPerson('ana@example').press(url ?? '')
    expect(page).toMatchObject({ status: 200 })
    expect(page.text).toContain('Connected. You can close this page.'.split('.')[0])
  })

  test('two people are two accounts, also after a restart', async () => {
    const { ana, ben } = stage.workspace.users
    expect(await askAs(stage, ana)).toContain('You are ana@example.')
    expect(await askAs(stage, ben)).toContain('You are ben@example.')
    await stage.restart()
    await stage.workspace.until(() => stage.workspace.connections() > 0)
    expect(await askAs(stage, ana)).toContain('You are ana@example.')
    expect(authorization.registered()).toBeLessThanOrEqual(2)
  })

  test('what a server says of the token reaches nobody', async () => {
    const said = await askAs(stage, stage.workspace.users.ana, '@quorum use leak')
    expect(said).toContain('Your token is ***.')
  })

  test("a link is for once, a look does not use it up, and it is of no use to a stranger's form", async () => {
    const url = await linkOf(stage, stage.workspace.users.chloe)
    const person = openPerson('chloe@example')
    const page = await person.go(url)
    expect(page.text).toMatch(/Connect tickets for .*U0CHLOE/)
    const foreign = await fetch(url, { method: 'POST', body: new URLSearchParams({ browser: 'x' }) })
    expect(foreign.status).toBe(400)
    expect((await person.press(url)).text).toContain('Connected.')
    expect((await person.press(url)).text).toContain('used already')
    expect((await person.go(url.replace(/[^/]+$/, 'nonsense'))).text).toContain('do not know this link')
  })

  test('an address of the sign-in page that was sent on to somebody else connects nobody', async () => {
    const { chloe } = stage.workspace.users
    const address = await openPerson('mallory@example').begin(await linkOf(stage, chloe))
    const victim = await openPerson('victim@example').go(address)
    expect(victim.text).toContain('did not begin in this browser')
    expect([...authorization.tokens.values()].map((t) => t.account)).not.toContain('victim@example')
  })

  test('denied, a wrong state, another issuer, a link that is too old: one sentence each', async () => {
    const { gil } = stage.workspace.users
    const person = openPerson('gil@example')
    authorization.behave.denies = true
    expect((await person.press(await linkOf(stage, gil))).text).toContain('You did not agree')
    authorization.behave.denies = false
    authorization.behave.iss = 'https://other.example'
    expect((await person.press(await linkOf(stage, gil))).text).toContain('another authorization server')
    authorization.behave.iss = undefined
    const callback = `http://127.0.0.1:${stage.serving().port}/connect/callback?code=x&state=y`
    expect((await person.go(callback)).text).toContain('do not know this link')
    const old = await linkOf(stage, gil)
    await stage.engines.store.pool.query(`update connects set expires_at = now() - interval '1 second'`)
    expect((await person.press(old)).text).toContain('too old')
    expect((await connections(stage, gil))[0]?.state).toBe('not-connected')
  })

  test('an answer that comes twice counts once', async () => {
    const { gil } = stage.workspace.users
    const person = openPerson('gil@example')
    const answered = await person.press(await linkOf(stage, gil))
    expect(answered.text).toContain('Connected.')
    expect((await person.go(answered.url)).text).toContain('used already')
  })

  test('a refused renewal asks the person to connect again, and so it works again', async () => {
    const { ana } = stage.workspace.users
    for (const [text, token] of authorization.tokens)
      if (token.account === 'ana@example') authorization.tokens.delete(text)
    expect(await askAs(stage, ana)).toContain('open App Home')
    expect((await connections(stage, ana))[0]?.state).toBe('expired')
    await openPerson('ana2@example').press(await linkOf(stage, ana))
    expect(await askAs(stage, ana)).toContain('You are ana2@example.')
  })

  test('another workspace with the same person sees nothing of it', async () => {
    const { ana } = stage.workspace.users
    expect((await connections(stage, ana))[0]?.state).toBe('connected')
    expect((await connections(stage, ana, 'T0OTHER'))[0]?.state).toBe('not-connected')
    const signal = new AbortController().signal
    const person = { workspace: 'T0OTHER', user: ana }
    const called = await stage.engines.tools.call('tickets__whoami', {}, { signal, person })
    expect(called).toMatchObject({ outcome: 'failed', connect: 'tickets' })
  })

  test('a call that needs more permissions offers to connect again with them, in words, and once', async () => {
    const { ana } = stage.workspace.users
    authorization.behave.needs = 'tickets:write'
    const before = stage.workspace.ephemerals(ana).length
    const said = await askAs(stage, ana)
    expect(said).toContain('tickets asks for further permissions: tickets:write. If')
    expect(said).toContain('Nothing was done')
    const whispered = await stage.workspace.until(() => stage.workspace.ephemerals(ana)[before])
    expect(whispered.text).toContain('permissions that I do not have there: tickets:write')
    const url = /"url":"([^"]+)"/.exec(JSON.stringify(whispered.blocks))?.[1] ?? ''
    const person = openPerson('ana2@example')
    const changed = url.replace(/\.[^.]+$/, `.${Buffer.from('admin').toString('base64url')}`)
    expect((await person.go(changed)).text).toContain('do not know this link')
    expect((await person.go(url)).text).toContain('further permissions: <b>tickets:write</b>')
    expect((await person.press(url)).text).toContain('Connected.')
    expect(await askAs(stage, ana)).toContain('You are ana2@example.')
    // Connected again from App Home it asks for what it had; what was asked for and not given is not offered again.
    authorization.behave.needs = 'tickets:admin'
    await askAs(stage, ana)
    authorization.behave.withholds = true
    const again = await stage.workspace.until(() => stage.workspace.ephemerals(ana)[before + 1])
    expect(
      (await person.press(/"url":"([^"]+)"/.exec(JSON.stringify(again.blocks))?.[1] ?? '')).text,
    ).toContain('Connected.')
    expect(await askAs(stage, ana)).toContain(
      'tickets:admin. They were asked for when the account was connected',
    )
    expect(stage.workspace.ephemerals(ana)).toHaveLength(before + 2)
    authorization.behave.withholds = false
    authorization.behave.needs = undefined
    await person.press(await linkOf(stage, ana))
    const scopes = [...authorization.tokens.values()]
      .filter((t) => t.account === 'ana2@example')
      .at(-1)?.scope
    expect(scopes?.split(' ')).toEqual(expect.arrayContaining(['tickets:write', 'tickets:admin']))
  })

  test('no token stands in the log or the database', async () => {
    const { pool } = stage.engines.store
    const tables = await pool.query(`select tablename as name from pg_tables where schemaname = 'public'`)
    const rows = await Promise.all(
      tables.rows.map(({ name }) =>
        pool.query(`select coalesce(json_agg(t)::text, '') as all from "${name}" t`),
      ),
    )
    const everything = rows.map((r) => r.rows[0]?.all).join('\n') + stage.log.join('\n')
    expect(everything).toContain('tickets__whoami')
    expect(authorization.tokens.size).toBeGreaterThan(5)
    for (const token of authorization.tokens.keys()) expect(everything).not.toContain(token)
  })

  test('disconnected: forgotten here at once, revoked there, and the next call asks to connect', async () => {
    const { ben } = stage.workspace.users
    await stage.engines.store.pool.query(
      `insert into inbox (key, workspace, heard) values ('pressed', $1, $2)`,
      [
        stage.workspace.team,
        {
          kind: 'pressed',
          workspace: stage.workspace.team,
          channel: '',
          user: ben,
          button: 'disconnect',
          subject: 'tickets',
          clickTs: '1',
        },
      ],
    )
    await until(async () => (await connections(stage, ben))[0]?.state === 'not-connected')
    await until(async () => authorization.revoked.length > 0)
    expect([...authorization.tokens.values()].some((t) => t.account === 'ben@example')).toBe(false)
    expect(await askAs(stage, ben)).toContain('open App Home')
    await stage.workspace.until(() => stage.workspace.home(ben))
  })
})

test('an account for everybody: only administrators may connect it, and everybody uses it', async () => {
  await using authorization = await openAuthorization()
  const servers = serverOf(authorization, 'workspace')
  const lock = await lockOf(authorization, servers)
  await using stage = await openStage({ model: script, policy, servers, lock, admins: ['U0CHLOE'] })
  const { ana, chloe } = stage.workspace.users
  expect(await connections(stage, ana)).toEqual([])
  const page = await openPerson('team@example').press(await linkOf(stage, chloe))
  expect(page.text).toContain('Connected.')
  expect(await askAs(stage, ana)).toContain('You are team@example.')
})

test('signed HTTP serves the pages on its own port', async () => {
  await using authorization = await openAuthorization()
  const servers = serverOf(authorization)
  const lock = await lockOf(authorization, servers)
  await using stage = await openStage({ model: script, policy, servers, lock, http: true })
  const { ana } = stage.workspace.users
  expect((await openPerson('ana@example').press(await linkOf(stage, ana))).text).toContain('Connected.')
  expect(await askAs(stage, ana)).toContain('You are ana@example.')
})

test('without a key nobody is offered a link, and the reason is one sentence', async () => {
  await using authorization = await openAuthorization()
  const servers = serverOf(authorization)
  const lock = await lockOf(authorization, servers)
  await using stage = await openStage({ model: script, policy, servers, lock, secret: '' })
  const { ana } = stage.workspace.users
  expect(await connections(stage, ana)).toMatchObject([{ server: 'tickets', state: 'not-connected' }])
  expect((await connections(stage, ana))[0]?.url).toBeUndefined()
  const signal = new AbortController().signal
  const person = { workspace: stage.workspace.team, user: ana }
  const { outcome, text } = await stage.engines.tools.call('tickets__whoami', {}, { signal, person })
  expect(outcome).toBe('failed')
  expect(text).toContain('QUORUM_SECRET')
})

test('mcp.json bounds the permissions that are asked for, whatever a server asks for', async () => {
  await using authorization = await openAuthorization()
  const auth = { type: 'oauth', scopes: ['tickets:read'] }
  const servers = { tickets: ToolServer.parse({ url: authorization.url, auth }) }
  const lock = await lockOf(authorization, servers)
  await using stage = await openStage({ model: script, policy, servers, lock })
  const { ana } = stage.workspace.users
  await openPerson('ana@example').press(await linkOf(stage, ana))
  authorization.behave.needs = 'tickets:admin <!channel> `x`'
  const said = await askAs(stage, ana)
  expect(said).toContain('tickets:admin. mcp.json does not allow me to ask for them')
  expect(stage.workspace.ephemerals(ana)).toHaveLength(0)
})

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connectionsOf, finishConnect, startConnect } from '../../src/agent/accounts/connect.ts'
import { ToolServer } from '../../src/core/home.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openStore } from '../../src/store/open.ts'
import { openSeal } from '../../src/store/seal.ts'
import { openAuthorization } from '../support/authorization.ts'
import { runCommand } from '../support/command.ts'
import { makeHome } from '../support/home.ts'

const SECRET = Buffer.alloc(32, 1).toString('base64')
const ana = { workspace: 'T1', user: 'U0ANA' }

test('the tools of a server that people connect to are accepted as one of their accounts lists them', async () => {
  await using authorization = await openAuthorization()
  const entry = { url: authorization.url, auth: { type: 'oauth' } }
  await using home = await makeHome({ 'mcp.json': JSON.stringify({ mcpServers: { tickets: entry } }) })
  const data = join(home.dir, 'data')
  const env = { QUORUM_HOME: home.dir, QUORUM_DATA: data, QUORUM_SECRET: SECRET, LOG_LEVEL: 'silent' }
  const accept = () => runCommand(['tools', 'accept', '--all'], { cwd: home.dir, env })
  const nobody = await accept()
  expect(nobody.code).toBe(1)
  expect(nobody.out).toContain('tickets: not reached')

  await using store = await openStore({ dataDir: data })
  await migrate(store.pool)
  const context = {
    pool: store.pool,
    servers: { tickets: ToolServer.parse(entry) },
    env: {},
    seal: openSeal(SECRET),
    base: () => 'http://127.0.0.1:9',
    isAdmin: () => false,
    fetchFor: () => fetch,
    log: () => {},
  }
  const [first] = await connectionsOf(context, ana)
  const begun = await startConnect(context, first?.url?.split('/').at(-1) ?? '', 'browser')
  if (!begun.ok) throw new Error(begun.said)
  const answer = await fetch(begun.address, { redirect: 'manual', headers: { 'x-account': 'ana@example' } })
  const back = new URL(answer.headers.get('location') ?? '')
  expect(await finishConnect(context, Object.fromEntries(back.searchParams), 'browser')).toMatchObject({
    ok: true,
  })

  const busy = await accept()
  expect(busy.out).toContain('The accounts that people connected cannot be used just now')
  await store.close()
  const { code, out } = await accept()
  expect(out).toContain('+ whoami')
  expect(out).toContain('Written: tools.lock.json')
  expect(code).toBe(0)
}, 60_000)

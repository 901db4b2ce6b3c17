import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  beginInstall,
  finishInstall,
  type InstallContext,
  inviteLink,
} from '../../../src/agent/installs/install.ts'
import { openTokens, type TokensContext } from '../../../src/agent/installs/tokens.ts'
import { openWorkspace, type Workspace } from '../../../src/demo/workspace/open.ts'
import { neededScopes } from '../../../src/slack/identify.ts'
import { openSlackOAuth } from '../../../src/slack/oauth.ts'
import { openSpeaker } from '../../../src/slack/speak.ts'
import { claimToken, readInstall } from '../../../src/store/installs.ts'
import type { Store } from '../../../src/store/open.ts'
import { openSeal } from '../../../src/store/seal.ts'
import { press } from '../../support/installing.ts'
import { openTestStore } from '../../support/store.ts'

const BASE = 'http://127.0.0.1:9'
const HOURS = 3_600_000

let store: Store
let slack: Workspace
let logs: string[]
beforeEach(async () => {
  store = await openTestStore()
  slack = await openWorkspace({ installed: false })
  slack.allowRedirect(`${BASE}/slack/oauth_redirect`)
  logs = []
})
afterEach(async () => {
  await slack.close()
  await store.close()
})

function contextOf(): TokensContext & InstallContext {
  return {
    pool: store.pool,
    seal: openSeal(Buffer.alloc(32, 1).toString('base64')),
    oauth: openSlackOAuth(slack, { apiUrl: slack.apiUrl }),
    base: () => BASE,
    scopes: neededScopes(),
    poke: () => {},
    isServed: () => false,
    log: (level, message) => void logs.push(`${level} ${message}`),
  }
}

/** Installs with tokens that live so long, and gives the name of the installation. */
async function install(livesMs: number): Promise<string> {
  slack.rotate(livesMs)
  const context = contextOf()
  const invitation = new URL(inviteLink(context, 60_000)).searchParams.get('invitation') ?? ''
  const begun = beginInstall(context, { invitation, browser: 'b' })
  if (!begun.ok) throw new Error(begun.said)
  const back = new URL(await press(begun.address, slack.team))
  const done = await finishInstall(context, Object.fromEntries(back.searchParams), 'b')
  if (!done.ok) throw new Error(done.said)
  return (await row()).id
}
async function row() {
  const found = await readInstall(store.pool, slack.team)
  if (!found) throw new Error('nothing is installed')
  return found
}
const renewals = () => slack.calls.filter((call) => call.args.grant_type === 'refresh_token')

test('a token with long to live is used as it is', async () => {
  const id = await install(12 * HOURS)
  const tokens = openTokens(contextOf(), slack.team, id)
  expect(slack.tokens()).toEqual([await tokens.now()])
  expect(renewals()).toEqual([])
})

test('many calls of two processes at once renew it once, and all get a token that works', async () => {
  const id = await install(1 * HOURS)
  const first = slack.tokens()[0]
  slack.rotate(12 * HOURS)
  const processes = [openTokens(contextOf(), slack.team, id), openTokens(contextOf(), slack.team, id)]
  const given = await Promise.all(Array.from({ length: 20 }, (_, i) => processes[i % 2]?.now()))
  expect(renewals()).toHaveLength(1)
  expect(renewals()[0]?.ok).toBe(true)
  for (const one of given) expect(slack.tokens()).toContain(one)
  expect((await row()).version).toBe(2)
  expect(await processes[0]?.now()).not.toBe(first)
})

test('one that has ended already is waited for, by whoever does not renew it', async () => {
  const id = await install(30)
  await new Promise((resolve) => setTimeout(resolve, 60))
  slack.rotate(12 * HOURS)
  slack.misbehave.slow('oauth.v2.access', 200)
  const processes = [openTokens(contextOf(), slack.team, id), openTokens(contextOf(), slack.team, id)]
  const given = await Promise.all(processes.map((one) => one.now()))
  expect(new Set(given)).toEqual(new Set(slack.tokens()))
  expect(renewals()).toHaveLength(1)
})

test('a process that died while it renewed holds nobody up for long, and nobody renews in its turn', async () => {
  const id = await install(1 * HOURS)
  expect(await claimToken(store.pool, await row(), 400)).toBe(true)
  const tokens = openTokens(contextOf(), slack.team, id)
  expect(slack.tokens()).toEqual([await tokens.now()])
  expect(renewals()).toEqual([])
  await new Promise((resolve) => setTimeout(resolve, 450))
  slack.rotate(12 * HOURS)
  await openTokens(contextOf(), slack.team, id).now()
  expect(renewals()).toHaveLength(1)
})

test('while Slack cannot be reached to renew it, the old one is used on; when it answers, the next one', async () => {
  const id = await install(1 * HOURS)
  const [first] = slack.tokens()
  slack.misbehave.breakHttp('oauth.v2.access', 1)
  const tokens = openTokens(contextOf(), slack.team, id)
  expect(await tokens.now()).toBe(first)
  expect(logs.join()).toContain('could not be renewed yet')
  slack.rotate(12 * HOURS)
  // Another process does not rest, and this one learns of it when Slack refuses the old one.
  await openTokens(contextOf(), slack.team, id).now()
  expect(await tokens.refused('token_expired')).toBe(true)
  expect(slack.tokens()).toContain(await tokens.now())
})

test('one whose refresh token was lost is used to its end, and said to need a new installation', async () => {
  const id = await install(1 * HOURS)
  const [first] = slack.tokens()
  slack.misbehave.refuse('oauth.v2.access', 'invalid_refresh_token')
  const tokens = openTokens(contextOf(), slack.team, id)
  expect(await tokens.now()).toBe(first)
  expect(await tokens.now()).toBe(first)
  expect(await row()).toMatchObject({ state: 'refused' })
  expect(logs.filter((line) => line.startsWith('error'))).toEqual([
    expect.stringContaining('install Quorum there again'),
  ])
  expect(slack.calls.filter((call) => call.method === 'oauth.v2.access')).toHaveLength(2)
  const again = await install(12 * HOURS)
  expect(again).not.toBe(id)
  expect(await row()).toMatchObject({ state: 'installed', version: 1 })
  await expect(openTokens(contextOf(), slack.team, id).now()).rejects.toMatchObject({ code: 'slack-token' })
})

test('a call that meets the end of its token is made again with the next one, once', async () => {
  const id = await install(12 * HOURS)
  const tokens = openTokens(contextOf(), slack.team, id)
  await using speaker = await openSpeaker({ botToken: tokens, workspace: slack.team, apiUrl: slack.apiUrl })
  slack.misbehave.refuse('chat.postMessage', 'token_expired')
  await speaker.speak.post(slack.channels.general, undefined, { text: 'hello' })
  expect(renewals()).toHaveLength(1)
  expect(slack.messages(slack.channels.general).map((m) => m.text)).toEqual(['hello'])
  slack.uninstall()
  await expect(speaker.speak.post(slack.channels.general, undefined, { text: 'gone' })).rejects.toMatchObject(
    {
      code: 'slack-token',
    },
  )
})

import { SocketModeClient } from '@slack/socket-mode'
import { type WebAPIPlatformError, WebClient } from '@slack/web-api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'

const BACK = 'http://127.0.0.1:9/slack/oauth_redirect'
const ORG = { id: 'E0ORG', name: 'Org' }
let slack: Workspace

beforeEach(async () => {
  slack = await openWorkspace({ installed: false, enterprise: ORG, retryWaits: [0, 20, 20] })
  slack.allowRedirect(BACK)
})
afterEach(() => slack.close())

const client = (token?: string) =>
  new WebClient(token, { slackApiUrl: slack.apiUrl, retryConfig: { retries: 0 } })
const word = async (call: Promise<unknown>) => {
  const error = await call.then(
    () => new Error('it was not refused'),
    (e: WebAPIPlatformError) => e,
  )
  return 'data' in error ? error.data.error : error.message
}

/** Presses Allow (or Cancel) on Slack's page, and gives where the browser is sent back to. */
async function press(team = slack.team, answer = 'allow', more: Record<string, string> = {}): Promise<URL> {
  const form = {
    client_id: slack.clientId,
    scope: 'chat:write,users:read',
    redirect_uri: BACK,
    state: 's1',
    team,
    answer,
    ...more,
  }
  const pressed = await fetch(slack.authorizeUrl, {
    method: 'POST',
    body: new URLSearchParams(form),
    redirect: 'manual',
  })
  return new URL(pressed.headers.get('location') ?? 'http://nowhere/')
}

const exchange = (code: string, more: Record<string, string> = {}) =>
  client().oauth.v2.access({
    client_id: slack.clientId,
    client_secret: slack.clientSecret,
    code,
    redirect_uri: BACK,
    ...more,
  })
const refresh = (refresh_token: string) =>
  client().oauth.v2.access({
    client_id: slack.clientId,
    client_secret: slack.clientSecret,
    grant_type: 'refresh_token',
    refresh_token,
  })

describe('an installation', () => {
  test('is asked for on a page, allowed with a press, and its code is good once', async () => {
    const asked = new URLSearchParams({
      client_id: slack.clientId,
      scope: 'chat:write',
      redirect_uri: BACK,
      state: '"><script>',
    })
    const page = await (await fetch(`${slack.authorizeUrl}?${asked}`)).text()
    expect(page).toContain('Allow')
    expect(page).not.toContain('"><script>')
    expect(await word(client('xoxb-unknown').auth.test())).toBe('invalid_auth')

    const back = await press()
    expect(back.searchParams.get('state')).toBe('s1')
    const code = back.searchParams.get('code') ?? ''
    expect(await word(exchange(code, { client_secret: 'no' }))).toBe('bad_client_secret')
    expect(await word(exchange('no'))).toBe('invalid_code')
    const given = await exchange(code)
    expect(given).toMatchObject({
      token_type: 'bot',
      scope: 'chat:write,users:read',
      team: { id: slack.team },
      enterprise: ORG,
      is_enterprise_install: false,
      bot_user_id: slack.botUser,
    })
    expect(given.expires_in).toBeUndefined()
    expect(await word(exchange(code))).toBe('invalid_code')
    const test = await client(given.access_token).auth.test()
    expect(test).toMatchObject({ team_id: slack.team, is_enterprise_install: false })
    expect(test.response_metadata?.scopes).toEqual(['chat:write', 'users:read'])
    expect(await word(client(given.access_token).usergroups.list())).toBe('missing_scope')
  })

  test('is refused with a word, and sent nowhere that is not listed', async () => {
    expect((await press(slack.team, 'deny')).searchParams.get('error')).toBe('access_denied')
    expect((await press(slack.team, 'allow', { redirect_uri: 'https://evil.example/' })).hostname).toBe(
      'nowhere',
    )
    const code = (await press()).searchParams.get('code') ?? ''
    expect(await word(exchange(code, { redirect_uri: 'http://127.0.0.1:9/other' }))).toBe('bad_redirect_uri')
  })

  test('with rotation gives tokens that end and are renewed with a token that is good once', async () => {
    slack.rotate(43_200_000)
    const first = await exchange((await press()).searchParams.get('code') ?? '')
    expect(first).toMatchObject({ expires_in: 43_200, access_token: expect.stringMatching(/^xoxe\.xoxb-/) })
    slack.rotate(40)
    const second = await refresh(first.refresh_token ?? '')
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect(await word(refresh(first.refresh_token ?? ''))).toBe('invalid_refresh_token')
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await word(client(second.access_token).auth.test())).toBe('token_expired')
    expect(await client(first.access_token).auth.test()).toMatchObject({ ok: true })
  })
})

describe('an organisation', () => {
  test('is installed to once: one token for all workspaces that it lets in, each named by team_id', async () => {
    await using other = await slack.beside({
      team: { id: 'T0OTHER', name: 'Other' },
      enterprise: ORG,
      installed: false,
    })
    const given = await exchange((await press(ORG.id)).searchParams.get('code') ?? '')
    expect(given).toMatchObject({ team: null, enterprise: ORG, is_enterprise_install: true })
    const web = client(given.access_token)
    expect(await web.auth.test()).toMatchObject({ team_id: ORG.id, is_enterprise_install: true })
    expect(await word(web.users.list({}))).toBe('missing_argument')
    expect(await word(web.users.list({ team_id: other.team }))).toBe('team_access_not_granted')
    other.grantAccess(true)
    expect((await web.auth.teams.list({})).teams?.map(({ id }) => id)).toEqual([slack.team, other.team])
    const colleague = other.hire(1)[0]
    const ids = async (team_id: string) => (await web.users.list({ team_id })).members?.map(({ id }) => id)
    expect(await ids(other.team)).toContain(colleague)
    expect(await ids(slack.team)).not.toContain(colleague)
    other.grantAccess(false)
    expect(await word(web.users.list({ team_id: other.team }))).toBe('team_access_not_granted')
  })
})

describe('what the app hears', () => {
  type Heard = { team_id: string; authorizations?: object[]; event: { type: string; text?: string } }
  const heard: Heard[] = []
  let app: SocketModeClient
  const until = async (count: number) => {
    await slack.until(() => heard.length >= count)
    return heard
  }
  beforeEach(async () => {
    heard.length = 0
    app = new SocketModeClient({
      appToken: slack.appToken,
      clientOptions: { slackApiUrl: slack.apiUrl },
    })
    app.on('slack_event', async ({ ack, body }) => {
      heard.push(body)
      await ack()
    })
    await app.start()
  })
  afterEach(() => app.disconnect())

  test('nothing before it is installed, and of both workspaces of one Slack once it is', async () => {
    await using other = await slack.beside({ team: { id: 'T0OTHER', name: 'Other' }, installed: false })
    await slack.say(slack.users.ana, slack.channels.general, 'unheard')
    await exchange((await press()).searchParams.get('code') ?? '')
    await exchange((await press(other.team)).searchParams.get('code') ?? '')
    await slack.say(slack.users.ana, slack.channels.general, 'here')
    await other.say(other.users.ana, other.channels.general, 'there')
    const events = await until(2)
    expect(events.map(({ event, authorizations }) => [event.text, authorizations?.[0]])).toEqual([
      [
        'here',
        expect.objectContaining({ team_id: slack.team, enterprise_id: ORG.id, is_enterprise_install: false }),
      ],
      ['there', expect.objectContaining({ team_id: other.team, enterprise_id: null })],
    ])
  })

  test('that its tokens were revoked and that it was uninstalled, by nobody in particular', async () => {
    const given = await exchange((await press()).searchParams.get('code') ?? '')
    slack.uninstall()
    const events = await until(2)
    expect(events.map(({ event }) => event.type).sort()).toEqual(['app_uninstalled', 'tokens_revoked'])
    expect(events[0]).toMatchObject({ team_id: slack.team })
    expect(events[0]?.authorizations).toBeUndefined()
    expect(await word(client(given.access_token).auth.test())).toBe('account_inactive')
    const again = await exchange((await press()).searchParams.get('code') ?? '')
    await client(again.access_token).auth.revoke()
    expect(await word(client(again.access_token).auth.test())).toBe('token_revoked')
    expect((await until(3)).at(-1)?.event.type).toBe('tokens_revoked')
  })

  test('whose workspace somebody in a shared channel is of', async () => {
    await exchange((await press()).searchParams.get('code') ?? '')
    const eve = slack.welcome('eve', 'stranger')
    await slack.invite(eve, slack.channels.partners)
    await slack.say(eve, slack.channels.partners, 'hello')
    const heard = (await until(2)).find(({ event }) => event.type === 'message')
    expect(heard).toMatchObject({
      team_id: 'T0OTHER',
      is_ext_shared_channel: true,
      authorizations: [{ team_id: slack.team }],
      event: { user: eve, user_team: 'T0OTHER', source_team: 'T0OTHER', team: 'T0OTHER' },
    })
  })
})

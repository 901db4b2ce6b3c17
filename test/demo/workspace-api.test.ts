import { LogLevel, WebClient, type WebClientOptions } from '@slack/web-api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorkspace, type Workspace, type WorkspaceOptions } from '../../src/demo/workspace/open.ts'

let slack: Workspace

async function open(options: WorkspaceOptions = {}): Promise<void> {
  await slack?.close()
  slack = await openWorkspace({ ackMs: 300, ...options })
}
beforeEach(() => open())
afterEach(() => slack.close())

const { ana, ben, gil } = { ana: 'U0ANA', ben: 'U0BEN', gil: 'U0GIL' }

function client(token = slack.botToken, options: WebClientOptions = {}): WebClient {
  return new WebClient(token, {
    slackApiUrl: slack.apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logLevel: 'off' as LogLevel,
    logger: {
      debug() {},
      info() {},
      warn() {},
      error() {},
      setLevel() {},
      getLevel: () => LogLevel.ERROR,
      setName() {},
    },
    ...options,
  })
}

/** The error Slack's answer names, for a call that must be refused. */
async function refused(call: Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    await call
  } catch (error) {
    const { data } = error as { data?: Record<string, unknown> }
    if (data) return data
    throw error
  }
  throw new Error('The call was not refused.')
}

describe('who may call', () => {
  test('auth.test tells who the app is, and its scopes', async () => {
    const answer = await client().auth.test()
    expect(answer).toMatchObject({ team_id: slack.team, user_id: slack.botUser, bot_id: slack.botId })
    expect(answer.response_metadata?.scopes).toContain('chat:write')
  })

  test('wrong, missing and mistaken tokens', async () => {
    expect((await refused(client('xoxb-wrong').auth.test())).error).toBe('invalid_auth')
    expect((await refused(new WebClient(undefined, { slackApiUrl: slack.apiUrl }).auth.test())).error).toBe(
      'not_authed',
    )
    expect((await refused(client(slack.appToken).auth.test())).error).toBe('not_allowed_token_type')
    expect((await refused(client().apps.connections.open())).error).toBe('not_allowed_token_type')
    expect((await refused(client().apiCall('chat.shout'))).error).toBe('unknown_method')
  })

  test('a missing scope is named', async () => {
    slack.scopes.splice(slack.scopes.indexOf('im:history'), 1)
    const answer = await refused(client().conversations.history({ channel: slack.dm(ana) }))
    expect(answer).toMatchObject({ error: 'missing_scope', needed: 'im:history' })
    expect(String(answer.provided)).toContain('channels:history')
  })
})

describe('messages', () => {
  test('posting, replying, updating, deleting', async () => {
    const { general: channel } = slack.channels
    const root = await slack.say(ana, channel, 'a question')
    const metadata = { event_type: 'run', event_payload: { run: 'r1' } }
    const posted = await client().chat.postMessage({ channel, thread_ts: root, text: 'an answer', metadata })
    expect(slack.messages(channel, root).map((one) => one.text)).toEqual(['a question', 'an answer'])
    expect(slack.messages(channel, root)[0]).toMatchObject({ reply_count: 1, reply_users: [slack.botUser] })
    expect(slack.messages(channel, root)[1]?.metadata).toEqual(metadata)

    const blocks = [{ type: 'section' as const, text: { type: 'mrkdwn' as const, text: 'better' } }]
    const ts = String(posted.ts)
    await client().chat.update({ channel, ts, text: 'better', blocks })
    expect(slack.messages(channel, root)[1]).toMatchObject({ text: 'better', blocks: [{ type: 'section' }] })
    await client().chat.update({ channel, ts, text: 'plain' })
    const plain = slack.messages(channel, root)[1]
    expect(plain).toMatchObject({ text: 'plain', edited: { user: slack.botUser }, metadata })
    expect(plain?.blocks).toBeUndefined()

    await client().chat.delete({ channel, ts })
    expect(slack.messages(channel, root)).toHaveLength(1)
  })

  test('JSON bodies work as forms do', async () => {
    const response = await fetch(`${slack.apiUrl}chat.postMessage`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${slack.botToken}`,
        'content-type': 'application/json; charset=utf-8',
      },
      body: JSON.stringify({ channel: '#general', blocks: [{ type: 'divider' }], text: 'a line' }),
    })
    expect(await response.json()).toMatchObject({ ok: true, channel: slack.channels.general })
    expect(slack.calls.at(-1)).toMatchObject({
      method: 'chat.postMessage',
      ok: true,
      args: { blocks: [{ type: 'divider' }] },
    })
  })

  test('what Slack refuses of a message', async () => {
    const web = client()
    const { general, random } = slack.channels
    const root = await slack.say(ana, general, 'a question')
    const reply = await slack.say(ben, general, 'a reply', { thread: root })
    const post = (extra: object) => web.apiCall('chat.postMessage', { channel: general, text: 'x', ...extra })
    const cases: [Promise<unknown>, string][] = [
      [post({ channel: random }), 'not_in_channel'],
      [post({ channel: 'C0NONE' }), 'channel_not_found'],
      [post({ thread_ts: '1.000001' }), 'thread_not_found'],
      [post({ thread_ts: reply }), 'cannot_reply_to_message'],
      [post({ text: '' }), 'no_text'],
      [post({ text: 'x'.repeat(40_001) }), 'msg_too_long'],
      [post({ text: undefined, markdown_text: 'x'.repeat(12_001) }), 'msg_too_long'],
      [post({ markdown_text: 'x' }), 'markdown_text_conflict'],
      [
        post({
          blocks: [
            { type: 'markdown', text: 'x'.repeat(7_000) },
            { type: 'markdown', text: 'x'.repeat(7_000) },
          ],
        }),
        'msg_blocks_too_long',
      ],
      [post({ blocks: 'not json' }), 'invalid_blocks_format'],
      [post({ metadata: { event_type: 1 } }), 'invalid_metadata_format'],
      [web.chat.update({ channel: general, ts: root, text: 'mine now' }), 'cant_update_message'],
      [web.chat.update({ channel: general, ts: '1.000001', text: 'x' }), 'message_not_found'],
      [web.chat.delete({ channel: general, ts: root }), 'cant_delete_message'],
      [web.chat.postEphemeral({ channel: general, user: gil, text: 'x' }), 'user_not_in_channel'],
      [web.reactions.add({ channel: general, timestamp: '1.000001', name: 'eyes' }), 'message_not_found'],
      [web.conversations.history({ channel: random }), 'not_in_channel'],
      [web.conversations.replies({ channel: general, ts: '1.000001' }), 'thread_not_found'],
      [web.users.info({ user: 'U0NONE' }), 'user_not_found'],
      [web.apiCall('chat.postMessage', { text: 'x' }), 'invalid_arguments'],
    ]
    for (const [call, error] of cases) expect((await refused(call)).error).toBe(error)
    const own = await web.chat.postMessage({ channel: general, text: 'x' })
    const long = web.chat.update({ channel: general, ts: String(own.ts), text: 'x'.repeat(4_001) })
    expect((await refused(long)).error).toBe('msg_too_long')
    await web.reactions.add({ channel: general, timestamp: root, name: 'eyes' })
    expect(
      (await refused(web.reactions.add({ channel: general, timestamp: root, name: 'eyes' }))).error,
    ).toBe('already_reacted')
  })

  test('invalid blocks come with what is wrong and where', async () => {
    const blocks = [{ type: 'section', text: { type: 'mrkdwn', text: 'x'.repeat(3_001) } }]
    const answer = await refused(
      client().apiCall('chat.postMessage', { channel: slack.channels.general, text: 'x', blocks }),
    )
    expect(answer.error).toBe('invalid_blocks')
    expect(answer.response_metadata).toMatchObject({
      messages: ['[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]'],
    })
  })

  test('a card with too long a body is taken and never seen', async () => {
    const body = { type: 'mrkdwn', text: 'x'.repeat(201) }
    const call = { channel: slack.channels.general, text: 'x', blocks: [{ type: 'card', body }] }
    expect((await client().apiCall('chat.postMessage', call)).ok).toBe(true)
    expect(slack.messages(slack.channels.general)).toEqual([])
  })

  test('whispers are for one person, links name the message', async () => {
    const web = client()
    const { general: channel } = slack.channels
    await web.chat.postEphemeral({ channel, user: ana, text: 'psst' })
    expect(slack.ephemerals(ana).map((one) => one.text)).toEqual(['psst'])
    expect(slack.messages(channel)).toEqual([])
    const root = await slack.say(ana, channel, 'root')
    const { ts } = await web.chat.postMessage({ channel, text: 'reply', thread_ts: root })
    const { permalink } = await web.chat.getPermalink({ channel, message_ts: String(ts) })
    expect(permalink).toBe(
      `${slack.url}/archives/${channel}/p${String(ts).replace('.', '')}?thread_ts=${root}&cid=${channel}`,
    )
  })
})

describe('reading', () => {
  test('history and replies, in pages, with metadata only when asked for', async () => {
    const web = client()
    const { general: channel } = slack.channels
    const root = await slack.say(ana, channel, 'first')
    const metadata = { event_type: 'run', event_payload: { run: 'r1' } }
    for (const text of ['a', 'b', 'c'])
      await web.chat.postMessage({ channel, thread_ts: root, text, metadata })
    await slack.say(ben, channel, 'last')

    const history = await web.conversations.history({ channel, limit: 1 })
    expect(history.messages?.map((one) => one.text)).toEqual(['last'])
    expect(history.has_more).toBe(true)
    const cursor = String(history.response_metadata?.next_cursor)
    const older = await web.conversations.history({ channel, limit: 1, cursor })
    expect(older.messages).toMatchObject([{ text: 'first', reply_count: 3, thread_ts: root }])

    const thread = await web.conversations.replies({ channel, ts: root })
    expect(thread.messages?.map((one) => one.text)).toEqual(['first', 'a', 'b', 'c'])
    expect(thread.messages?.[1]).not.toHaveProperty('metadata')
    const full = await web.conversations.replies({ channel, ts: root, include_all_metadata: true })
    expect(full.messages?.[1]).toMatchObject({ metadata, parent_user_id: ana })
    const second = String(thread.messages?.[2]?.ts)
    const later = await web.conversations.replies({ channel, ts: root, oldest: second })
    expect(later.messages?.map((one) => one.text)).toEqual(['first', 'c'])
  })

  test('channels, members, people, the team', async () => {
    const web = client()
    const list = await web.conversations.list({ types: 'public_channel,im' })
    expect(list.channels?.filter((one) => one.is_im)).toHaveLength(4)
    expect((await web.conversations.info({ channel: slack.channels.partners })).channel).toMatchObject({
      is_ext_shared: true,
      is_member: true,
    })
    expect((await web.conversations.info({ channel: slack.channels.random })).channel).toMatchObject({
      is_member: false,
    })
    expect((await web.conversations.members({ channel: slack.channels.partners })).members).toContain(gil)
    expect((await web.users.info({ user: gil })).user).toMatchObject({ is_restricted: true })
    expect((await web.users.info({ user: 'U0CHLOE' })).user).toMatchObject({ is_admin: true })
    expect((await web.users.list({})).members).toHaveLength(5)
    expect((await web.conversations.open({ users: ana })).channel?.id).toBe(slack.dm(ana))
    expect((await web.team.info()).team?.id).toBe(slack.team)
    await web.conversations.join({ channel: slack.channels.random })
    expect((await web.conversations.info({ channel: slack.channels.random })).channel).toMatchObject({
      is_member: true,
    })
  })

  test('user groups and who is in them', async () => {
    const web = client()
    const { oncall } = slack.groups
    const { ben, chloe, gil } = slack.users
    const listed = await web.usergroups.list({ include_users: true, include_count: true })
    expect(listed.usergroups).toMatchObject([
      { id: oncall, handle: 'oncall', users: [ben, chloe], user_count: '2', date_delete: 0 },
    ])
    expect((await web.usergroups.list({})).usergroups?.[0]).not.toHaveProperty('users')
    expect((await web.usergroups.users.list({ usergroup: oncall })).users).toEqual([ben, chloe])
    await slack.regroup(oncall, [gil])
    expect((await web.usergroups.users.list({ usergroup: oncall })).users).toEqual([gil])
    await expect(web.usergroups.users.list({ usergroup: 'S0NONE' })).rejects.toThrow('no_such_subteam')
    await slack.deactivate(ben)
    expect((await web.users.info({ user: ben })).user).toMatchObject({ deleted: true })
    slack.scopes.splice(slack.scopes.indexOf('usergroups:read'), 1)
    await expect(web.usergroups.list({})).rejects.toThrow('missing_scope')
  })
})

describe('streams and sessions', () => {
  const channel = 'C0GENERAL'
  const recipient = { recipient_user_id: ana, recipient_team_id: 'T0DEMO' }

  test('the client’s own streamer: text, tasks that grow, blocks at the end', async () => {
    const thread_ts = await slack.say(ana, channel, 'go')
    const streamer = client().chatStream({
      channel,
      thread_ts,
      ...recipient,
      task_display_mode: 'plan',
      buffer_size: 1,
    })
    await streamer.append({ chunks: [{ type: 'plan_update', title: 'Looking' }] })
    const task = { type: 'task_update' as const, id: 't1' }
    await streamer.append({ chunks: [{ ...task, title: 'Read', status: 'in_progress', details: 'one ' }] })
    expect(slack.messages(channel, thread_ts)[1]?.streaming).toBe(true)
    await streamer.append({ chunks: [{ ...task, title: 'Read all', status: 'complete', details: 'two' }] })
    await streamer.append({ markdown_text: 'Hello ' })
    await streamer.append({ markdown_text: '**world**' })
    await streamer.stop({
      blocks: [{ type: 'divider' }],
      session_status: 'active',
      metadata: { event_type: 'x', event_payload: {} },
    })
    const message = slack.messages(channel, thread_ts)[1]
    expect(message).toMatchObject({ text: 'Hello **world**', metadata: { event_type: 'x' } })
    expect(message?.streaming).toBeUndefined()
    expect(message?.blocks).toMatchObject([
      {
        type: 'plan',
        title: 'Looking',
        tasks: [
          {
            title: 'Read all',
            status: 'complete',
            details: { elements: [{ elements: [{ text: 'one two' }] }] },
          },
        ],
      },
      { type: 'markdown', text: 'Hello **world**' },
      { type: 'divider' },
    ])
    expect(slack.session(channel, thread_ts)).toBe('active')
  })

  test('what Slack refuses of a stream', async () => {
    const web = client()
    const thread_ts = await slack.say(ana, channel, 'go')
    const start = (extra: object = {}) =>
      web.apiCall('chat.startStream', { channel, thread_ts, ...recipient, ...extra })
    expect((await refused(start({ recipient_user_id: undefined }))).error).toBe('missing_recipient_user_id')
    expect((await refused(start({ recipient_team_id: undefined }))).error).toBe('missing_recipient_team_id')
    expect((await refused(start({ thread_ts: undefined }))).error).toBe('invalid_arguments')
    expect((await refused(start({ chunks: [{ type: 'sound' }] }))).error).toBe('invalid_chunks')
    const ts = String(((await start()) as { ts?: string }).ts)
    const append = (extra: object) => web.apiCall('chat.appendStream', { channel, ts, ...extra })
    expect((await refused(append({ markdown_text: 'x', chunks: [] }))).error).toBe('invalid_arguments')
    expect((await refused(append({}))).error).toBe('no_text')
    expect((await refused(append({ markdown_text: 'x'.repeat(10_601) }))).error).toBe('msg_too_long')
    expect((await refused(web.chat.update({ channel, ts, text: 'x' }))).error).toBe(
      'streaming_state_conflict',
    )
    expect((await refused(web.chat.delete({ channel, ts }))).error).toBe('cant_delete_message')
    await web.chat.stopStream({ channel, ts })
    expect((await refused(append({ markdown_text: 'x' }))).error).toBe('message_not_in_streaming_state')
    await web.chat.update({ channel, ts, text: 'now it may' })
  })

  test('a stream keeps to how it began; its text gives way to rich text only', async () => {
    const web = client()
    const thread_ts = await slack.say(ana, channel, 'go')
    const begin = { channel, thread_ts, ...recipient, markdown_text: 'and so' }
    const text = String((await web.chat.startStream(begin)).ts)
    const chunks = [{ type: 'plan_update' as const, title: 'Looking' }]
    expect((await refused(web.chat.appendStream({ channel, ts: text, chunks }))).error).toBe(
      'streaming_mode_mismatch',
    )
    const told = await web.chat.stopStream({ channel, ts: text })
    expect(told.message).toMatchObject({ streaming_state: 'completed' })
    const section = { type: 'section' as const, text: { type: 'plain_text' as const, text: 'so' } }
    const replace = (blocks: object[]) =>
      web.apiCall('chat.update', { channel, ts: text, text: 'so', blocks })
    expect((await refused(replace([section]))).error).toBe('block_mismatch')
    const words = { type: 'rich_text_section', elements: [{ type: 'text', text: 'so' }] }
    await replace([section, { type: 'rich_text', elements: [words] }])
  })

  test('a plan that ends under a running step goes wrong, and a session is active after its stream', async () => {
    const web = client()
    const thread_ts = await slack.say(ana, channel, 'go')
    const task = { type: 'task_update' as const, id: '1', title: 'Read', status: 'in_progress' as const }
    const begin = { channel, thread_ts, ...recipient, task_display_mode: 'plan', chunks: [task] }
    await web.agents.sessions.setStatus({ channel_id: channel, thread_ts, status: 'processing' })
    const ts = String((await web.chat.startStream(begin)).ts)
    await web.chat.stopStream({ channel, ts })
    expect(slack.messages(channel, thread_ts)[1]?.blocks?.[0]).toMatchObject({
      title: 'Something went wrong',
    })
    expect(slack.session(channel, thread_ts)).toBe('active')
  })

  test('a stream ends by itself, and by the person who presses Stop', async () => {
    await open({ streamMs: 40 })
    const web = client()
    const thread_ts = await slack.say(ana, channel, 'go')
    const call = { channel, thread_ts, ...recipient, markdown_text: 'and so' }
    const first = String((await web.chat.startStream(call)).ts)
    await slack.until(() => slack.messages(channel, thread_ts)[1]?.streaming === undefined)
    const append = (ts: string) => refused(web.chat.appendStream({ channel, ts, markdown_text: 'x' }))
    expect((await append(first)).error).toBe('message_not_in_streaming_state')
    expect(slack.messages(channel, thread_ts)[1]).toMatchObject({ streaming_state: 'errored' })
    const second = String((await web.chat.startStream(call)).ts)
    await slack.interrupt(ana, channel, thread_ts)
    expect((await append(second)).error).toBe('stopped_by_user')
  })

  test('sessions have a status and keep their first title', async () => {
    const web = client()
    const thread_ts = await slack.say(ana, channel, 'go')
    const set = (status: string, title?: string) =>
      web.agents.sessions.setStatus({ channel_id: channel, thread_ts, status, ...(title ? { title } : {}) })
    expect(await set('processing', 'A title')).toMatchObject({ status: 'processing', title: 'A title' })
    expect(await set('active', 'Another')).toMatchObject({ title: 'A title' })
    expect(slack.session(channel, thread_ts)).toBe('active')
    expect((await refused(set('busy'))).error).toBe('invalid_arguments')
    slack.misbehave.unsubscribe()
    expect(await set('processing')).toMatchObject({
      warning: 'missing_agent_session_stopped_event_subscription',
    })
    const stranger = { channel_id: channel, thread_ts, status: 'active', initiator_user_id: slack.users.gil }
    expect((await refused(web.agents.sessions.setStatus(stranger))).error).toBe('user_not_in_channel')
    await web.assistant.threads.setSuggestedPrompts({
      channel_id: slack.dm(ana),
      prompts: [{ title: 'a', message: 'b' }],
    })
  })
})

test('a session counts as at work for an hour at most', async () => {
  await open({ sessionMs: 40 })
  const thread_ts = await slack.say(ana, 'C0GENERAL', 'go')
  await client().agents.sessions.setStatus({ channel_id: 'C0GENERAL', thread_ts, status: 'processing' })
  expect(slack.session('C0GENERAL', thread_ts)).toBe('processing')
  await slack.until(() => slack.session('C0GENERAL', thread_ts) === 'active')
})

describe('views', () => {
  const view = (blocks: object[] = [{ type: 'divider' }]) => ({
    type: 'modal' as const,
    title: { type: 'plain_text' as const, text: 'A view' },
    blocks: blocks as never[],
  })

  test('a trigger is needed, once, and in time', async () => {
    await open({ triggerMs: 30 })
    const web = client()
    expect((await refused(web.views.open({ trigger_id: 'none', view: view() }))).error).toBe(
      'invalid_trigger_id',
    )
    const triggers: string[] = []
    const server = await receive((payload) => triggers.push(String(payload.trigger_id)))
    await slack.command(ana, slack.channels.general, '/quorum a')
    await slack.command(ana, slack.channels.general, '/quorum b')
    await web.views.open({ trigger_id: String(triggers[1]), view: view() })
    expect((await refused(web.views.open({ trigger_id: String(triggers[1]), view: view() }))).error).toBe(
      'exchanged_trigger_id',
    )
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect((await refused(web.views.open({ trigger_id: String(triggers[0]), view: view() }))).error).toBe(
      'expired_trigger_id',
    )
    await server.close()
  })

  test('updating needs the right hash, and views are checked', async () => {
    const web = client()
    const { view: home } = await web.views.publish({ user_id: ana, view: { type: 'home', blocks: [] } })
    expect(slack.home(ana)?.id).toBe(home?.id)
    const stale = web.views.publish({ user_id: ana, hash: 'old', view: { type: 'home', blocks: [] } })
    expect((await refused(stale)).error).toBe('hash_conflict')
    expect((await refused(web.views.update({ view_id: 'V0NONE', view: view() }))).error).toBe('not_found')
    const many = Array.from({ length: 101 }, () => ({ type: 'divider' }))
    const answer = await refused(
      web.views.publish({ user_id: ana, view: { type: 'home', blocks: many as never[] } }),
    )
    expect(answer.error).toBe('invalid_arguments')
    expect(JSON.stringify(answer.response_metadata)).toContain('no more than 100 items allowed')
  })

  /** Takes commands over HTTP, with the payload as it came. */
  async function receive(take: (payload: Record<string, unknown>) => void) {
    const { createServer } = await import('node:http')
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (part) => {
        body += part
      })
      request.on('end', () => {
        const challenge = /"challenge":"([^"]+)"/.exec(body)?.[1]
        if (!challenge) take(Object.fromEntries(new URLSearchParams(body)))
        response.end(challenge)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    slack.sendEventsTo(`http://127.0.0.1:${port}/`)
    return { close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) }
  }
})

test('a file is uploaded by the client’s own three steps and shared in the thread', async () => {
  const channel = slack.channels.general
  const thread_ts = await slack.say(ana, channel, 'send it')
  await client().filesUploadV2({
    channel_id: channel,
    thread_ts,
    filename: 'a.txt',
    file: Buffer.from('hello'),
    initial_comment: 'here',
  })
  const message = slack.messages(channel, thread_ts)[1]
  expect(message).toMatchObject({ text: 'here', files: [{ name: 'a.txt', size: 5 }] })
  expect(await (await fetch(String(message?.files?.[0]?.url_private))).text()).toBe('hello')
  expect(
    (await refused(client().apiCall('files.completeUploadExternal', { files: [{ id: 'F0NONE' }] }))).error,
  ).toBe('file_not_found')
})

describe('misbehaving', () => {
  const post = () => client().chat.postMessage({ channel: slack.channels.general, text: 'x' })
  const said = () => slack.messages(slack.channels.general).length

  test('429 with Retry-After, as often as told', async () => {
    slack.misbehave.limit('chat.postMessage', 7, 2)
    await expect(post()).rejects.toMatchObject({ code: 'slack_webapi_rate_limited_error', retryAfter: 7 })
    await expect(post()).rejects.toMatchObject({ retryAfter: 7 })
    await post()
    expect(said()).toBe(1)
    expect(slack.calls.map((one) => one.error)).toEqual(['ratelimited', 'ratelimited', undefined])
  })

  test('a refusal, a 500, a reset, a lost answer', async () => {
    slack.misbehave.refuse('chat.postMessage', 'fatal_error')
    expect((await refused(post())).error).toBe('fatal_error')
    slack.misbehave.breakHttp('*', 1)
    await expect(post()).rejects.toMatchObject({ code: 'slack_webapi_http_error', statusCode: 500 })
    slack.misbehave.breakHttp('chat.postMessage', 1, 'reset')
    await expect(post()).rejects.toMatchObject({ code: 'slack_webapi_request_error' })
    expect(said()).toBe(0)
    slack.misbehave.breakHttp('chat.postMessage', 1, 'lost')
    await expect(post()).rejects.toMatchObject({ code: 'slack_webapi_request_error' })
    expect(said()).toBe(1)
  })

  test('a slow answer comes after the effect', async () => {
    slack.misbehave.slow('chat.postMessage', 150)
    const started = Date.now()
    const call = post()
    await slack.until(() => said() === 1)
    await call
    expect(Date.now() - started).toBeGreaterThanOrEqual(145)
  })

  test('Slack’s tiers, when they are asked for', async () => {
    await open({ tiers: true })
    const answers = await Promise.allSettled(Array.from({ length: 5 }, post))
    expect(answers.filter((one) => one.status === 'fulfilled')).toHaveLength(3)
    const lists = await Promise.allSettled(Array.from({ length: 22 }, () => client().users.list({})))
    expect(lists.filter((one) => one.status === 'rejected')).toHaveLength(2)
    const refusal = lists.find((one) => one.status === 'rejected')
    expect(refusal?.reason).toMatchObject({ retryAfter: 3 })
  })
})

test('waiting says what it saw when it runs out, and passes on what the probe throws', async () => {
  await slack.say(ana, slack.channels.general, 'the last words')
  await expect(slack.until(() => slack.messages('C0GENERAL').length === 2, 50)).rejects.toThrow(
    /after 50 ms[\s\S]*the last words/,
  )
  await expect(
    slack.until(() => {
      throw new Error('boom')
    }),
  ).rejects.toThrow('boom')
})

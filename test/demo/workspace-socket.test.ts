import { App, LogLevel } from '@slack/bolt'
import { WebClient } from '@slack/web-api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'

type Seen = { type: string; subtype?: string; event: Record<string, unknown>; body: Record<string, unknown> }

let slack: Workspace
const apps: App[] = []

beforeEach(async () => {
  slack = await openWorkspace({ retryWaits: [0, 50, 100], ackMs: 400 })
})
afterEach(async () => {
  for (const app of apps.splice(0)) await app.stop()
  await slack.close()
})

/** An unmodified Bolt app in Socket Mode that notes what it hears. */
async function startApp(prepare?: (app: App) => void): Promise<{ app: App; seen: Seen[] }> {
  const app = new App({
    token: slack.botToken,
    appToken: slack.appToken,
    socketMode: true,
    logLevel: LogLevel.ERROR,
    clientOptions: { slackApiUrl: slack.apiUrl },
    ignoreSelf: false,
  })
  const seen: Seen[] = []
  app.use(async ({ payload, body, next }) => {
    const event = payload as unknown as Record<string, unknown>
    seen.push({
      type: String(event.type),
      ...(event.subtype ? { subtype: String(event.subtype) } : {}),
      event,
      body: body as unknown as Record<string, unknown>,
    })
    await next()
  })
  prepare?.(app)
  await app.start()
  apps.push(app)
  await slack.until(() => slack.connections() >= apps.length)
  return { app, seen }
}

const { ana, ben, gil } = { ana: 'U0ANA', ben: 'U0BEN', gil: 'U0GIL' }

describe('events over Socket Mode', () => {
  test('a mention arrives as app_mention and as message, with one ts and two event ids', async () => {
    const { seen } = await startApp()
    const ts = await slack.say(ana, slack.channels.general, '@quorum how is <it> & @ben?')
    await slack.until(() => seen.length === 2)
    expect(seen.map((one) => one.type)).toEqual(['app_mention', 'message'])
    expect(seen.map((one) => one.event.ts)).toEqual([ts, ts])
    expect(new Set(seen.map((one) => one.body.event_id)).size).toBe(2)
    expect(seen[0]?.event.text).toBe('<@U0QUORUM> how is &lt;it&gt; &amp; <@U0BEN>?')
    expect(seen[1]?.event.channel_type).toBe('channel')
    expect(seen[0]?.body.authorizations).toMatchObject([{ team_id: slack.team, user_id: slack.botUser }])
  })

  test('with both off, a mention arrives once', async () => {
    const { seen } = await startApp()
    slack.misbehave.both(false)
    await slack.say(ana, slack.channels.general, '@quorum one')
    await slack.say(ana, slack.channels.general, 'two')
    await slack.until(() => seen.length === 2)
    expect(seen.map((one) => one.type)).toEqual(['app_mention', 'message'])
  })

  test('nothing is heard where the app is no member; an invitation changes that', async () => {
    const { seen } = await startApp()
    await slack.say(ana, slack.channels.random, '@quorum can you hear me?')
    await slack.invite(slack.botUser, slack.channels.random)
    await slack.say(ana, slack.channels.random, 'and now?')
    await slack.until(() => seen.length === 2)
    expect(seen.map((one) => one.type)).toEqual(['member_joined_channel', 'message'])
  })

  test('edits, deletions, tombstones and unfurls arrive as Slack sends them', async () => {
    const { app, seen } = await startApp()
    const channel = slack.channels.general
    const first = await slack.say(ana, channel, 'one')
    await slack.edit(ana, channel, first, 'two')
    await slack.unfurl(channel, first)
    await slack.remove(ana, channel, first)
    const second = await slack.say(ana, channel, 'three')
    await app.client.chat.postMessage({ channel, thread_ts: second, text: 'an answer' })
    await slack.remove(ana, channel, second)
    await slack.until(() => seen.length === 7)
    expect(seen.map((one) => one.subtype)).toEqual([
      undefined,
      'message_changed',
      'message_changed',
      'message_deleted',
      undefined,
      undefined,
      'message_changed',
    ])
    expect(seen[1]?.event).toMatchObject({
      message: { text: 'two', edited: { user: ana } },
      previous_message: { text: 'one' },
    })
    expect(seen[2]?.event).toMatchObject({ message: { text: 'two' }, previous_message: { text: 'two' } })
    expect(seen[3]?.event).toMatchObject({ deleted_ts: first, previous_message: { text: 'two' } })
    expect(seen[5]?.event).toMatchObject({ bot_id: slack.botId, thread_ts: second, parent_user_id: ana })
    expect(seen[6]?.event).toMatchObject({
      message: { subtype: 'tombstone', ts: second },
      previous_message: { text: 'three' },
    })
  })

  test('a direct message, an opened Home, a stopped session', async () => {
    const { seen } = await startApp()
    const ts = await slack.say(ben, slack.dm(ben), '@quorum hello')
    await slack.openHome(ben)
    await slack.interrupt(ben, slack.dm(ben), ts)
    await slack.until(() => seen.length === 3)
    expect(seen.map((one) => one.type)).toEqual(['message', 'app_home_opened', 'agent_session_stopped'])
    expect(seen[0]?.event.channel_type).toBe('im')
    expect(seen[2]?.event).toMatchObject({ thread_ts: ts, user: ben, streaming_message_ts: [] })
  })

  test('people only write where they are', async () => {
    await expect(slack.say(gil, slack.channels.general, 'hi')).rejects.toThrow(/not a member/)
    await expect(slack.say('U0NOBODY', slack.channels.general, 'hi')).rejects.toThrow(/nobody/)
    const ts = await slack.say(ana, slack.channels.general, 'mine')
    await expect(slack.edit(ben, slack.channels.general, ts, 'x')).rejects.toThrow(/author/)
    await expect(slack.say(ana, slack.channels.general, 'x', { thread: '1.000001' })).rejects.toThrow(
      /thread/,
    )
  })
})

describe('delivery', () => {
  test('an acknowledged event comes again when told to, with a rising attempt', async () => {
    const { seen } = await startApp()
    slack.misbehave.redeliver(20)
    await slack.say(ana, slack.channels.general, 'once')
    await slack.say(ana, slack.channels.general, 'twice')
    await slack.until(() => seen.length === 22)
    const again = seen.filter((one) => one.event.text === 'once')
    expect(new Set(again.map((one) => one.body.event_id)).size).toBe(1)
    expect(slack.deliveries.filter((one) => one.attempt > 0).map((one) => one.attempt)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    )
  })

  test('what is not acknowledged is repeated three times and then given up', async () => {
    const { seen } = await startApp((app) => {
      // A receiver that never reaches Bolt never acknowledges.
      const { receiver } = app as unknown as {
        receiver: { client: { removeAllListeners(name: string): void } }
      }
      receiver.client.removeAllListeners('slack_event')
    })
    await slack.say(ana, slack.channels.general, 'hello?')
    await slack.until(() => slack.deliveries.length === 4 && slack.pending() === 0)
    expect(slack.deliveries.map((one) => one.attempt)).toEqual([0, 1, 2, 3])
    expect(slack.deliveries.every((one) => one.acknowledged === undefined)).toBe(true)
    expect(seen).toEqual([])
  })

  test('what happens while no socket is open waits for the next one', async () => {
    await slack.say(ana, slack.channels.general, 'early')
    expect(slack.pending()).toBe(1)
    const { seen } = await startApp()
    await slack.until(() => slack.pending() === 0)
    expect(seen.map((one) => one.event.text)).toEqual(['early'])
  })

  test('a dropped socket gives its unacknowledged envelopes to another', async () => {
    const { open } = await openRaw()
    const deaf = await open()
    await slack.say(ana, slack.channels.general, 'to whoever lives')
    await slack.until(() => deaf.frames.length === 2)
    const alive = await open()
    deaf.socket.terminate()
    await slack.until(() => alive.frames.length === 2)
    expect(alive.frames[1]).toMatchObject({ type: 'events_api', retry_attempt: 1 })
    alive.socket.send(JSON.stringify({ envelope_id: alive.frames[1]?.envelope_id }))
    await slack.until(() => slack.pending() === 0)
  })

  test('dropSockets cuts everybody without a word', async () => {
    const { open } = await openRaw()
    const one = await open()
    const two = await open()
    slack.misbehave.dropSockets()
    await slack.until(() => one.closed() === 1006 && two.closed() === 1006)
    expect(slack.connections()).toBe(0)
  })

  test('with several sockets each envelope goes to one of them', async () => {
    const first = await startApp()
    const second = await startApp()
    for (let n = 0; n < 6; n++) await slack.say(ana, slack.channels.general, `message ${n}`)
    await slack.until(() => first.seen.length + second.seen.length === 6 && slack.pending() === 0)
    expect(first.seen.length).toBe(3)
  })

  test('shuffled events arrive out of order', async () => {
    const { seen } = await startApp()
    slack.misbehave.shuffle(true)
    for (const text of ['one', 'two', 'three']) await slack.say(ana, slack.channels.general, text)
    await slack.until(() => seen.length === 3)
    expect(seen.map((one) => one.event.text)).toEqual(['three', 'two', 'one'])
  })

  test('a connection needs a ticket, and a ticket is good for once', async () => {
    const client = new WebClient(slack.appToken, { slackApiUrl: slack.apiUrl })
    const { url } = await client.apps.connections.open()
    const { WebSocket } = await import('ws')
    const socket = new WebSocket(String(url))
    await slack.until(() => slack.connections() === 1)
    const again = new WebSocket(String(url))
    const failed = await new Promise<Error>((resolve) => again.once('error', resolve))
    expect(failed.message).toContain('401')
    socket.terminate()
  })
})

describe('what people press', () => {
  const button = (action_id: string, value?: string) => ({
    type: 'button' as const,
    text: { type: 'plain_text' as const, text: action_id },
    action_id,
    ...(value ? { value } : {}),
  })

  test('a click reaches the app; the response URL replaces, deletes and whispers', async () => {
    const { app, seen } = await startApp((one) => {
      one.action('approve', async ({ ack, respond, body }) => {
        await ack()
        await respond({ replace_original: true, text: `approved by ${body.user.id}` })
        await respond({ text: 'only you see this' })
      })
      one.action('deny', async ({ ack, respond }) => {
        await ack()
        await respond({ delete_original: true })
      })
    })
    const channel = slack.channels.general
    const blocks = [{ type: 'actions' as const, elements: [button('approve', 'a1'), button('deny', 'a1')] }]
    const { ts } = await app.client.chat.postMessage({ channel, text: 'card', blocks })
    await expect(slack.click(ben, channel, String(ts), 'launch')).rejects.toThrow(/no button "launch"/)
    await expect(slack.click(ben, channel, String(ts), 'approve', 'a2')).rejects.toThrow(/no button/)
    await slack.click(ben, channel, String(ts), 'approve', 'a1')
    const replaced = await slack.until(() =>
      slack.messages(channel).find((one) => one.ts === ts && one.text === 'approved by U0BEN'),
    )
    expect(replaced.blocks).toBeUndefined()
    await slack.until(() => slack.ephemerals(ben).length === 1)
    expect(slack.ephemerals(ana)).toEqual([])
    const body = seen.find((one) => one.body.type === 'block_actions')?.body
    expect(body).toMatchObject({
      user: { id: ben },
      channel: { id: channel },
      message: { ts },
      container: { message_ts: ts },
      actions: [{ action_id: 'approve', value: 'a1', type: 'button' }],
    })

    const second = await app.client.chat.postMessage({ channel, text: 'card', blocks })
    await slack.click(ben, channel, String(second.ts), 'deny')
    await slack.until(() => !slack.messages(channel).some((one) => one.ts === second.ts))
  })

  test('a click nobody acknowledges in time is an error for the person', async () => {
    const { app } = await startApp((one) => one.action('wait', async () => {}))
    const channel = slack.channels.general
    const blocks = [{ type: 'actions' as const, elements: [button('wait')] }]
    const { ts } = await app.client.chat.postMessage({ channel, text: 'card', blocks })
    await expect(slack.click(ana, channel, String(ts), 'wait')).rejects.toThrow(/did not answer within 0.4 s/)
  })

  test('a slash command is answered by the acknowledgement and by the response URL', async () => {
    const { app } = await startApp((one) =>
      one.command('/quorum', async ({ ack, respond, command }) => {
        await ack(`you asked: ${command.text}`)
        await respond({ response_type: 'in_channel', text: 'said aloud' })
      }),
    )
    expect(app).toBeDefined()
    await slack.command(ana, slack.channels.general, '/quorum ask how are you')
    const said = await slack.until(() =>
      slack.messages(slack.channels.general).find((one) => one.text === 'said aloud'),
    )
    expect(said.bot_id).toBe(slack.botId)
    expect(slack.ephemerals(ana).map((one) => one.text)).toEqual(['you asked: ask how are you'])
    await expect(slack.command(ana, slack.channels.general, '/remind me')).rejects.toThrow(/not a command/)
  })

  test('a modal opens from a click, keeps errors, updates and closes', async () => {
    const field = {
      type: 'input' as const,
      block_id: 'why',
      label: { type: 'plain_text' as const, text: 'Why' },
      element: { type: 'plain_text_input' as const, action_id: 'text' },
    }
    const modal = (title: string) => ({
      type: 'modal' as const,
      callback_id: 'reason',
      title: { type: 'plain_text' as const, text: title },
      submit: { type: 'plain_text' as const, text: 'Send' },
      blocks: [field],
    })
    const values: unknown[] = []
    const { app } = await startApp((one) => {
      one.action('open', async ({ ack, body, client }) => {
        await ack()
        await client.views.open({
          trigger_id: (body as unknown as { trigger_id: string }).trigger_id,
          view: modal('First'),
        })
      })
      one.view('reason', async ({ ack, view }) => {
        values.push(view.state.values)
        const text = view.state.values.why?.text?.value
        if (text === 'bad') await ack({ response_action: 'errors', errors: { why: 'Not good enough.' } })
        else if (text === 'more') await ack({ response_action: 'update', view: modal('Second') })
        else await ack()
      })
    })
    const channel = slack.channels.general
    const blocks = [{ type: 'actions' as const, elements: [button('open')] }]
    const { ts } = await app.client.chat.postMessage({ channel, text: 'card', blocks })
    await slack.click(ana, channel, String(ts), 'open')
    const view = await slack.until(() => slack.views(ana)[0])
    expect(view.title).toMatchObject({ text: 'First' })
    await expect(slack.submit(ana, view.id, { why: {} })).rejects.toThrow('Why must be filled in.')
    await expect(slack.submit(ana, view.id, { why: { text: 'bad' } })).rejects.toThrow('Not good enough.')
    await slack.submit(ana, view.id, { why: { text: 'more' } })
    expect(slack.views(ana).map((one) => one.title)).toMatchObject([{ text: 'Second' }])
    await slack.submit(ana, view.id, { why: { text: 'fine' } })
    expect(slack.views(ana)).toEqual([])
    expect(values[2]).toEqual({ why: { text: { type: 'plain_text_input', value: 'fine' } } })
  })

  test('the Home tab is published and its buttons work', async () => {
    const { seen } = await startApp((one) => {
      one.event('app_home_opened', async ({ event, client }) => {
        const blocks = [{ type: 'actions' as const, elements: [button('refresh')] }]
        await client.views.publish({ user_id: event.user, view: { type: 'home', blocks } })
      })
      one.action('refresh', async ({ ack }) => ack())
    })
    await slack.openHome(ana)
    const home = await slack.until(() => slack.home(ana))
    await slack.clickView(ana, home.id, 'refresh')
    expect(seen.at(-1)?.body).toMatchObject({
      container: { type: 'view', view_id: home.id },
      view: { id: home.id },
    })
  })
})

/** Bare sockets, for what Bolt does too politely. */
async function openRaw() {
  const { WebSocket } = await import('ws')
  const client = new WebClient(slack.appToken, { slackApiUrl: slack.apiUrl })
  const open = async () => {
    const { url } = await client.apps.connections.open()
    const frames: Record<string, unknown>[] = []
    let code: number | undefined
    const socket = new WebSocket(String(url))
    socket.on('message', (data) => frames.push(JSON.parse(String(data))))
    socket.on('close', (closed) => {
      code = closed
    })
    await slack.until(() => frames[0]?.type === 'hello')
    return { socket, frames, closed: () => code }
  }
  return { open }
}

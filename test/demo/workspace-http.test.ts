import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { App, HTTPReceiver, LogLevel } from '@slack/bolt'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'

let slack: Workspace
const closing: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  slack = await openWorkspace({ retryWaits: [0, 30, 60], ackMs: 400 })
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  await slack.close()
})

const ana = 'U0ANA'

/** An unmodified Bolt app behind a signed HTTP endpoint. */
async function startApp(signingSecret: string, prepare: (app: App) => void): Promise<App> {
  const receiver = new HTTPReceiver({ signingSecret, port: 0, logLevel: LogLevel.ERROR })
  const app = new App({
    token: slack.botToken,
    receiver,
    logLevel: LogLevel.ERROR,
    clientOptions: { slackApiUrl: slack.apiUrl },
  })
  prepare(app)
  const server = (await app.start(0)) as unknown as { address(): AddressInfo }
  closing.push(() => app.stop())
  slack.sendEventsTo(`http://127.0.0.1:${server.address().port}/slack/events`)
  return app
}

/** A bare endpoint that answers as `answer` says. */
async function startEndpoint(answer: (n: number) => number) {
  const requests: { headers: IncomingHttpHeaders; body: string }[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      const challenge = /"challenge":"([^"]+)"/.exec(body)?.[1]
      if (challenge) return response.end(challenge)
      requests.push({ headers: request.headers, body })
      response.writeHead(answer(requests.length)).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  slack.sendEventsTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/events`)
  return requests
}

test('signed events, clicks, commands and submissions reach an unmodified Bolt app', async () => {
  const heard: string[] = []
  const view = {
    type: 'modal' as const,
    callback_id: 'form',
    title: { type: 'plain_text' as const, text: 'Form' },
    blocks: [{ type: 'divider' as const }],
  }
  const app = await startApp(slack.signingSecret, (one) => {
    one.event('app_mention', async ({ event, say }) => {
      heard.push(event.text)
      await say({ text: 'here', thread_ts: event.ts })
    })
    one.action('go', async ({ ack, body, client }) => {
      await ack()
      await client.views.open({ trigger_id: (body as unknown as { trigger_id: string }).trigger_id, view })
    })
    one.command('/quorum', async ({ ack, command }) => ack({ text: `heard ${command.text}` }))
    one.view('form', async ({ ack }) => ack({ response_action: 'clear' }))
  })
  const channel = slack.channels.general
  const ts = await slack.say(ana, channel, '@quorum hello')
  const answer = await slack.until(() => slack.messages(channel, ts)[1])
  expect(answer).toMatchObject({ text: 'here', bot_id: slack.botId })
  expect(heard).toEqual(['<@U0QUORUM> hello'])

  await slack.command(ana, channel, '/quorum status')
  expect(slack.ephemerals(ana)[0]?.text).toBe('heard status')

  const button = {
    type: 'button' as const,
    text: { type: 'plain_text' as const, text: 'Go' },
    action_id: 'go',
  }
  const card = await app.client.chat.postMessage({
    channel,
    text: 'x',
    blocks: [{ type: 'actions', elements: [button] }],
  })
  await slack.click(ana, channel, String(card.ts), 'go')
  const open = await slack.until(() => slack.views(ana)[0])
  await slack.submit(ana, open.id, {})
  expect(slack.views(ana)).toEqual([])
})

test('an app with another signing secret hears nothing, and the event is given up', async () => {
  let heard = 0
  await startApp('another-secret', (one) => {
    one.event('message', async () => {
      heard += 1
    })
  })
  await slack.say(ana, slack.channels.general, 'hello')
  await slack.until(() => slack.deliveries.length === 4 && slack.pending() === 0)
  expect(heard).toBe(0)
})

test('a failing endpoint is asked again with the number and the reason of the retry', async () => {
  const requests = await startEndpoint((n) => (n < 3 ? 503 : 200))
  await slack.say(ana, slack.channels.general, 'hello')
  await slack.until(() => slack.pending() === 0)
  expect(requests.map(({ headers }) => headers['x-slack-retry-num'])).toEqual([undefined, '1', '2'])
  expect(requests[1]?.headers['x-slack-retry-reason']).toBe('http_error')
  expect(requests[0]?.headers['x-slack-signature']).toMatch(/^v0=[0-9a-f]{64}$/)
  expect(new Set(requests.map(({ body }) => JSON.parse(body).event_id)).size).toBe(1)
})

test('an acknowledged event is sent again when told to', async () => {
  const requests = await startEndpoint(() => 200)
  slack.misbehave.redeliver(3)
  await slack.say(ana, slack.channels.general, 'hello')
  await slack.until(() => slack.pending() === 0)
  expect(requests.map(({ headers }) => headers['x-slack-retry-num'])).toEqual([undefined, '1', '2', '3'])
  expect(requests[1]?.headers['x-slack-retry-reason']).toBe('http_timeout')
})

test('an endpoint that is not there is tried four times', async () => {
  slack.sendEventsTo('http://127.0.0.1:1/slack/events')
  await slack.say(ana, slack.channels.general, 'hello')
  await slack.until(() => slack.deliveries.length === 4 && slack.pending() === 0)
})

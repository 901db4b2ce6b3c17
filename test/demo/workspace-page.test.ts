import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebClient } from '@slack/web-api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON as the page gets it, looked at field by field.
type Loose = any

let slack: Workspace
let dir: string

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'workspace-'))
  mkdirSync(join(dir, 'page'))
  writeFileSync(join(dir, 'page', 'index.html'), '<title>page</title>')
  writeFileSync(join(dir, 'page', 'main.js'), 'export {}')
  writeFileSync(join(dir, 'secret.js'), 'secret')
  slack = await openWorkspace({ file: join(dir, 'said.jsonl'), pageDir: join(dir, 'page'), ackMs: 200 })
})
afterEach(async () => {
  await slack.close()
  rmSync(dir, { recursive: true })
})

const { ana, ben, gil } = { ana: 'U0ANA', ben: 'U0BEN', gil: 'U0GIL' }
const web = () => new WebClient(slack.botToken, { slackApiUrl: slack.apiUrl })

async function get(path: string) {
  const response = await fetch(slack.url + path)
  return { status: response.status, body: (await response.json()) as Loose }
}

async function post(path: string, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(slack.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as Loose }
}

/** What the page of one person is told. */
async function watch(user: string) {
  const told: Loose[] = []
  const socket = new WebSocket(`${slack.url.replace('http', 'ws')}/ui/live?as=${user}`)
  socket.on('message', (data) => told.push(JSON.parse(String(data))))
  await new Promise((resolve) => socket.once('open', resolve))
  return { told, close: () => socket.terminate() }
}

describe('the page', () => {
  test('static files have their types and nothing outside is served', async () => {
    const index = await fetch(`${slack.url}/`)
    expect(index.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(index.headers.get('cache-control')).toBe('no-store')
    expect((await fetch(`${slack.url}/page/main.js`)).headers.get('content-type')).toContain(
      'text/javascript',
    )
    for (const path of [
      '/page/../secret.js',
      '/page/%2e%2e/secret.js',
      '/page/..%2fsecret.js',
      '/page/none.js',
      '/etc/passwd',
    ]) {
      expect((await fetch(slack.url + path)).status).toBe(404)
    }
  })

  test('foreign hosts and origins are refused', async () => {
    expect((await post('/ui/say', {}, { origin: 'https://evil.example' })).status).toBe(403)
    expect((await post('/ui/say', {}, { origin: 'null' })).status).toBe(403)
    const { port } = new URL(slack.url)
    const status = await new Promise((resolve) =>
      request(
        { host: '127.0.0.1', port, path: '/ui/boot', headers: { host: `evil.example:${port}` } },
        (response) => {
          response.resume()
          resolve(response.statusCode)
        },
      ).end(),
    )
    expect(status).toBe(403)
    const socket = new WebSocket(`${slack.url.replace('http', 'ws')}/ui/live?as=${ana}`, {
      origin: 'https://evil.example',
    })
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve))
    expect(error.message).toContain('403')
    const form = await fetch(`${slack.url}/ui/say`, { method: 'POST', body: 'as=U0ANA' })
    expect(form.status).toBe(400)
  })

  test('boot tells who is there and where', async () => {
    const { body } = await get('/ui/boot')
    expect(body.team).toEqual({ id: 'T0DEMO', name: 'Demo' })
    expect(body.bot).toBe(slack.botUser)
    expect(body.users.find((one: Loose) => one.id === gil)).toMatchObject({
      name: 'gil',
      is_guest: true,
      is_bot: false,
    })
    expect(body.channels.map((one: Loose) => one.name)).toEqual(['general', 'ops', 'random', 'partners'])
    expect((await get(`/ui/dm?as=${ana}`)).body.channel).toBe(slack.dm(ana))
  })

  test('saying, answering, editing, deleting, reading', async () => {
    const channel = slack.channels.general
    const said = await post('/ui/say', { as: ana, channel, text: '@quorum hi' })
    const { ts } = said.body
    const reply = await post('/ui/say', { as: ben, channel, thread_ts: ts, text: 'me too' })
    expect((await get(`/ui/history?as=${ana}&channel=${channel}`)).body.messages).toMatchObject([
      { ts, text: '<@U0QUORUM> hi', reply_count: 1, reply_users: [ben] },
    ])
    await post('/ui/edit', { as: ben, channel, ts: reply.body.ts, text: 'me three' })
    const thread = await get(`/ui/thread?as=${ana}&channel=${channel}&ts=${ts}`)
    expect(thread.body.messages.map((one: Loose) => one.text)).toEqual(['<@U0QUORUM> hi', 'me three'])
    await post('/ui/delete', { as: ben, channel, ts: reply.body.ts })
    expect((await get(`/ui/thread?as=${ana}&channel=${channel}&ts=${ts}`)).body.messages).toHaveLength(1)
  })

  test('mistakes are one sentence', async () => {
    const channel = slack.channels.general
    const cases = [
      await post('/ui/say', { as: ana, channel }),
      await post('/ui/say', { as: gil, channel, text: 'x' }),
      await post('/ui/dance', { as: ana }),
      await post('/ui/click', { as: ana, channel, message_ts: '1.0', action_id: 'a' }),
      await post('/ui/command', { as: ana, channel, text: '/other' }),
      await get(`/ui/history?as=${gil}&channel=${channel}`),
    ]
    for (const { status, body } of cases) {
      expect(status).toBe(400)
      expect(body.error).toMatch(/^[^\n]+\.$/)
    }
  })

  test('each person is told what they may see', async () => {
    const channel = slack.channels.general
    const [forAna, forBen, forGil] = [await watch(ana), await watch(ben), await watch(gil)]
    const root = await slack.say(ana, channel, 'hello')
    await web().chat.postEphemeral({ channel, user: ana, text: 'psst' })
    await web().agents.sessions.setStatus({
      channel_id: channel,
      thread_ts: root,
      status: 'processing',
      title: 'T',
    })
    const { ts } = await web().chat.startStream({
      channel,
      thread_ts: root,
      markdown_text: 'a',
      recipient_user_id: ana,
      recipient_team_id: slack.team,
    })
    await web().chat.stopStream({ channel, ts: String(ts) })
    await web().views.publish({ user_id: ana, view: { type: 'home', blocks: [] } })
    await slack.say(ana, slack.dm(ana), 'mine alone')
    const last = await slack.say(ana, slack.channels.partners, 'hello partners')
    await slack.until(() => [forAna, forBen, forGil].every(({ told }) => told.at(-1)?.message?.ts === last))
    expect(forAna.told.map((one) => one.type)).toEqual([
      'message',
      'ephemeral',
      'session',
      'message',
      'changed',
      'session',
      'changed',
      'home',
      'message',
      'message',
    ])
    expect(forAna.told[2]).toEqual({
      type: 'session',
      channel,
      thread_ts: root,
      status: 'processing',
      title: 'T',
    })
    expect(forAna.told[3]?.message.streaming).toBe(true)
    expect(forBen.told.map((one) => one.type)).toEqual([
      'message',
      'session',
      'changed',
      'session',
      'changed',
      'message',
    ])
    expect(forBen.told[4]?.message).toMatchObject({ ts, text: 'a' })
    expect(forGil.told.map((one) => one.message?.text)).toEqual(['hello partners'])
    for (const page of [forAna, forBen, forGil]) page.close()
  })
})

describe('keeping', () => {
  test('what was said is there again, even after a torn write', async () => {
    const channel = slack.channels.general
    const file = join(dir, 'said.jsonl')
    const root = await slack.say(ana, channel, 'first')
    const { ts } = await web().chat.postMessage({ channel, thread_ts: root, text: 'draft' })
    await web().chat.update({ channel, ts: String(ts), text: 'answer' })
    const gone = await slack.say(ana, channel, 'oops')
    await slack.remove(ana, channel, gone)
    await web().agents.sessions.setStatus({ channel_id: channel, thread_ts: root, status: 'closed' })
    await slack.invite(slack.botUser, slack.channels.random)
    await slack.close()
    appendFileSync(file, '{"message":{"type":"mess')

    slack = await openWorkspace({ file })
    expect(slack.messages(channel).map((one) => one.text)).toEqual(['first', 'answer'])
    expect(slack.messages(channel, root)[0]?.reply_count).toBe(1)
    expect(slack.session(channel, root)).toBe('closed')
    await web().chat.postMessage({ channel: slack.channels.random, text: 'I am here' })
    const next = await slack.say(ana, channel, 'more')
    expect(Number(next)).toBeGreaterThan(Number(ts))
    await slack.close()
    for (const line of readFileSync(file, 'utf8').trim().split('\n'))
      expect(() => JSON.parse(line)).not.toThrow()

    slack = await openWorkspace({ file })
    expect(slack.messages(channel).map((one) => one.text)).toEqual(['first', 'answer', 'more'])
  })

  test('a taken port becomes the next free one', async () => {
    const port = Number(new URL(slack.url).port)
    await using other = await openWorkspace({ port })
    const got = Number(new URL(other.url).port)
    expect(got).toBeGreaterThan(port)
    expect(got).toBeLessThanOrEqual(port + 20)
  })
})

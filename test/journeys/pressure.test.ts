/** Slack at its worst: away for an hour, twice the line, the same request again, clocks that differ. */
import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { ToolServer } from '../../src/core/home.ts'
import { openWorkspace } from '../../src/demo/workspace/open.ts'
import { serve } from '../../src/doors/serve.ts'
import { METHODS } from '../../src/slack/call.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { makeTemporary } from '../support/temporary.ts'

vi.setConfig({ testTimeout: 180_000 })

const answer = () => ({ text: 'Here I am.' })
const runsOf = async (stage: Stage) =>
  (await stage.engines.store.pool.query('select message from runs order by created_at')).rows.map(
    ({ message }) => String(message),
  )
/** Makes the workspace have been listened to for the last time so many minutes ago. */
const absent = (stage: Stage, minutes: number) =>
  stage.engines.store.pool.query(
    `update presence set heard_at = now() - $1 * interval '1 minute', reading_until = now()`,
    [minutes],
  )
const caughtUp = (stage: Stage) =>
  until(async () => {
    const left = await stage.engines.store.pool.query(
      "select from presence where missed_from is not null or heard_at < now() - interval '1 minute'",
    )
    return left.rowCount === 0
  }, 90_000)

describe('nobody listened for an hour', () => {
  test('what was said to us meanwhile is answered, each thing once', async () => {
    await using stage = await openStage({ model: answer })
    const { workspace } = stage
    const { general, ops } = workspace.channels
    const { ana, ben } = workspace.users
    const before = await stage.ask('@quorum who is on call?')
    const old = await workspace.say(ben, ops, 'a thread without us')
    await stage.stop()
    const said = [
      await workspace.say(ana, general, '@quorum a first question'),
      await workspace.say(ben, ops, '@quorum a question in a thread', { thread: old }),
      await workspace.say(ana, workspace.dm(ana), 'a question in private'),
      await workspace.say(ana, general, 'and who is it tomorrow?', { thread: before.ts }),
    ]
    await workspace.say(ben, general, 'nothing for us')
    await workspace.say(ben, ops, 'nor this', { thread: old })
    workspace.misbehave.giveUp()
    await absent(stage, 60)
    await stage.restart()
    await caughtUp(stage)
    await until(async () => (await runsOf(stage)).length === 5, 90_000)
    expect((await runsOf(stage)).toSorted()).toEqual([before.ts, ...said].toSorted())
    for (const [channel, thread, runs] of [
      [general, said[0] ?? '', 1],
      [ops, old, 1],
      [workspace.dm(ana), said[2] ?? '', 1],
      [general, before.ts, 2],
    ] as const) {
      await stage.ended(channel, thread, runs)
      expect(stage.said(channel, thread).filter((text) => text.startsWith('Here I am'))).toHaveLength(runs)
    }
    await absent(stage, 60)
    await stage.restart()
    await caughtUp(stage)
    expect(await runsOf(stage)).toHaveLength(5)
  })

  test('what Slack also repeats is answered once', async () => {
    await using stage = await openStage({ model: answer })
    const { workspace } = stage
    await stage.ask('@quorum first')
    await stage.stop()
    const ts = await workspace.say(workspace.users.ana, workspace.channels.general, '@quorum once?')
    await absent(stage, 60)
    await stage.restart()
    await caughtUp(stage)
    await stage.ended(workspace.channels.general, ts)
    expect(await runsOf(stage)).toHaveLength(2)
  })

  test('where history cannot be read just now it is read later, and a channel that cannot be read at all holds up no other', async () => {
    await using stage = await openStage({ model: answer })
    const { workspace } = stage
    await stage.ask('@quorum first')
    await stage.stop()
    const ts = await workspace.say(workspace.users.ana, workspace.channels.ops, '@quorum later?')
    workspace.misbehave.giveUp()
    await absent(stage, 60)
    workspace.misbehave.refuse('users.conversations', 'internal_error', 3)
    // #general comes first.
    workspace.misbehave.refuse('conversations.history', 'a_new_word')
    await stage.restart()
    await workspace.until(
      () => workspace.calls.filter(({ error }) => error === 'internal_error').length === 3,
      20_000,
    )
    await stage.engines.store.pool.query('update presence set reading_until = now()')
    await stage.restart()
    await stage.ended(workspace.channels.ops, ts)
    expect(stage.log.join('\n')).toContain('internal_error')
    await workspace.until(() => stage.log.join('\n').includes('a_new_word'), 60_000)
  })

  test('also where our clock is minutes ahead of Slack’s', async () => {
    await using stage = await openStage({ model: answer })
    const { workspace, engines } = stage
    await stage.ask('@quorum first')
    await stage.stop()
    const ts = await workspace.say(workspace.users.ana, workspace.channels.general, '@quorum before we left?')
    workspace.misbehave.giveUp()
    await engines.store.pool.query(
      `update presence set heard_at = now(), missed_from = now() + interval '3 minutes', reading_until = now()`,
    )
    await stage.restart()
    await stage.ended(workspace.channels.general, ts)
  })

  test('a short while is left to Slack, and a first start reads nothing', async () => {
    await using stage = await openStage({ model: answer })
    await stage.ask('@quorum first')
    await stage.restart()
    await absent(stage, 1)
    await stage.restart()
    await until(async () => {
      const seen = await stage.engines.store.pool.query(
        `select from presence where heard_at > now() - interval '30 seconds' and missed_from is null`,
      )
      return seen.rowCount === 1
    })
    expect(stage.workspace.calls.filter(({ method }) => method === 'users.conversations')).toEqual([])
  })
})

test('two processes hear the same workspace, events come twice and in any order: one run each', async () => {
  await using stage = await openStage({ model: answer })
  const { workspace, engines } = stage
  const { botToken, appToken, apiUrl } = workspace
  const second = await serve(engines, { botToken, appToken, apiUrl }, 'slack')
  try {
    await workspace.until(() => workspace.connections() === 2, 60_000)
    workspace.misbehave.shuffle(true)
    const asked: string[] = []
    for (let i = 0; i < 6; i++) {
      workspace.misbehave.redeliver(2)
      asked.push(
        await workspace.say(workspace.users.ana, workspace.channels.general, `@quorum question ${i}`),
      )
      if (i === 3) workspace.misbehave.dropSockets()
    }
    for (const ts of asked) await stage.ended(workspace.channels.general, ts)
    expect((await runsOf(stage)).toSorted()).toEqual(asked.toSorted())
    for (const ts of asked) {
      const said = stage.said(workspace.channels.general, ts)
      expect(said.filter((text) => text.startsWith('Here I am'))).toHaveLength(1)
    }
  } finally {
    await second.close(1_000)
  }
})

describe('signed requests', () => {
  const signed = (secret: string, body: string, seconds: number) => ({
    'content-type': 'application/json',
    'x-slack-request-timestamp': String(seconds),
    'x-slack-signature': `v0=${createHmac('sha256', secret).update(`v0:${seconds}:${body}`).digest('hex')}`,
  })

  test('the same request again is one run; an old one and a forged one are refused, Slack’s clock may be ahead', async () => {
    await using stage = await openStage({ model: answer, http: true })
    const { workspace, engines } = stage
    const url = `http://127.0.0.1:${engines.env.PORT}/slack/events`
    const { general } = workspace.channels
    const ts = await workspace.say(workspace.users.ana, general, 'a root')
    const body = JSON.stringify({
      type: 'event_callback',
      event_id: 'Ev1',
      team_id: workspace.team,
      authorizations: [{ team_id: workspace.team }],
      event: {
        type: 'app_mention',
        channel: general,
        user: workspace.users.ana,
        ts,
        text: `<@${workspace.botUser}> hello`,
      },
    })
    const now = Math.floor(Date.now() / 1000)
    const send = async (secret: string, seconds: number) =>
      (await fetch(url, { method: 'POST', headers: signed(secret, body, seconds), body })).status
    expect(await send(workspace.signingSecret, now)).toBe(200)
    expect(await send(workspace.signingSecret, now)).toBe(200)
    expect(await send(workspace.signingSecret, now - 200)).toBe(200)
    expect(await send(workspace.signingSecret, now - 301)).toBe(401)
    expect(await send(workspace.signingSecret, now + 200)).toBe(200)
    expect(await send('not the secret', now)).toBe(401)
    await stage.ended(general, ts)
    expect(await runsOf(stage)).toEqual([ts])
    expect(stage.said(general, ts).filter((text) => text.startsWith('Here I am'))).toHaveLength(1)
  })
})

test('at once more than a channel takes: every question is answered, progress is what is left out', async () => {
  const speed = 40
  await using stage = await openStage({ model: answer, speed, slots: 8 })
  const { workspace } = stage
  const people = workspace.hire(12)
  const channel = workspace.createChannel('busy', people)
  const asked = await Promise.all(
    people.map((user, i) => workspace.say(user, channel, `@quorum question ${i}`)),
  )
  for (const ts of asked) await stage.ended(channel, ts)
  for (const ts of asked)
    expect(stage.said(channel, ts).filter((text) => text.startsWith('Here I am'))).toHaveLength(1)
  const refused = workspace.calls.filter(({ error }) => error === 'ratelimited')
  expect(refused.length).toBeLessThanOrEqual(workspace.calls.length * 0.03)
}, 190_000)

test('limits of every method: what is waited for comes, what is dropped is progress, and approvals are taken', async () => {
  await using temporary = await makeTemporary()
  const desk = fileURLToPath(import.meta.resolve('../support/servers/desk.ts'))
  const record = path.join(temporary.dir, 'record')
  await using stage = await openStage({
    model: ({ body }) =>
      body.messages.at(-1)?.role === 'tool'
        ? answer()
        : { calls: [{ name: 'desk__book', args: { id: 'a day', before: 0, after: 0 } }] },
    servers: { desk: ToolServer.parse({ command: process.execPath, args: [desk, record] }) },
    policy: { desk__book: { decision: 'ask', approvers: ['requester'] } },
  })
  const { workspace } = stage
  const { ana } = workspace.users
  const { general } = workspace.channels
  for (const method of Object.keys(METHODS)) workspace.misbehave.limit(method, 1)
  const ts = await workspace.say(ana, general, '@quorum book a day')
  const card = await stage.card(general, ts)
  for (const method of Object.keys(METHODS)) workspace.misbehave.limit(method, 1)
  await workspace.click(ana, general, card, 'approve')
  await stage.ended(general, ts)
  expect(await readFile(record, 'utf8')).toBe('a day\n')
  expect(stage.said(general, ts).filter((text) => text.startsWith('Here I am'))).toHaveLength(1)
  const limited = new Set(
    workspace.calls.flatMap(({ method, error }) => (error === 'ratelimited' ? [method] : [])),
  )
  expect([...limited]).toEqual(
    expect.arrayContaining(['chat.postMessage', 'chat.update', 'conversations.info']),
  )
})

test('the local workspace gives up what nobody acknowledged', async () => {
  await using workspace = await openWorkspace()
  await workspace.say(workspace.users.ana, workspace.channels.general, '@quorum anybody?')
  expect(workspace.pending()).toBeGreaterThan(0)
  workspace.misbehave.giveUp()
  const { WebSocket } = await import('ws')
  const address = (await (
    await fetch(`${workspace.apiUrl}apps.connections.open`, {
      method: 'POST',
      headers: { authorization: `Bearer ${workspace.appToken}` },
    })
  ).json()) as { url: string }
  const socket = new WebSocket(address.url)
  await new Promise((resolve) => socket.once('open', resolve))
  await workspace.until(() => workspace.pending() === 0)
  expect(workspace.deliveries.filter(({ acknowledged }) => acknowledged)).toEqual([])
  socket.close()
})

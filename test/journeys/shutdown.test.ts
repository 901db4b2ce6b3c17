import { expect, test } from 'vitest'
import { Fault } from '../../src/core/fault.ts'
import { openWorkspace } from '../../src/demo/workspace/open.ts'
import { startCommand } from '../support/command.ts'
import { makeHome } from '../support/home.ts'
import { openStage } from '../support/stage.ts'
import { packaged } from '../support/tools.ts'

test('a run at work when the process ends is handed back and answered once, after the restart', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let asked = 0
  await using stage = await openStage({
    model: async () => {
      asked += 1
      if (asked === 1) await promise
      return { text: `Answer ${asked}.` }
    },
  })
  const { workspace } = stage
  const channel = workspace.channels.general
  const ts = await workspace.say(workspace.users.ana, channel, '@quorum a long one')
  await workspace.until(() => asked === 1)
  const begun = Date.now()
  await stage.stop()
  expect(Date.now() - begun).toBeLessThan(10_000)
  const left = await stage.engines.store.pool.query(
    'select active, lease_until from runs where message = $1',
    [ts],
  )
  expect(left.rows[0]).toEqual({ active: true, lease_until: null })
  await stage.restart()
  await stage.ended(channel, ts)
  resolve()
  expect(stage.said(channel, ts).filter((text) => text.startsWith('Answer'))).toEqual(['Answer 2.'])
})

test('a store that is away for a moment: Slack is not answered and repeats, nothing is lost', async () => {
  await using stage = await openStage({ model: { text: 'Here.' } })
  const { workspace, engines } = stage
  const channel = workspace.channels.general
  const query = engines.store.pool.query.bind(engines.store.pool)
  let failures = 2
  engines.store.pool.query = ((...args: Parameters<typeof query>) => {
    if (String(args[0]).startsWith('insert into inbox') && failures-- > 0) {
      throw new Fault('store-unreachable', 'the database is away', { retry: true })
    }
    return query(...args)
  }) as typeof query
  const ts = await workspace.say(workspace.users.ana, channel, '@quorum hello?')
  await stage.ended(channel, ts)
  expect(stage.said(channel, ts).at(-1)).toBe('Here.')
  expect(workspace.deliveries.some((d) => d.attempt > 0 && d.acknowledged !== undefined)).toBe(true)
})

test('the queue wiped while runs wait: they are answered all the same', async () => {
  await using stage = await openStage({
    slots: 1,
    servers: { memory: packaged('@modelcontextprotocol/server-memory') },
    model: ({ body }) => ({ text: `${body.messages.length} messages.` }),
  })
  const { workspace, engines } = stage
  const channel = workspace.channels.general
  const asked = await Promise.all(
    [1, 2, 3, 4].map((i) => workspace.say(workspace.users.ana, channel, `@quorum question ${i}`)),
  )
  // What a wipe leaves behind: wake-ups marked as handed over that no queue knows.
  await engines.store.pool.query(
    `update wakeups set dispatched_at = now() - interval '1 minute', id = gen_random_uuid()`,
  )
  for (const ts of asked) await stage.ended(channel, ts)
})

test('what waits out a limit of Slack does not hold up the end', async () => {
  await using stage = await openStage({ budgets: { fairness: { teams: { S0NIGHTOWLS: 2 } } } })
  const { workspace } = stage
  const asked = () => workspace.calls.filter(({ method }) => method === 'usergroups.users.list').length
  await workspace.until(() => asked() > 0)
  const before = asked()
  workspace.misbehave.limit('usergroups.users.list', 50)
  await stage.restart()
  await workspace.until(() => asked() > before)
  const begun = Date.now()
  await stage.stop()
  expect(Date.now() - begun).toBeLessThan(25_000)
}, 120_000)

test('a start that waits for its database ends at once and well', async () => {
  await using home = await makeHome({
    'models.yaml': JSON.stringify({
      pools: { main: { model: 'test', replicas: ['http://127.0.0.1:9/v1'] } },
    }),
  })
  const command = startCommand(['worker'], {
    cwd: home.dir,
    env: {
      SLACK_BOT_TOKEN: 'xoxb-1',
      SLACK_APP_TOKEN: 'xapp-1',
      DATABASE_URL: 'postgres://127.0.0.1:9/quorum',
      QUORUM_HOME: home.dir,
      PORT: '0',
    },
  })
  await command.printed(/waiting for/)
  command.signal('SIGTERM')
  expect(await command.ended).toBe(0)
  expect(command.err()).not.toMatch(/unreachable|Error/)
}, 60_000)

test('a process that cannot reach Slack says so once, and ends when it is asked to', async () => {
  await using home = await makeHome({
    'models.yaml': JSON.stringify({
      pools: { main: { model: 'test', replicas: ['http://127.0.0.1:9/v1'] } },
    }),
  })
  await using workspace = await openWorkspace()
  const command = startCommand(['start'], {
    cwd: home.dir,
    env: {
      SLACK_BOT_TOKEN: workspace.botToken,
      SLACK_APP_TOKEN: workspace.appToken,
      SLACK_API_URL: workspace.apiUrl,
      QUORUM_HOME: home.dir,
      PORT: '0',
    },
  })
  try {
    await command.printed(/quorum is running/)
    await workspace.close()
    // The second attempt comes at most half a second after the first.
    await command.printed(/Cannot connect to Slack/)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    command.signal('SIGTERM')
    const late = new Promise((resolve) => setTimeout(resolve, 10_000, 'still there').unref())
    expect(await Promise.race([command.ended, late])).toBe(0)
    expect(command.err().match(/Slack.*(lost|connect|fail)/gi)).toHaveLength(2)
  } finally {
    command.signal('SIGKILL')
    await command.ended
  }
}, 60_000)

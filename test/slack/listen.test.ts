import { connect as openConnection } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Heard } from '../../src/core/heard.ts'
import { inboxKey } from '../../src/core/heard.ts'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { cardMessage } from '../../src/slack/blocks/card.ts'
import { homeView } from '../../src/slack/blocks/home.ts'
import { planMessage } from '../../src/slack/blocks/plan.ts'
import { traceView } from '../../src/slack/blocks/trace.ts'
import type { Change } from '../../src/slack/changes.ts'
import type { LineSettings } from '../../src/slack/line.ts'
import type { SlackHandlers } from '../../src/slack/listen.ts'
import { openSlack, type Slack } from '../support/slack.ts'

let workspace: Workspace
let slack: Slack
let inbox: Map<string, Heard>
let handled: Heard[]
let changes: Change[]
let order: string[]
let logs: string[]
let broken: boolean

const handlers: SlackHandlers = {
  overhear: async () => {},
  changed: async (change) => {
    if (broken) throw new Error('the store is away')
    changes.push(change)
  },
  intake: async (heard) => {
    order.push(`intake ${heard.kind}`)
    if (broken) throw new Error('the store is away')
    if (inbox.has(inboxKey(heard))) return 'known'
    inbox.set(inboxKey(heard), heard)
    return 'stored'
  },
  handle: async (heard) => {
    order.push(`handle ${heard.kind}`)
    handled.push(heard)
  },
  open: async (_, run) => (run === 'run-1' ? traceView(run, []) : `There is no run ${run}.`),
  check: async () => undefined,
  home: async () =>
    homeView({
      name: 'quorum',
      runs: [],
      approvals: [],
      questions: [],
      connections: [],
      budgets: [],
      servers: [],
      sources: [],
      preferences: { trace: 'plan' },
    }),
}

async function connect(mode: 'socket' | 'http'): Promise<void> {
  const base = {
    botToken: workspace.botToken,
    apiUrl: workspace.apiUrl,
    log: (_level: string, message: string) => void logs.push(message),
  }
  const settings: LineSettings & { botToken: string } =
    mode === 'socket'
      ? { ...base, appToken: workspace.appToken }
      : { ...base, signingSecret: workspace.signingSecret, port: 0 }
  slack = await openSlack(settings, handlers)
  await slack.start()
  const url = slack.eventsUrl()
  if (url) workspace.sendEventsTo(url)
}

beforeEach(async () => {
  inbox = new Map()
  handled = []
  changes = []
  order = []
  logs = []
  broken = false
  workspace = await openWorkspace({ retryWaits: [0, 50, 100, 100, 100], ackMs: 1500 })
})
afterEach(async () => {
  await slack?.close(1000)
  await workspace.close()
})

describe.each(['socket', 'http'] as const)('over %s', (mode) => {
  beforeEach(() => connect(mode))

  test('who is who and who is in what is told as it changes, and told again where it could not be noted', async () => {
    const { users, channels, groups } = workspace
    broken = true
    await workspace.invite(users.gil, channels.ops)
    await workspace.until(() => workspace.deliveries.length > 0)
    broken = false
    await workspace.until(() => workspace.pending() === 0)
    await workspace.leave(users.gil, channels.ops)
    await workspace.regroup(groups.oncall, [users.ana])
    await workspace.restrict(users.ben, true)
    const zoe = workspace.welcome('zoe', 'guest')
    await workspace.share(channels.ops, true)
    await workspace.deactivate(users.chloe)
    await workspace.until(() => workspace.pending() === 0)
    const ops = `channel:${channels.ops}`
    expect(changes).toEqual(
      expect.arrayContaining([
        { scope: ops },
        { scope: `group:${groups.oncall}` },
        { person: users.ben, kind: 'guest' },
        { person: zoe, kind: 'guest' },
        { person: users.chloe, kind: 'gone' },
      ]),
    )
    expect(changes.filter((one) => 'scope' in one && one.scope === ops).length).toBeGreaterThanOrEqual(4)
    expect(inbox.size).toBe(0)
  })

  test('a mention is stored, then acknowledged, then handled, once', async () => {
    const { users, channels } = workspace
    workspace.misbehave.redeliver(3)
    await workspace.say(users.ana, channels.general, '@quorum how do we roll back?')
    await workspace.until(() => workspace.pending() === 0 && handled.length > 0)
    expect(handled).toEqual([
      expect.objectContaining({
        kind: 'message',
        text: 'how do we roll back?',
        mention: true,
        user: users.ana,
        workspace: workspace.team,
      }),
    ])
    expect(order[0]).toBe('intake message')
    expect(order.filter((line) => line.startsWith('intake')).length).toBeGreaterThanOrEqual(5)
  })

  test('what cannot be stored is not acknowledged, and comes again', async () => {
    broken = true
    await workspace.say(workspace.users.ana, workspace.channels.general, '@quorum hello')
    await workspace.until(() => order.length >= 3, 15_000)
    expect(workspace.deliveries.filter((delivery) => delivery.acknowledged !== undefined)).toEqual([])
    broken = false
    await workspace.until(() => handled.length === 1, 15_000)
    expect(inbox.size).toBe(1)
  })

  test('our own messages and edits of nobody come back to nothing', async () => {
    const { ts } = await slack.speak.post(workspace.channels.general, undefined, { text: 'I am here' })
    await slack.speak.update(workspace.channels.general, ts, { text: 'I am still here' })
    await workspace.until(() => workspace.pending() === 0 && workspace.deliveries.length >= 2)
    expect(inbox.size).toBe(0)
  })

  test('Approve is acknowledged after it is stored', async () => {
    const { users, channels } = workspace
    const card = cardMessage({
      approval: 'ap-1',
      run: 'run-1',
      tool: 'files__write',
      server: 'files',
      args: { a: 1 },
      asker: users.ana,
      approvers: [[users.ben]],
      need: 1,
      votes: [],
      selfApprove: true,
      by: [],
      expires: new Date().toISOString(),
      state: 'pending',
    })
    const { ts } = await slack.speak.post(channels.general, undefined, card)
    await workspace.click(users.ben, channels.general, ts, 'approve')
    expect([...inbox.values()]).toMatchObject([
      { kind: 'clicked', choice: 'approve', approval: 'ap-1', user: users.ben },
    ])
    broken = true
    await expect(workspace.click(users.ben, channels.general, ts, 'deny')).rejects.toThrow()
  })

  test('"How I got here" opens the trace, or says why not', async () => {
    const { users, channels } = workspace
    for (const run of ['run-1', 'run-2']) {
      const done = planMessage({ title: 'Done', rows: [], done: true }, run)
      const { ts } = await slack.speak.post(channels.general, undefined, done)
      await workspace.click(users.ana, channels.general, ts, 'trace')
    }
    await workspace.until(
      () => workspace.views(users.ana).length === 1 && workspace.ephemerals(users.ana).length === 1,
    )
    expect(workspace.ephemerals(users.ana)[0]?.text).toBe('There is no run run-2.')
    expect(inbox.size).toBe(0)
  })

  test('what cannot be opened in App Home, where nothing can be whispered, is said in a modal', async () => {
    const { users } = workspace
    await workspace.openHome(users.ana)
    const home = await workspace.until(() => workspace.home(users.ana))
    await workspace.clickView(users.ana, home.id, 'preferences')
    const view = await workspace.until(() => workspace.views(users.ana).at(-1))
    expect(JSON.stringify(view.blocks)).toContain('There is no run open.')
    expect(inbox.size).toBe(0)
  })

  test('commands: help and nonsense are answered at once, the rest is stored', async () => {
    const { users, channels } = workspace
    for (const text of ['/quorum', '/quorum help', '/quorum dance', '/quorum ask'])
      await workspace.command(users.ana, channels.general, text)
    await workspace.until(() => workspace.ephemerals(users.ana).length === 4)
    expect(inbox.size).toBe(0)
    await workspace.command(users.ana, channels.general, '/quorum ask what is SEV2?')
    await workspace.until(() => handled.length === 1, 15_000)
    const [heard] = handled
    expect(heard).toMatchObject({ kind: 'commanded', word: 'ask', rest: 'what is SEV2?' })
    if (heard?.kind !== 'commanded') throw new Error('no command')
    await slack.speak.respond(heard.responseUrl, { text: 'here' })
    await workspace.until(() => workspace.ephemerals(users.ana).length === 5)
    broken = true
    await workspace.command(users.ana, channels.general, '/quorum status')
    await workspace.until(() => workspace.ephemerals(users.ana).at(-1)?.text.includes('try again'))
  })

  test('the Home tab, an edit, a deletion, Stop', async () => {
    const { users, channels } = workspace
    await workspace.openHome(users.ana)
    await workspace.until(() => workspace.home(users.ana))
    const ts = await workspace.say(users.ana, channels.general, '@quorum one')
    await workspace.edit(users.ana, channels.general, ts, '@quorum two')
    await workspace.unfurl(channels.general, ts)
    await workspace.remove(users.ana, channels.general, ts)
    await workspace.until(() => handled.length === 3)
    expect(handled.map((heard) => heard.kind).sort()).toEqual(['deleted', 'edited', 'message'])
    expect(handled.find((heard) => heard.kind === 'edited')).toMatchObject({ text: 'two', ts })
  })

  test('closing takes nothing new and waits for what is being done', async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const original = handlers.handle
    handlers.handle = async (heard) => {
      await held
      await original(heard)
    }
    try {
      await workspace.say(workspace.users.ana, workspace.channels.general, '@quorum hello')
      await workspace.until(() => inbox.size === 1)
      const closing = slack.close(5000)
      release()
      await closing
      expect(handled).toHaveLength(1)
    } finally {
      handlers.handle = original
    }
  })
})

test('a dropped socket is opened again, and what was said meanwhile arrives', async () => {
  await connect('socket')
  expect(slack.listening()).toBe(true)
  workspace.misbehave.dropSockets()
  await workspace.say(workspace.users.ana, workspace.channels.general, '@quorum still there?')
  await workspace.until(() => handled.length === 1, 15_000)
  expect(logs).toContain('The connection to Slack was lost; connecting again')
  expect(slack.listening()).toBe(true)
})

describe('what is wrong is said at the start', () => {
  const open = (more: Partial<LineSettings & { botToken: string }>) =>
    openSlack(
      { botToken: workspace.botToken, apiUrl: workspace.apiUrl, appToken: workspace.appToken, ...more },
      handlers,
    )

  test('a wrong bot token', async () => {
    await expect(open({ botToken: 'xoxb-wrong' })).rejects.toMatchObject({ code: 'slack-token' })
  })

  test('a wrong app token', async () => {
    await expect(open({ appToken: 'xoxb-bot' })).rejects.toMatchObject({
      code: 'slack-token',
      message: expect.stringContaining('xapp-'),
    })
    slack = await open({ appToken: 'xapp-wrong' })
    await expect(slack.start()).rejects.toMatchObject({
      code: 'slack-token',
      message: expect.stringContaining('SLACK_APP_TOKEN'),
    })
  })

  test('missing scopes are named', async () => {
    workspace.scopes.splice(0, workspace.scopes.length, 'chat:write', 'commands')
    await expect(open({})).rejects.toMatchObject({
      code: 'slack-scope',
      message: expect.stringMatching(/app_mentions:read.*channels:history.*users:read/),
    })
  })

  test('a small scope missing is a warning', async () => {
    workspace.scopes.splice(workspace.scopes.indexOf('mpim:read'), 1)
    slack = await open({ log: (_level, message) => void logs.push(message) })
    expect(logs.join()).toContain('mpim:read')
    expect(slack.identity).toMatchObject({
      workspace: workspace.team,
      botUser: workspace.botUser,
      botId: workspace.botId,
    })
  })

  test('no way to listen, and nobody there', async () => {
    await expect(open({ appToken: undefined })).rejects.toMatchObject({ code: 'config-invalid' })
    await expect(open({ apiUrl: 'http://127.0.0.1:9/api/' })).rejects.toMatchObject({
      code: 'slack-unreachable',
    })
  })
})

test('a connection that never asks anything does not hold up the end', async () => {
  await connect('http')
  const { hostname, port } = new URL(slack.eventsUrl() ?? '')
  const silent = openConnection(Number(port), hostname)
  silent.on('error', () => {})
  await new Promise((resolve) => silent.once('connect', resolve))
  await slack.close(1000)
}, 8_000)

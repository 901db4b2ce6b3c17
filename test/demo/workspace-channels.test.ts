import { type LogLevel, WebClient } from '@slack/web-api'
import { afterEach, expect, test } from 'vitest'
import { openWorkspace, type Workspace, type WorkspaceOptions } from '../../src/demo/workspace/open.ts'

let slack: Workspace
afterEach(() => slack.close())

async function open(options: WorkspaceOptions = {}): Promise<WebClient> {
  slack = await openWorkspace(options)
  return new WebClient(slack.botToken, {
    slackApiUrl: slack.apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logLevel: 'off' as LogLevel,
  })
}

test('a reply that is sent to the channel as well stands in its history and in its thread', async () => {
  const web = await open()
  const { ana, ben } = slack.users
  const channel = slack.channels.ops
  const root = await slack.say(ana, channel, 'Who knows?')
  await slack.say(ben, channel, 'Not me.', { thread: root })
  const shared = await slack.say(ben, channel, 'Chloe does.', { thread: root, broadcast: true })
  const history = await web.conversations.history({ channel })
  expect(history.messages?.map(({ ts }) => ts)).toEqual([shared, root])
  expect(history.messages?.[0]).toMatchObject({ subtype: 'thread_broadcast', thread_ts: root })
  expect(history.messages?.[1]).toMatchObject({ reply_count: 2, latest_reply: shared })
  const replies = await web.conversations.replies({ channel, ts: root })
  expect(replies.messages).toHaveLength(3)
})

test('an app that is sold elsewhere gets 15 messages, once in a while', async () => {
  const web = await open({ unlistedMs: 60_000 })
  const channel = slack.channels.ops
  for (let n = 0; n < 20; n++) await slack.say(slack.users.ana, channel, `Remark ${n}`)
  const page = await web.conversations.history({ channel, limit: 200 })
  expect(page.messages).toHaveLength(15)
  expect(page.has_more).toBe(true)
  const again = await web.conversations.history({ channel }).catch((error) => error)
  expect(again.retryAfter).toBeGreaterThan(50)
  expect((await web.conversations.info({ channel })).ok).toBe(true)
})

test('the channels the app is in, with their names and states', async () => {
  const web = await open()
  const board = slack.createChannel('board', [slack.users.ana], { private: true })
  await slack.rename(slack.channels.ops, 'operations')
  await slack.archive(slack.channels.general, true)
  const all = await web.users.conversations({ types: 'public_channel,private_channel' })
  expect(all.channels?.map(({ id, name, is_archived }) => [id, name, is_archived])).toEqual([
    [slack.channels.general, 'general', true],
    [slack.channels.ops, 'operations', false],
    [slack.channels.partners, 'partners', false],
    [board, 'board', false],
  ])
  const open_ = await web.users.conversations({ types: 'public_channel', exclude_archived: true })
  expect(open_.channels?.map(({ id }) => id)).toEqual([slack.channels.ops, slack.channels.partners])
  await expect(slack.say(slack.users.ana, slack.channels.general, 'Hello?')).rejects.toThrow('archived')
})

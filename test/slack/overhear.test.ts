import fc from 'fast-check'
import { expect, test } from 'vitest'
import { overhear } from '../../src/slack/overhear.ts'
import { plainText, wordsOf } from '../../src/slack/plain.ts'

const self = { workspace: 'T1', botUser: 'UBOT', botId: 'BBOT' }
const envelope = (event: Record<string, unknown>) => ({
  type: 'event_callback',
  team_id: 'T1',
  authorizations: [{ team_id: 'T1' }],
  event: { type: 'message', channel: 'C1', ...event },
})
const heard = (event: Record<string, unknown>) => overhear(envelope(event), self)
const said = { user: 'UANA', ts: '10.000100', text: 'hello' }
const place = { workspace: 'T1', channel: 'C1' }

test('a person, a reply, a reply to the channel as well, an edit', () => {
  const turn = { ts: '10.000100', author: 'UANA', app: false, text: 'hello' }
  expect(heard(said)).toEqual({ kind: 'said', ...place, turn })
  for (const subtype of ['file_share', 'me_message'])
    expect(heard({ ...said, subtype })).toEqual({ kind: 'said', ...place, turn })
  const reply = { kind: 'said', ...place, turn: { ...turn, thread: '9.000100' } }
  expect(heard({ ...said, thread_ts: '9.000100' })).toEqual(reply)
  expect(heard({ ...said, thread_ts: '9.000100', subtype: 'thread_broadcast' })).toEqual(reply)
  expect(heard({ ...said, thread_ts: said.ts })).toEqual({ kind: 'said', ...place, turn })
  const message = { ...said, text: 'hello!', edited: { ts: '11.000000' } }
  expect(heard({ subtype: 'message_changed', message, ts: '11.5' })).toEqual({
    ...{ kind: 'said', ...place },
    turn: { ...turn, text: 'hello!', edited: '11.000000' },
  })
})

test('what is gone, and what is not to be kept any more', () => {
  const unsaid = { kind: 'unsaid', ...place, ts: '10.000100' }
  expect(heard({ subtype: 'message_deleted', deleted_ts: '10.000100' })).toEqual(unsaid)
  const tombstone = {
    ts: '10.000100',
    subtype: 'tombstone',
    user: 'USLACKBOT',
    text: 'This message was deleted.',
  }
  expect(heard({ subtype: 'message_changed', message: tombstone })).toEqual(unsaid)
  const message = { ...said, text: '<@UBOT> hello', edited: { ts: '11.000000' } }
  expect(heard({ subtype: 'message_changed', message })).toEqual({ ...unsaid, edited: '11.000000' })
})

test('nothing is heard of us, of Slack itself, of what is said to us, of direct messages', () => {
  expect(heard({ ...said, user: 'UBOT' })).toBeUndefined()
  expect(heard({ ...said, bot_id: 'BBOT' })).toBeUndefined()
  for (const subtype of [
    'channel_join',
    'channel_leave',
    'channel_topic',
    'pinned_item',
    'bot_add',
    'some_new_thing',
  ])
    expect(heard({ ...said, subtype })).toBeUndefined()
  expect(heard({ ...said, text: ' <@UBOT|quorum> what is this?' })).toBeUndefined()
  expect(heard({ ...said, text: 'ask <@UBOT>' })).toMatchObject({ kind: 'said' })
  expect(heard({ ...said, text: '  ' })).toBeUndefined()
  expect(heard({ ...said, channel: 'D1' })).toBeUndefined()
  expect(heard({ ...said, type: 'app_mention' })).toBeUndefined()
})

test('another app is called by its name', () => {
  const app = {
    ts: '10.000100',
    bot_id: 'BDEPLOY',
    subtype: 'bot_message',
    text: 'live',
    bot_profile: { name: 'deploys' },
  }
  expect(heard(app)).toMatchObject({ turn: { author: 'deploys', app: true, text: 'live' } })
  const blocks = [
    { type: 'section', text: { type: 'mrkdwn', text: 'web *1.4* is live in <https://x.example|prod>' } },
  ]
  expect(heard({ ...app, text: 'live', blocks })).toMatchObject({
    turn: { text: 'web *1.4* is live in prod (https://x.example)' },
  })
})

test('what becomes of a channel', () => {
  const change = (event: Record<string, unknown>) => overhear(envelope(event), self)
  const channel = { kind: 'channel', ...place }
  expect(change({ type: 'channel_left' })).toEqual({ ...channel, change: 'left' })
  expect(change({ type: 'group_left' })).toEqual({ ...channel, change: 'left' })
  expect(change({ type: 'member_left_channel', user: 'UBOT' })).toEqual({ ...channel, change: 'left' })
  expect(change({ type: 'member_left_channel', user: 'UANA' })).toBeUndefined()
  expect(change({ type: 'member_joined_channel', user: 'UBOT' })).toEqual({ ...channel, change: 'joined' })
  expect(change({ type: 'channel_rename', channel: { id: 'C1', name: 'new' } })).toEqual({
    ...channel,
    change: 'renamed',
  })
  expect(change({ type: 'channel_archive' })).toEqual({ ...channel, change: 'archived' })
  expect(change({ type: 'channel_deleted' })).toEqual({ ...channel, change: 'gone' })
})

test("Slack's escapes as people read them", () => {
  expect(plainText('a &lt;b&gt; &amp;amp; <https://x.example/a|docs> <https://x.example>')).toBe(
    'a <b> &amp; docs (https://x.example/a) https://x.example',
  )
  expect(plainText('<mailto:a@b.example|a@b.example> <!here> <!date^1700000000^{date}|14 Nov>')).toBe(
    'a@b.example @here 14 Nov',
  )
  expect(plainText('<@U1|ana> <#C1|ops> <#C1> <!subteam^S1|@oncall>')).toBe('<@U1> <#C1> <#C1> <!subteam^S1>')
})

test('quotes, fields and files belong to what is said; a file that is gone does not', () => {
  const attachments = [
    { author_name: 'Ben', text: 'the old words\nof two lines' },
    { fallback: 'Only this' },
    { title: 'Ticket', fields: [{ title: 'State', value: 'open' }] },
  ]
  const files = [
    { name: 'a.txt', preview: 'inside' },
    { name: 'gone.txt', mode: 'tombstone' },
  ]
  expect(wordsOf({ text: 'See', attachments, files }, false)).toBe(
    'See\n> Ben\n> the old words\n> of two lines\n> Only this\n> Ticket\n> State: open\n[file: a.txt]\ninside',
  )
})

test('a secret is not kept', () => {
  const text = `Use AKIA${'Q3EGRIJLXNVO4TQ2'} for now`
  expect(heard({ ...said, text })).toMatchObject({ turn: { text: 'Use [secret removed] for now' } })
})

test('whatever comes, it does not throw', () => {
  fc.assert(
    fc.property(fc.anything(), fc.object(), (body, event) => {
      overhear(body, self)
      overhear(envelope({ ...event, text: 'x', ts: '1.0' }), self)
      overhear(envelope({ subtype: 'message_changed', message: { ...event, ts: '1.0' } }), self)
      return true
    }),
    { numRuns: 300 },
  )
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Heard, inboxKey } from '../../src/core/heard.ts'
import { hear } from '../../src/slack/hear.ts'

const self = { workspace: 'T1', botUser: 'UBOT', botId: 'BBOT' }

function envelope(event: Record<string, unknown>, more: Record<string, unknown> = {}) {
  return {
    type: 'event_callback',
    team_id: 'T1',
    event_id: 'Ev1',
    authorizations: [{ team_id: 'T1', user_id: 'UBOT', is_bot: true }],
    event: { channel: 'C1', ...event },
    ...more,
  }
}
const message = (more: Record<string, unknown> = {}) =>
  envelope({ type: 'message', user: 'UANA', ts: '10.1', text: 'hello', channel_type: 'channel', ...more })
const heardMessage = (body: unknown) => {
  const heard = hear(body, self)
  if (heard === 'ignored' || heard.kind !== 'message')
    throw new Error(`not a message: ${JSON.stringify(heard)}`)
  return heard
}

describe('messages', () => {
  test('a mention arrives twice and is one thing', () => {
    const text = '<@UBOT> how do we &lt;roll back&gt; &amp; when?'
    const mention = hear(
      envelope({ type: 'app_mention', user: 'UANA', ts: '10.1', text, team: 'TOTHER' }),
      self,
    )
    const plain = hear({ ...message({ text }), event_id: 'Ev2' }, self)
    if (mention === 'ignored' || plain === 'ignored') throw new Error('ignored')
    expect(mention).toMatchObject({
      kind: 'message',
      workspace: 'T1',
      mention: true,
      forOther: false,
      dm: false,
    })
    expect(mention).toMatchObject({ text: 'how do we <roll back> & when?' })
    expect(inboxKey(plain)).toBe(inboxKey(mention))
    expect(plain).toEqual(mention)
  })

  test('the workspace is that of the installation, not of the author', () => {
    const heard = hear({ ...message({ team: 'TOTHER' }), team_id: 'TFOREIGN' }, self)
    expect(heard).toMatchObject({ workspace: 'T1' })
    expect(hear({ ...message(), authorizations: [] }, self)).toMatchObject({ workspace: 'T1' })
  })

  test('a reply has a thread, a first message none', () => {
    expect(heardMessage(message({ thread_ts: '9.9' })).thread).toBe('9.9')
    expect(heardMessage(message({ thread_ts: '10.1' })).thread).toBeUndefined()
  })

  test('mentions of others stay, links and channels are spelt out', () => {
    const text =
      '<@UBEN|ben> see <https://a.example/x|the page>, <https://b.example>, <#C9|ops> <!here> <!subteam^S1|@oncall>'
    const heard = heardMessage(message({ text }))
    expect(heard.text).toBe(
      '<@UBEN> see the page (https://a.example/x), https://b.example, #ops @here @oncall',
    )
    expect(heard).toMatchObject({ forOther: true, mention: false })
  })

  test.each([
    ['<@UBOT> ask <@UBEN>', false],
    ['<@UBEN> ask <@UBOT>', true],
    ['<!subteam^S1> look', true],
    ['<!here> look', false],
    ['plain', false],
  ])('%s: for another: %s', (text, forOther) => {
    expect(heardMessage(message({ text })).forOther).toBe(forOther)
  })

  test('a direct message is one', () => {
    expect(heardMessage(message({ channel: 'D1', channel_type: 'im' })).dm).toBe(true)
    expect(heardMessage(message({ channel: 'G1', channel_type: 'mpim' })).dm).toBe(false)
  })

  test('a message of 200 kB is cut, and says so', () => {
    const heard = heardMessage(message({ text: '😀'.repeat(50_000) }))
    expect(heard.text.length).toBeLessThan(40_100)
    expect(heard.text).toContain('[The message was cut here: it had 100000 characters.]')
    expect(heard.text.isWellFormed()).toBe(true)
  })

  test('what a database would refuse does not come through', () => {
    expect(heardMessage(message({ text: 'a\0b\ud800c' })).text).toBe('ab\ufffdc')
  })

  test.each([
    ['another bot', { bot_id: 'BX' }],
    ['bot_message', { subtype: 'bot_message' }],
    ['ourselves', { user: 'UBOT' }],
    ['Slackbot', { user: 'USLACKBOT' }],
    ['a join', { subtype: 'channel_join' }],
    ['a topic', { subtype: 'channel_topic' }],
    ['nobody', { user: undefined }],
  ])('%s is ignored', (_name, more) => {
    expect(hear(message(more), self)).toBe('ignored')
  })

  test.each(['file_share', 'thread_broadcast', 'me_message'])('%s is a person writing', (subtype) => {
    expect(heardMessage(message({ subtype })).text).toBe('hello')
  })
})

describe('edits and deletions', () => {
  const changed = (now: Record<string, unknown>, before: Record<string, unknown>) =>
    envelope({
      type: 'message',
      subtype: 'message_changed',
      ts: '11.0',
      message: { user: 'UANA', ts: '10.1', text: 'new', edited: { user: 'UANA', ts: '11.0' }, ...now },
      previous_message: { user: 'UANA', ts: '10.1', text: 'old', ...before },
    })

  test('new words are an edit', () => {
    expect(hear(changed({ text: '<@UBOT> new' }, {}), self)).toEqual({
      kind: 'edited',
      workspace: 'T1',
      channel: 'C1',
      user: 'UANA',
      ts: '10.1',
      text: 'new',
      editedTs: '11.0',
      mention: true,
      dm: false,
    })
  })

  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['an unfurl', { text: 'old', edited: undefined }, {}],
    ['an edit without change', { text: 'old' }, {}],
    ['our own edit', { user: 'UBOT' }, { user: 'UBOT' }],
    ['an edit of a bot', { bot_id: 'BX' }, { bot_id: 'BX' }],
  ])('%s is ignored', (_name, now, before) => {
    expect(hear(changed(now, before), self)).toBe('ignored')
  })

  test('a deletion, also where replies keep a tombstone', () => {
    const gone = envelope({
      type: 'message',
      subtype: 'message_deleted',
      ts: '12.0',
      deleted_ts: '10.1',
      previous_message: { user: 'UANA', ts: '10.1', text: '<@UBOT> q', thread_ts: '9.9' },
    })
    const expected = {
      ...{ kind: 'deleted', workspace: 'T1', channel: 'C1', user: 'UANA', ts: '10.1' },
      ...{ mention: false, dm: false },
    }
    expect(hear(gone, self)).toEqual({ ...expected, mention: true, thread: '9.9' })
    expect(hear(changed({ subtype: 'tombstone', user: 'USLACKBOT' }, {}), self)).toEqual(expected)
    expect(hear(changed({ subtype: 'tombstone', user: 'USLACKBOT' }, { bot_id: 'BBOT' }), self)).toBe(
      'ignored',
    )
  })
})

describe('clicks, commands, Stop', () => {
  const click = (more: Record<string, unknown> = {}) => ({
    type: 'block_actions',
    team: { id: 'TOTHER' },
    user: { id: 'UBEN' },
    channel: { id: 'C1' },
    response_url: 'https://hooks.slack.com/x',
    actions: [{ type: 'button', action_id: 'approve', value: 'ap-1', action_ts: '13.5', ...more }],
  })

  test('Approve and Deny, in our workspace whoever clicks', () => {
    expect(hear(click(), self)).toMatchObject({
      kind: 'clicked',
      workspace: 'T1',
      choice: 'approve',
      approval: 'ap-1',
    })
    expect(hear(click({ action_id: 'deny' }), self)).toMatchObject({
      choice: 'deny',
      clickTs: '13.5',
      user: 'UBEN',
    })
    expect(hear(click({ action_id: 'trace' }), self)).toBe('ignored')
    expect(hear(click({ value: '' }), self)).toBe('ignored')
  })

  test('a command has a word and a rest', () => {
    const form = {
      command: '/quorum',
      team_id: 'T1',
      channel_id: 'C1',
      user_id: 'UANA',
      trigger_id: 'tr',
      response_url: 'u',
    }
    expect(hear({ ...form, text: ' Ask  what is &lt;this&gt;? ' }, self)).toMatchObject({
      word: 'ask',
      rest: 'what is <this>?',
    })
    expect(hear({ ...form, text: '' }, self)).toMatchObject({ kind: 'commanded', word: 'help', rest: '' })
  })

  test('the native Stop', () => {
    const body = envelope({
      type: 'agent_session_stopped',
      user: 'UANA',
      thread_ts: '10.1',
      event_ts: '14.0',
    })
    expect(hear(body, self)).toMatchObject({
      kind: 'interrupted',
      thread: '10.1',
      eventId: 'Ev1',
      ts: '14.0',
    })
  })
})

test('whatever arrives, it never throws and what it hears fits the inbox', () => {
  const scraps = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('UANA', 'C1', 'message', 'app_mention', '10.1', null, undefined),
  )
  const event = fc.record(
    {
      type: fc.constantFrom('message', 'app_mention', 'agent_session_stopped'),
      channel: scraps,
      user: scraps,
      ts: scraps,
      text: scraps,
      subtype: fc.oneof(scraps, fc.constantFrom('message_changed', 'message_deleted')),
      message: fc.oneof(
        scraps,
        fc.record({ user: scraps, ts: scraps, text: scraps, edited: scraps, subtype: scraps }),
      ),
      previous_message: scraps,
      deleted_ts: scraps,
      thread_ts: scraps,
    },
    { requiredKeys: ['type'] },
  )
  const body = fc.oneof(
    fc.anything(),
    fc.record(
      { event, team_id: scraps, authorizations: scraps, event_id: scraps },
      { requiredKeys: ['event'] },
    ),
    fc.record({
      type: fc.constant('block_actions'),
      user: scraps,
      actions: fc.array(scraps),
      channel: scraps,
    }),
    fc.record({
      command: scraps,
      channel_id: scraps,
      user_id: scraps,
      trigger_id: scraps,
      text: scraps,
      response_url: scraps,
    }),
  )
  fc.assert(
    fc.property(body, (value) => {
      const heard = hear(value, self)
      if (heard !== 'ignored') expect(Heard.safeParse(heard).success).toBe(true)
    }),
    { numRuns: 500 },
  )
})

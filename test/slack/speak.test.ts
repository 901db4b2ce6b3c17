import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { feedbackBlock } from '../../src/slack/blocks/feedback.ts'
import { sayMessage } from '../../src/slack/blocks/say.ts'
import { slackWord } from '../../src/slack/faults.ts'
import { openPeople } from '../../src/slack/people.ts'
import { openSpeaker, type Speak, type Speaker } from '../../src/slack/speak.ts'

let workspace: Workspace
let speaker: Speaker
let speak: Speak
let general: string
let logs: string[]

beforeEach(async () => {
  logs = []
  workspace = await openWorkspace()
  general = workspace.channels.general
  speaker = await openSpeaker({
    botToken: workspace.botToken,
    apiUrl: workspace.apiUrl,
    log: (_level, message) => void logs.push(message),
  })
  speak = speaker.speak
})
afterEach(async () => {
  speaker.close()
  await workspace.close()
})
const named = (text: string, part = 'p') => sayMessage(text, { run: 'run-1', part })
const called = (method: string) => workspace.calls.filter((call) => call.method === method)
const texts = (channel = general) => workspace.messages(channel).map((message) => message.text)

test('posts, replies, edits, whispers; never unfurls', async () => {
  const { ts } = await speak.post(general, undefined, named('root'))
  const reply = await speak.post(general, ts, { text: 'reply' })
  expect(await speak.update(general, reply.ts, { text: 'better' })).toBe('sent')
  await speak.whisper(general, workspace.users.ana, ts, named('psst'))
  expect(workspace.messages(general, ts).map((message) => message.text)).toEqual(['root', 'better'])
  expect(workspace.ephemerals(workspace.users.ana)[0]).toMatchObject({ text: 'psst' })
  for (const call of called('chat.postMessage'))
    expect(call.args).toMatchObject({ unfurl_links: 'false', unfurl_media: 'false' })
})

describe('nothing is said twice', () => {
  test('a post is found by its metadata, only if it is ours', async () => {
    const root = await workspace.say(workspace.users.ana, general, 'question')
    expect(await speak.find(general, root, 'run-1', 'plan')).toBeUndefined()
    const { ts } = await speak.post(general, root, named('plan', 'plan'))
    await speak.post(general, root, named('answer', 'answer-1'))
    expect(await speak.find(general, root, 'run-1', 'plan')).toBe(ts)
    expect(await speak.find(general, root, 'run-2', 'plan')).toBeUndefined()
  })

  test('where the answer of Slack was lost, the post is not repeated', async () => {
    const root = await workspace.say(workspace.users.ana, general, 'question')
    workspace.misbehave.breakHttp('chat.postMessage', 1, 'lost')
    const { ts } = await speak.post(general, root, named('once'))
    expect(workspace.messages(general, root).map((message) => message.ts)).toEqual([root, ts])
  })

  test('where it never arrived, it is', async () => {
    const root = await workspace.say(workspace.users.ana, general, 'question')
    workspace.misbehave.breakHttp('chat.postMessage', 1, 'reset')
    await speak.post(general, root, named('once'))
    expect(workspace.messages(general, root)).toHaveLength(2)
  })

  test('without metadata it fails rather than guess', async () => {
    workspace.misbehave.breakHttp('chat.postMessage', 1, 'lost')
    await expect(speak.post(general, undefined, { text: 'x' })).rejects.toMatchObject({
      code: 'slack-unreachable',
      retry: true,
    })
    expect(called('chat.postMessage')).toHaveLength(1)
  })

  test('edits are simply tried again', async () => {
    const { ts } = await speak.post(general, undefined, named('a'))
    workspace.misbehave.breakHttp('chat.update', 2, 'status')
    await speak.update(general, ts, { text: 'b' })
    expect(texts()).toEqual(['b'])
  })
})

describe('limits', () => {
  test('an answer waits out a limit, progress is dropped and stays quiet', async () => {
    const { ts } = await speak.post(general, undefined, named('a'))
    workspace.misbehave.limit('chat.update', 1)
    expect(await speak.update(general, ts, { text: 'progress 1' }, { droppable: true })).toBe('dropped')
    expect(await speak.update(general, ts, { text: 'progress 2' }, { droppable: true })).toBe('dropped')
    const from = performance.now()
    expect(await speak.update(general, ts, { text: 'answer' }, { priority: 'answer' })).toBe('sent')
    expect(performance.now() - from).toBeGreaterThan(500)
    expect(await speak.update(general, ts, { text: 'progress 3' }, { droppable: true })).toBe('dropped')
    expect(texts()).toEqual(['answer'])
    expect(called('chat.update')).toHaveLength(2)
  })

  test('after a limit the channel goes one by one, approvals first', async () => {
    workspace.misbehave.limit('chat.postMessage', 1)
    await speak.post(general, undefined, named('limited'))
    const priorities = ['progress', 'error', 'answer', 'approval'] as const
    await Promise.all(
      priorities.map((priority) => speak.post(general, undefined, named(priority, priority), { priority })),
    )
    expect(texts()).toEqual(['limited', 'approval', 'answer', 'error', 'progress'])
    const times = called('chat.postMessage')
      .slice(-4)
      .map((call) => call.at)
    for (let i = 1; i < times.length; i++) expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeGreaterThan(500)
  })

  test('another channel is not held up', async () => {
    workspace.misbehave.limit('chat.postMessage', 30)
    const stuck = speak.post(general, undefined, named('stuck')).catch((error) => error)
    await workspace.until(() => called('chat.postMessage').length === 1)
    await speak.post(workspace.channels.ops, undefined, named('free'))
    expect(texts(workspace.channels.ops)).toEqual(['free'])
    speaker.close()
    expect(await stuck).toMatchObject({ code: 'slack-unreachable' })
  })

  test('a limit longer than we wait is a fault', async () => {
    workspace.misbehave.limit('chat.postMessage', 120)
    await expect(speak.post(general, undefined, named('x'))).rejects.toMatchObject({
      code: 'slack-limited',
      retry: true,
    })
  })
})

describe('refusals', () => {
  test('blocks that Slack does not take: the text is sent', async () => {
    workspace.misbehave.refuse('chat.postMessage', 'invalid_blocks')
    const { ts } = await speak.post(general, undefined, named('as text'))
    const [message] = workspace.messages(general)
    expect(message).toMatchObject({ ts, text: 'as text' })
    workspace.misbehave.refuse('chat.update', 'invalid_blocks')
    await speak.update(general, ts, named('edited'))
    expect(workspace.messages(general)[0]).toMatchObject({ text: 'edited' })
    expect(logs.join()).toContain('refused the blocks')
  })

  test('an edit with blocks whose text is long keeps its blocks', async () => {
    const { ts } = await speak.post(general, undefined, named('short'))
    const long = { ...named('shown'), text: 'x'.repeat(9_000) }
    expect(await speak.update(general, ts, long)).toBe('sent')
    expect(workspace.messages(general)[0]).toMatchObject({ blocks: [{ type: 'rich_text' }] })
  })

  test('where Slack does not know thumbs the answer keeps its form, and they are not tried again', async () => {
    const thumbs = feedbackBlock('run-1')
    const answer = {
      ...sayMessage('It is red.'),
      blocks: [...(sayMessage('It is red.').blocks ?? []), thumbs],
    }
    workspace.misbehave.refuse('chat.postMessage', 'invalid_blocks')
    const shown: string[][] = []
    for (let i = 0; i < 2; i++) {
      const { ts } = await speak.post(general, undefined, answer)
      const found = workspace.messages(general).find((message) => message.ts === ts)
      shown.push((found?.blocks ?? []).map((block) => block.type))
    }
    expect(shown).toEqual([['rich_text'], ['rich_text']])
    expect(workspace.calls.filter(({ method }) => method === 'chat.postMessage')).toHaveLength(3)
  })

  test('a plan that Slack does not take is left out, what stands below it is not; other refusals are not its fault', async () => {
    const plan = { type: 'plan' as const, title: 'Working', tasks: [] }
    const below = named('below')
    const both = { ...below, blocks: [plan, ...(below.blocks ?? [])] }
    workspace.misbehave.refuse('chat.postMessage', 'invalid_blocks', 2)
    await speak.post(general, undefined, both)
    await speak.post(general, undefined, both)
    workspace.misbehave.refuse('chat.postMessage', 'invalid_blocks', 1)
    await speak.post(general, undefined, both)
    await speak.post(general, undefined, both)
    const shown = workspace.messages(general).map(({ blocks }) => blocks?.map(({ type }) => type) ?? [])
    expect(shown).toEqual([[], ['plan', 'rich_text'], ['rich_text'], ['rich_text']])
  })

  test.each([
    ['channel_not_found', 'slack-refused', false],
    ['internal_error', 'slack-refused', true],
    ['token_revoked', 'slack-token', false],
    ['missing_scope', 'slack-scope', false],
  ])('%s is %s', async (word, code, retry) => {
    workspace.misbehave.refuse('chat.postMessage', word, 5)
    const error = await speak.post(general, undefined, { text: 'x' }).catch((e) => e)
    expect(error).toMatchObject({ code, retry, name: 'Fault' })
    expect(error.message).not.toContain('xoxb')
    expect(slackWord(error)).toBe(word)
  })

  test('a channel we are not in', async () => {
    await expect(speak.post(workspace.channels.random, undefined, named('x'))).rejects.toMatchObject({
      code: 'slack-refused',
      message: expect.stringContaining('not_in_channel'),
    })
  })

  test('an answer goes to Slack only', async () => {
    await expect(speak.respond('https://evil.example/hook', named('x'))).rejects.toMatchObject({
      code: 'slack-refused',
    })
    await expect(speak.respond('https://hooks.slack.com.evil.example/', named('x'))).rejects.toMatchObject({
      code: 'slack-refused',
    })
  })
})

test('the state of a session; once refused, never asked again', async () => {
  const { ana } = workspace.users
  const root = await workspace.say(ana, general, 'question')
  workspace.misbehave.unsubscribe()
  await speak.status(general, root, 'processing', { title: `ask <@U0BEN>\n why ${'y'.repeat(300)}`, by: ana })
  await speak.status(general, root, 'processing')
  expect(called('agents.sessions.setStatus')[0]?.args).toMatchObject({
    title: expect.stringMatching(/^ask … why y{80,89}…$/),
    initiator_user_id: ana,
  })
  expect(workspace.session(general, root)).toBe('processing')
  expect(logs.filter((line) => line.includes('shows no Stop'))).toHaveLength(1)
  workspace.misbehave.refuse('agents.sessions.setStatus', 'unknown_method')
  await speak.status(general, root, 'active')
  await speak.status(general, root, 'active')
  expect(called('agents.sessions.setStatus')).toHaveLength(3)
})

describe('who can read a channel', () => {
  test('its members; of a shared one somebody who is not listed, too', async () => {
    const { channels, users } = workspace
    const { open, members } = await speak.roster.channel(general)
    expect(open).toBe(true)
    expect(members).toEqual([users.ana, users.ben, users.chloe, workspace.botUser])
    const shared = await speak.roster.channel(channels.partners)
    expect(shared.members).toContain(`*${channels.partners}`)
  })

  test('of a private channel its members alone, and nobody where we are not in it', async () => {
    const { users } = workspace
    const plan = workspace.createChannel('plan', [users.ana, users.ben], { private: true })
    expect(await speak.roster.channel(plan)).toEqual({
      open: false,
      members: [users.ana, users.ben, workspace.botUser],
    })
    await workspace.leave(workspace.botUser, plan)
    expect(await speak.roster.channel(plan)).toEqual({ open: false, members: [] })
  })

  test('by the page, however many', async () => {
    const hired = workspace.hire(1_200)
    expect((await speak.roster.channel(general)).members).toEqual(expect.arrayContaining(hired))
    const pages: number[] = []
    for await (const page of speak.roster.everyone()) pages.push(page.size)
    expect(pages).toEqual([500, 500, 205])
  })

  test('what counts about people; where Slack does not tell it is a fault, not a guess', async () => {
    const { users, botUser } = workspace
    const stranger = workspace.welcome('zoe', 'stranger')
    await workspace.deactivate(users.ben)
    const kinds = [users.ana, users.gil, stranger, botUser, users.ben, 'U0NOBODY'].map(speak.roster.person)
    expect(await Promise.all(kinds)).toEqual(['full', 'guest', 'external', 'bot', 'gone', 'external'])
    workspace.misbehave.refuse('conversations.members', 'missing_scope')
    await expect(speak.roster.channel(general)).rejects.toMatchObject({ code: 'slack-scope' })
  })
})

describe('who is who', () => {
  test('names', async () => {
    expect(await speak.name(workspace.users.ana)).toMatch(/ana/i)
    expect(await speak.name('U0NOBODY')).toBe('U0NOBODY')
    expect(await speak.name(workspace.groups.oncall)).toBe('@oncall')
    expect(await speak.name('S0NONE')).toBe('S0NONE')
  })
})

describe('who decides', () => {
  test('a full member, with the groups they are in of those asked for', async () => {
    const { users, groups } = workspace
    expect(await speak.decider(users.ben, [])).toEqual({ id: users.ben, groups: [] })
    expect(await speak.decider(users.ben, [groups.oncall, 'S0NONE'])).toEqual({
      id: users.ben,
      groups: [groups.oncall],
    })
    expect(await speak.decider(users.ana, [groups.oncall])).toEqual({ id: users.ana, groups: [] })
  })

  test('guests, bots, the deactivated and people of nowhere are barred', async () => {
    const { users, botUser } = workspace
    expect(await speak.decider(users.gil, [])).toMatchObject({ barred: 'guest' })
    expect(await speak.decider(botUser, [])).toMatchObject({ barred: 'bot' })
    expect(await speak.decider('U0NOBODY', [])).toMatchObject({ barred: 'outsider' })
    await workspace.deactivate(users.ben)
    expect(await speak.decider(users.ben, [])).toMatchObject({ barred: 'deactivated' })
  })

  test('where Slack does not tell, nobody is allowed, and it is asked again', async () => {
    const { users, groups, misbehave } = workspace
    misbehave.refuse('users.info', 'missing_scope')
    misbehave.refuse('usergroups.users.list', 'plan_upgrade_required')
    expect(await speak.decider(users.ben, [groups.oncall])).toEqual({
      id: users.ben,
      groups: [],
      barred: 'unknown',
      untold: [groups.oncall],
    })
    expect(await speak.decider(users.ben, [groups.oncall])).toEqual({
      id: users.ben,
      groups: [groups.oncall],
    })
  })

  test('kept for a minute, but not longer', async () => {
    const { users, groups } = workspace
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      await speak.decider(users.ben, [groups.oncall])
      await workspace.regroup(groups.oncall, [users.ana])
      await workspace.deactivate(users.ben)
      const calls = workspace.calls.length
      expect(await speak.decider(users.ben, [groups.oncall])).toMatchObject({ groups: [groups.oncall] })
      expect(workspace.calls.length).toBe(calls)
      vi.setSystemTime(Date.now() + 61_000)
      expect(await speak.decider(users.ben, [groups.oncall])).toEqual({
        id: users.ben,
        groups: [],
        barred: 'deactivated',
      })
    } finally {
      vi.useRealTimers()
    }
  })

  test('members of other workspaces are outsiders, of a Grid only those who are not in ours', async () => {
    const known: Record<string, object> = {
      stranger: { team_id: 'T1', is_stranger: true },
      other: { team_id: 'T2' },
      here: { team_id: 'T2', enterprise_user: { teams: ['T2', 'T1'] } },
      elsewhere: { team_id: 'T1', enterprise_user: { teams: ['T2'] } },
      workflow: { team_id: 'T1', is_workflow_bot: true },
    }
    const call = async (_: string, { user }: Record<string, unknown>) => ({
      ok: true,
      user: { id: user, ...known[String(user)] },
    })
    const people = openPeople(call, 'T1')
    const bars = Object.keys(known).map(async (id) => (await people.decider(id, [])).barred)
    expect(await Promise.all(bars)).toEqual(['outsider', 'outsider', undefined, 'outsider', 'bot'])
  })
})

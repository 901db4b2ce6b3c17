import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Message } from '../../src/demo/workspace/world.ts'
import { chunkOf, type Reply } from '../support/model-server.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { makeTemporary } from '../support/temporary.ts'
import { packaged } from '../support/tools.ts'

describe('a direct conversation sees the answer being written', () => {
  let stage: Stage
  let ana: string
  let dm: string
  beforeAll(async () => {
    stage = await openStage()
    ana = stage.workspace.users.ana
    dm = stage.workspace.dm(ana)
  })
  afterAll(() => stage[Symbol.asyncDispose]())
  beforeEach(() => {
    stage.log.length = 0
  })

  const thread = (ts: string) => stage.workspace.messages(dm, ts).filter((m) => m.user !== ana)
  const shown = (message: Message | undefined) => JSON.stringify(message?.blocks ?? '')
  const callsSince = (at: number) =>
    stage.workspace.calls
      .slice(at)
      .filter(({ method }) => /^(chat|agents)\./.test(method))
      .map(({ method }) => method)

  test('plan and text grow in one stream, which becomes the answer', async () => {
    const { workspace } = stage
    const text = ['Fair ', 'winds, ', 'said [the harbour](https://evil.example/x) ', '<!channel>.']
    stage.model.follow(() => ({ text, paceMs: 450 }) as Reply)
    const at = workspace.calls.length
    const ts = await workspace.say(ana, dm, 'how is the weather?')
    const stream = await workspace.until(() => thread(ts).find((m) => m.streaming))
    expect(stream.blocks?.[0]).toMatchObject({ type: 'plan', tasks: [{ title: 'Thinking' }] })
    expect(workspace.session(dm, ts)).toBe('processing')
    const half = await workspace.until(() =>
      thread(ts).find((m) => m.streaming && shown(m).includes('Fair winds')),
    )
    expect(half.ts).toBe(stream.ts)
    await stage.ended(dm, ts)
    await workspace.until(() => workspace.session(dm, ts) === 'active')
    const [answer, ...more] = thread(ts)
    expect(more).toEqual([])
    expect(answer).toMatchObject({ ts: stream.ts, streaming_state: 'completed' })
    expect(answer?.blocks?.[0]).toMatchObject({ type: 'section', accessory: { action_id: 'trace' } })
    expect(shown(answer)).toContain('Fair winds')
    expect(shown(answer)).not.toContain('\u200b')
    const streamed = workspace.calls
      .slice(at)
      .filter(({ method }) => method.includes('Stream'))
      .map(({ args }) => JSON.stringify(args.chunks ?? ''))
      .join('')
    expect(streamed).not.toMatch(/<!channel|\]\(|:\/\//)
    const calls = callsSince(at)
    expect(calls.filter((method) => method === 'chat.startStream')).toHaveLength(1)
    expect(calls.filter((method) => method === 'chat.stopStream')).toHaveLength(1)
    expect(calls).not.toContain('chat.postMessage')
    expect(calls.length).toBeLessThanOrEqual(8)
  })

  test.each([
    ['the native Stop', (ts: string) => stage.workspace.interrupt(ana, dm, ts)],
    ['the word', (ts: string) => stage.workspace.say(ana, dm, 'stop', { thread: ts })],
    [
      'the Stop of App Home',
      async () => {
        const { workspace } = stage
        await workspace.openHome(ana)
        const home = await workspace.until(() => workspace.home(ana))
        await workspace.clickView(ana, home.id, 'stop')
      },
    ],
  ])(
    '%s in the middle of an answer: what was written stays, and says that it ends there',
    async (_, stop) => {
      const { workspace } = stage
      stage.model.follow(async () => ({
        chunks: [chunkOf('test', { content: 'Half an ' }), chunkOf('test', { content: 'answer' })],
        done: false,
      }))
      const ts = await workspace.say(ana, dm, 'tell me all')
      await workspace.until(() => thread(ts).some((m) => shown(m).includes('Half an answer')), 20_000)
      await stop(ts)
      await stage.ended(dm, ts)
      await workspace.until(() => workspace.session(dm, ts) === 'active')
      const [partial, end, ...more] = thread(ts)
      expect(more).toEqual([])
      expect(shown(partial)).toMatch(/Stopped.*Half an answer.*This is not finished\./)
      expect(partial?.streaming).toBeUndefined()
      expect(end?.text).toBe('Stopped. Nothing was changed.')
    },
  )

  test('a question that is deleted stops its run', async () => {
    const { workspace } = stage
    stage.model.follow(async () => ({ chunks: [chunkOf('test', { content: 'It is' })], done: false }))
    const ts = await workspace.say(ana, dm, 'forget that')
    await workspace.until(() => thread(ts).some((m) => shown(m).includes('It is')), 20_000)
    const before = stage.model.abandoned()
    await workspace.remove(ana, dm, ts)
    await stage.ended(dm, ts)
    await workspace.until(() => stage.model.abandoned() > before)
    await workspace.until(() => !workspace.messages(dm).some((m) => m.streaming))
  })

  test('an answer that needs a file takes the place of nothing, and nothing stands there twice', async () => {
    const { workspace } = stage
    const rows = Array.from({ length: 130 }, (_, i) => `| ship ${i} | port ${i} |`).join('\n')
    stage.model.follow(() => ({ text: `All ships:\n\n| ship | port |\n|---|---|\n${rows}` }))
    const ts = await workspace.say(ana, dm, 'list the fleet')
    await stage.ended(dm, ts)
    await workspace.until(() => workspace.session(dm, ts) === 'active')
    expect(thread(ts).filter((m) => shown(m).includes('All ships'))).toHaveLength(1)
    expect(thread(ts).some((m) => m.streaming)).toBe(false)
    expect(thread(ts).filter((m) => shown(m).includes('"trace"'))).toHaveLength(1)
  })
})

test('a model that breaks off and begins anew: only what holds is left', async () => {
  await using stage = await openStage({ timers: { idle: '2500ms' } })
  const { workspace } = stage
  const { ana } = workspace.users
  const dm = workspace.dm(ana)
  stage.model.follow((_, n) =>
    n === 1
      ? { chunks: [chunkOf('test', { content: 'The first half' })], done: false }
      : { text: 'All of it.' },
  )
  const ts = await workspace.say(ana, dm, 'what is in the hold?')
  const replies = () => workspace.messages(dm, ts).filter((m) => m.user !== ana)
  await workspace.until(() => JSON.stringify(replies()).includes('The first half'), 20_000)
  await stage.ended(dm, ts)
  await workspace.until(() => workspace.session(dm, ts) === 'active')
  expect(replies()).toHaveLength(1)
  expect(JSON.stringify(replies())).toContain('All of it.')
  expect(JSON.stringify(replies())).not.toContain('The first half')
})

test('an approval in a direct conversation: the stream ends while it waits, the answer comes below the card', async () => {
  await using temporary = await makeTemporary()
  const filesystem = {
    ...packaged('@modelcontextprotocol/server-filesystem', [temporary.dir]),
    cwd: temporary.dir,
  }
  const policy = { filesystem__write_file: { decision: 'ask', approvers: ['requester'] } }
  await using stage = await openStage({
    servers: { filesystem },
    policy,
    model: ({ body }) =>
      body.messages.at(-1)?.role === 'tool'
        ? { text: 'It is written.' }
        : {
            text: 'I write it down. ',
            calls: [{ name: 'filesystem__write_file', args: { path: 'a.txt', content: 'x' } }],
          },
  })
  const { workspace } = stage
  const { ana } = workspace.users
  const dm = workspace.dm(ana)
  const ts = await workspace.say(ana, dm, 'note that')
  const card = await stage.card(dm, ts)
  await workspace.until(() => workspace.session(dm, ts) === 'suspended')
  const replies = () => workspace.messages(dm, ts).filter((m) => m.user !== ana)
  await workspace.until(() => JSON.stringify(replies()).includes('Waiting for approval: Write File'))
  expect(replies().some((m) => m.streaming)).toBe(false)
  await workspace.click(ana, dm, card, 'approve')
  await stage.ended(dm, ts)
  await workspace.until(() => workspace.session(dm, ts) === 'active')
  const last = replies().at(-1)
  expect(JSON.stringify(last?.blocks)).toContain('It is written.')
  expect(Number(last?.ts)).toBeGreaterThan(Number(card))
  expect(replies().filter((m) => JSON.stringify(m.blocks).includes('It is written.'))).toHaveLength(1)
  const told = workspace.calls.flatMap(({ method, args, ok }) => {
    if (method === 'agents.sessions.setStatus') return [args.status]
    return method === 'chat.stopStream' && ok ? [args.session_status] : []
  })
  const states = told.filter((state, i) => state !== told[i - 1])
  expect(states).toEqual(['processing', 'suspended', 'processing', 'active'])
})

test('a restart in the middle of an answer: the next process takes the stream over, and there is one answer', async () => {
  await using stage = await openStage()
  const { workspace } = stage
  const { ana } = workspace.users
  const dm = workspace.dm(ana)
  stage.model.follow((_, n) =>
    n === 1
      ? { chunks: [chunkOf('test', { content: 'I was about to' })], done: false }
      : { text: ['Here ', 'it is.'], paceMs: 700 },
  )
  const ts = await workspace.say(ana, dm, 'where is it?')
  const replies = () => workspace.messages(dm, ts).filter((m) => m.user !== ana)
  await workspace.until(() => JSON.stringify(replies()).includes('I was about to'), 20_000)
  await stage.restart()
  await stage.ended(dm, ts)
  await workspace.until(() => workspace.session(dm, ts) === 'active')
  expect(replies()).toHaveLength(1)
  expect(replies()[0]?.streaming).toBeUndefined()
  expect(JSON.stringify(replies())).toContain('Here it is.')
  expect(JSON.stringify(replies())).not.toContain('I was about to')
})

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTalk, type Talk } from '../../src/agent/talk.ts'
import type { Plan } from '../../src/core/plan.ts'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { openSpeaker, type Speaker } from '../../src/slack/speak.ts'
import type { Store } from '../../src/store/open.ts'
import { createRun, type Run } from '../../src/store/runs.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
let workspace: Workspace
let speaker: Speaker
let ana: string
let dm: string
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

/** A Slack whose streams live so long, in ms. */
async function openSlack(streamMs?: number) {
  workspace = await openWorkspace(streamMs === undefined ? {} : { streamMs })
  speaker = await openSpeaker({ botToken: workspace.botToken, apiUrl: workspace.apiUrl })
  ana = workspace.users.ana
  dm = workspace.dm(ana)
  const closed = { speaker, workspace }
  return {
    async [Symbol.asyncDispose]() {
      closed.speaker.close()
      await closed.workspace.close()
    },
  }
}

async function ask(): Promise<Run> {
  const ts = await workspace.say(ana, dm, 'why?')
  const asked = { kind: 'asked' as const, at: new Date().toISOString(), user: ana, text: 'why?', ts }
  const place = { workspace: workspace.team, channel: dm, thread: ts, message: ts, asker: ana }
  const run = await createRun(store.pool, { ...place, agent: 'quorum', dm: true }, asked)
  if (!run) throw new Error('there is no run')
  return run
}

const talkOf = (run: Run, { first = true, streamMs }: { first?: boolean; streamMs?: number } = {}): Talk =>
  openTalk({ pool: store.pool, speak: speaker.speak, streamMs }, run, first)
const working: Plan = {
  title: 'Working on it',
  rows: [{ id: 'step-2', title: 'Query x2', status: 'in_progress' }],
  done: false,
}
const done: Plan = { title: 'Done: query x3', rows: [], done: true }
const replies = (run: Run) => workspace.messages(dm, run.thread).filter((m) => m.user !== ana)
const words = (run: Run) => replies(run).map((m) => JSON.stringify(m.blocks))
const until = <T>(probe: () => T | undefined | false) => workspace.until(probe, 20_000)
const calls = (method: string) => workspace.calls.filter((call) => call.method === method)
/** All text that was streamed, in order. */
const poured = () =>
  workspace.calls
    .filter(({ method, ok }) => ok && method.includes('Stream'))
    .flatMap(({ args }) => (args.chunks as { type: string; text?: string }[] | undefined) ?? [])
    .flatMap(({ type, text = '' }) => (type === 'markdown_text' ? [text] : []))

describe('a stream', () => {
  test('brings only what is new, and becomes a line where nothing was written', async () => {
    await using _ = await openSlack()
    const run = await ask()
    const talk = talkOf(run)
    talk.show(working)
    await until(() => replies(run)[0]?.streaming)
    talk.show({ ...working, rows: [...working.rows, { id: 'step-5', title: 'Read', status: 'pending' }] })
    await until(() => words(run)[0]?.includes('"Read"'))
    expect(calls('chat.appendStream').at(-1)?.args.chunks).toEqual([
      { type: 'task_update', id: 'step-5', title: 'Read', status: 'pending' },
    ])
    await talk.close(done)
    expect(replies(run)).toHaveLength(1)
    expect(replies(run)[0]?.blocks).toMatchObject([{ type: 'section', accessory: { action_id: 'trace' } }])
    expect(workspace.session(dm, run.thread)).toBe('active')
  })

  test('is followed by another before it dies: an open code block is closed and opened again', async () => {
    await using _ = await openSlack()
    const run = await ask()
    const talk = talkOf(run, { streamMs: 1500 })
    talk.show(working)
    let text = 'Run this:\n```sh\nls\n'
    talk.write(text)
    await until(() => poured().join('') === text)
    await sleep(1600)
    text += 'cd harbour\nmake\n'
    talk.write(text)
    const [first, second] = await until(() => replies(run).length === 2 && replies(run))
    await until(() => JSON.stringify(second?.blocks).includes('make') || words(run)[1]?.includes('make'))
    expect(first).toMatchObject({ streaming_state: 'completed' })
    expect(JSON.stringify(replies(run)[0]?.blocks)).toMatch(/```sh\\nls\\n.*```"/)
    expect(words(run)[1]).toContain('"```sh\\n')
    const released = await talk.release(done)
    expect(released).toEqual({ messages: [first?.ts, second?.ts], text })
    await talk.leave()
  })

  test('that is full is followed by another, and nothing is lost', async () => {
    await using _ = await openSlack()
    const run = await ask()
    const talk = talkOf(run)
    const text = Array.from({ length: 420 }, (_, i) => `Line ${i} of the log, in härbour words.`).join('\n')
    talk.write(text)
    await until(() => poured().join('').length >= text.length)
    expect(poured().join('')).toBe(text)
    expect(replies(run).length).toBeGreaterThan(1)
    await talk.leave()
  })

  test('that only showed a plan is edited when it is old; text begins a new one in its place', async () => {
    await using _ = await openSlack()
    const run = await ask()
    const talk = talkOf(run, { streamMs: 300 })
    talk.show(working)
    const old = await until(() => replies(run).find((m) => m.streaming_state === 'completed'))
    await until(() => calls('chat.update').length > 0)
    expect(words(run)[0]).toContain('Query x2')
    talk.write('So it is.')
    await until(() => words(run).length === 1 && words(run)[0]?.includes('So it is.'))
    expect(replies(run)[0]?.ts).not.toBe(old.ts)
    await talk.leave()
  })
})

describe('where a stream cannot be, or does not hold', () => {
  test.each([
    ['is not known to Slack', () => workspace.misbehave.refuse('chat.startStream', 'unknown_method', 9)],
    [
      'is not allowed here',
      () => workspace.misbehave.refuse('chat.startStream', 'channel_type_not_supported'),
    ],
    ['is one too many just now', () => workspace.misbehave.limit('chat.startStream', 30, 9)],
  ])('it %s: the message is edited, its text can do nothing', async (_name, break_) => {
    await using _ = await openSlack()
    const run = await ask()
    break_()
    const talk = talkOf(run)
    talk.show(working)
    await until(() => replies(run).length === 1)
    talk.write('Ask <!channel> or [me](https://evil.example/).')
    await until(() => words(run)[0]?.includes('evil.example'))
    expect(words(run)[0]).toContain('rich_text')
    expect(words(run)[0]).not.toContain('"url"')
    expect(calls('chat.startStream')).toHaveLength(1)
    expect((await talk.release(done)).messages).toEqual([replies(run)[0]?.ts])
    await talk.leave()
  })

  test('it dies: its message is edited from then on, with all that was written', async () => {
    await using _ = await openSlack(700)
    const run = await ask()
    const talk = talkOf(run)
    talk.write('One. ')
    await until(() => replies(run)[0]?.streaming_state === 'errored')
    talk.write('One. Two.')
    await until(() => words(run)[0]?.includes('One. Two.'))
    expect(replies(run)).toHaveLength(1)
    await talk.leave()
  })

  test('Slack’s answer is lost: nothing stands there twice', async () => {
    await using _ = await openSlack()
    const run = await ask()
    const talk = talkOf(run)
    talk.write('One. ')
    await until(() => replies(run)[0]?.streaming)
    workspace.misbehave.breakHttp('chat.appendStream', 1, 'lost')
    talk.write('One. Two. ')
    await until(() => calls('chat.update').length === 1)
    expect(words(run)[0]?.match(/Two/g)).toHaveLength(1)
    workspace.misbehave.breakHttp('chat.startStream', 1, 'lost')
    const other = await ask()
    const begun = talkOf(other)
    begun.write('Three.')
    await until(() => words(other)[0]?.includes('Three.'))
    await begun.release(done)
    expect(replies(other)).toHaveLength(1)
    await Promise.all([talk.leave(), begun.leave()])
  })

  test('the model begins anew: the message says only what holds', async () => {
    await using _ = await openSlack()
    const run = await ask()
    const talk = talkOf(run)
    talk.write('It is in the east')
    await until(() => words(run)[0]?.includes('east'))
    talk.write('')
    talk.write('West.')
    await until(() => words(run)[0]?.includes('West.'))
    expect(words(run).join()).not.toContain('east')
    expect(replies(run)).toHaveLength(1)
    await talk.leave()
  })

  test('Stop is pressed: Slack ends the stream, and what is shown afterwards is an edit', async () => {
    await using _ = await openSlack()
    const run = await ask()
    const talk = talkOf(run)
    talk.write('On my ')
    await until(() => replies(run)[0]?.streaming)
    await workspace.interrupt(ana, dm, run.thread)
    talk.write('On my way')
    await until(() => words(run)[0]?.includes('On my way'))
    await talk.leave()
  })

  test('a run that waits: the stream ends, the plan says what for, the session is suspended', async () => {
    await using _ = await openSlack()
    const run = await ask()
    const talk = talkOf(run)
    const row = { id: 'step-4', title: 'Waiting for approval: Write file', status: 'in_progress' as const }
    talk.show({ ...working, rows: [...working.rows, row] })
    await talk.park('suspended')
    expect(replies(run)[0]?.streaming).toBeUndefined()
    expect(words(run)[0]).toMatch(/Waiting for approval: Write file","status":"in_progress"/)
    expect(workspace.session(dm, run.thread)).toBe('suspended')
    await talk.leave()
    const again = talkOf(run, { first: false })
    again.show(working)
    again.write('Written.')
    await until(() => words(run).length === 1 && words(run)[0]?.includes('Written.'))
    await again.leave()
  })

  test('another worker goes on: it ends the stream, and what was written is replaced', async () => {
    await using _ = await openSlack()
    const run = await ask()
    const dead = talkOf(run)
    dead.write('I think that')
    await until(() => replies(run)[0]?.streaming)
    await dead.leave()
    const heir = talkOf(run, { first: false })
    heir.show(working)
    await until(() => replies(run)[0]?.streaming === undefined)
    heir.write('No.')
    await until(() => words(run).length === 1 && words(run)[0]?.includes('No.'))
    expect(words(run).join()).not.toContain('I think')
    await heir.close(done)
    expect(replies(run).some((m) => m.streaming)).toBe(false)
  })
})

/** An answer takes the place of what streamed, once, wherever whoever says it dies. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Ending } from '../../src/agent/said.ts'
import { openThread, showBegun, showInLine, type ThreadContext } from '../../src/agent/thread.ts'
import type { Numbered, Step } from '../../src/core/run.ts'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { openSpeaker, type Speaker } from '../../src/slack/speak.ts'
import type { Store } from '../../src/store/open.ts'
import { createRun } from '../../src/store/runs.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
let workspace: Workspace
let speaker: Speaker
beforeAll(async () => {
  store = await openTestStore()
  workspace = await openWorkspace()
  speaker = await openSpeaker({ botToken: workspace.botToken, apiUrl: workspace.apiUrl })
})
afterAll(async () => {
  speaker.close()
  await workspace.close()
  await store.close()
})

const words = (count: number) => Array.from({ length: count }, (_, i) => `w${i}`).join(' ')
const three = [1, 2, 3].map((n) => `Part ${n} ${words(1_200)} end ${n}`).join('\n\n')
const at = '2026-11-24T10:00:00.000Z'
const ending = (markdown: string, feedback = true): Ending => ({ markdown, cited: [], badge: 'm', feedback })

async function openRun() {
  const { ana } = workspace.users
  const channel = workspace.dm(ana)
  const ts = await workspace.say(ana, channel, 'a question')
  const asked: Step = { kind: 'asked', at, user: ana, text: 'a question', ts }
  const place = {
    workspace: workspace.team,
    channel,
    thread: ts,
    message: ts,
    asker: ana,
    agent: 'quorum',
    dm: true,
  }
  const run = await createRun(store.pool, place, asked)
  if (!run) throw new Error('there is no run')
  const steps: Numbered[] = [{ ...asked, n: 1 }]
  const finished: Step[] = [...steps, { kind: 'finished', at, outcome: 'answered', text: '' }]
  const view = (first: boolean, speak: Partial<ThreadContext['speak']> = {}, streamMs?: number) =>
    openThread(
      { pool: store.pool, speak: { ...speaker.speak, ...speak }, log: () => {}, streamMs },
      run,
      first,
    )
  const replies = () => workspace.messages(channel, ts).slice(1)
  const shown = () => replies().map((message) => JSON.stringify(message.blocks))
  const until = (probe: () => unknown) => workspace.until(() => Boolean(probe()), 20_000)
  return { run, steps, finished, view, replies, shown, until }
}

test('three messages: the first takes the place of the stream, and a death in between doubles nothing', async () => {
  const { steps, finished, view, replies, shown, until } = await openRun()
  const first = view(true, {
    update: async (...args) => {
      const done = await speaker.speak.update(...args)
      if (args[2].metadata?.part === 'end:1:0') throw new Error('died')
      return done
    },
  })
  first.showPlan(steps)
  first.hearAnswer()?.onText(three.slice(0, 500))
  await until(() => shown()[0]?.includes('Part 1 w0'))
  await expect(first.sayEnd('end:1', ending(three), finished)).rejects.toThrow('died')
  first.leave()
  for (let i = 0; i < 2; i++) {
    const second = view(false)
    expect(await second.sayEnd('end:1', ending(three), finished)).toBe('said')
    await second.close(finished.map((step, n) => ({ ...step, n: n + 1 })))
    second.leave()
  }
  expect(replies()).toHaveLength(3)
  const all = shown().join('\n')
  for (const n of [1, 2, 3]) expect(all.split(`Part ${n} `)).toHaveLength(2)
  expect(shown()[0]).toContain('"action_id":"trace"')
  expect(all.split('"trace"')).toHaveLength(2)
})

test('a short answer after two streams stands in the last one; the first goes', async () => {
  const { finished, view, replies, shown, until } = await openRun()
  const thread = view(true, {}, 1200)
  const hearing = thread.hearAnswer()
  hearing?.onText('One line.\n')
  await until(() => replies().length === 2)
  hearing?.onText('Another line.\n')
  await until(() => shown()[1]?.includes('Another line.'))
  const last = replies()[1]?.ts
  await thread.sayEnd('end:1', ending('One line.\n\nAnother line.'), finished)
  thread.leave()
  expect(replies().map(({ ts }) => ts)).toEqual([last])
  expect(shown()[0]).toMatch(/One line\..*Another line\./)
})

test('where Slack does not let the stream be replaced, the answer is posted and the stream goes', async () => {
  const { finished, view, replies, shown, until } = await openRun()
  const thread = view(true)
  thread.hearAnswer()?.onText('So it ')
  await until(() => shown()[0]?.includes('So it'))
  const stream = replies()[0]?.ts
  workspace.misbehave.refuse('chat.update', 'edit_window_closed')
  await thread.sayEnd('end:1', ending('So it is.'), finished)
  thread.leave()
  expect(replies()).toHaveLength(1)
  expect(replies()[0]?.ts).not.toBe(stream)
  expect(shown()[0]).toMatch(/"trace".*So it is\./)
})

test('a run that ends without an answer leaves what was written, and says that it ends there', async () => {
  const { view, steps, shown, until } = await openRun()
  const thread = view(true)
  thread.showPlan(steps)
  thread.hearAnswer()?.onText('```\nhalf of the code')
  await until(() => shown()[0]?.includes('half of the code'))
  const failed: Step = { kind: 'finished', at, outcome: 'failed', text: 'The model is away.' }
  await thread.sayEnd('end:1', { markdown: 'The model is away.', cited: [], badge: '' }, [...steps, failed])
  await thread.close([...steps, { ...failed, n: 2 }])
  thread.leave()
  expect(shown()).toHaveLength(2)
  expect(shown()[0]).toMatch(/Could not finish.*half of the code.*This is not finished\./)
  expect(shown()[1]).toContain('The model is away.')
})

test('a stream that waits in line for a worker becomes a message; the worker goes on with that', async () => {
  const { run, steps, view, replies, shown, until } = await openRun()
  const context = { pool: store.pool, speak: speaker.speak, log: () => {} }
  await showBegun(context, run, steps)
  expect(replies()).toMatchObject([{ streaming: true }])
  const line = { begun: async () => false, reread: async () => steps }
  await showInLine(context, run, 'You are number 7 in line.', line)
  expect(replies()[0]?.streaming).toBeUndefined()
  expect(shown()[0]).toContain('You are number 7 in line.')
  const thread = view(true)
  thread.showPlan(steps)
  await until(() => shown()[0]?.includes('Thinking'))
  expect(shown()[0]).not.toContain('number 7')
  thread.hearAnswer()?.onText('Your turn.')
  await until(() => replies().length === 1 && shown()[0]?.includes('Your turn.'))
  thread.leave()
})

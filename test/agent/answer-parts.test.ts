/** An answer of several parts: said once each, wherever whoever says it dies, and said without files where there can be none. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openThread, type ThreadContext } from '../../src/agent/thread.ts'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { openSpeaker, type Speaker } from '../../src/slack/speak.ts'
import type { Store } from '../../src/store/open.ts'
import { createRun, readRun } from '../../src/store/runs.ts'
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
const book = Array.from({ length: 20 }, (_, i) => `## Chapter ${i}\n\n${words(400)}`).join('\n\n')
const table = ['|a|b|', '|-|-|', ...Array.from({ length: 150 }, (_, i) => `|row ${i}|${i}|`)].join('\n')

async function openRun() {
  const channel = workspace.channels.general
  const ts = await workspace.say(workspace.users.ana, channel, 'a question')
  const [user, text, at] = [workspace.users.ana, 'a question', new Date().toISOString()]
  const place = { workspace: workspace.team, channel, thread: ts, message: ts, asker: user }
  const made = await createRun(
    store.pool,
    { ...place, agent: 'quorum', dm: false, lane: 'interactive' },
    { kind: 'asked', at, user, text, ts },
  )
  const run = await readRun(store.pool, made?.id ?? randomUUID())
  if (!run) throw new Error('there is no run')
  const replies = () => workspace.messages(channel, ts).slice(1)
  /** Makes whoever began a post seem long gone. */
  const age = () =>
    store.pool.query(`update posts set begun_at = now() - interval '20 seconds' where owner = $1`, [run.id])
  const end = (markdown: string, speak: Partial<ThreadContext['speak']> = {}) =>
    openThread({ pool: store.pool, speak: { ...speaker.speak, ...speak }, log: () => {} }, run).sayEnd(
      'end:1',
      {
        markdown,
        cited: [],
        badge: 'm',
      },
      [],
    )
  return { run, replies, age, end }
}

/** Slack does it, and whoever asked for it is gone before they know. */
function dieAfter<A extends unknown[], R>(times: number, deed: (...args: A) => Promise<R>) {
  let left = times
  return async (...args: A): Promise<R> => {
    const done = await deed(...args)
    if (--left === 0) throw new Error('died')
    return done
  }
}

test.each([1, 2, 3])(
  'who says three messages dies after number %i: each is said once, in order',
  async (after) => {
    const { replies, age, end } = await openRun()
    const post = dieAfter(after, speaker.speak.post)
    await expect(end(three, { post })).rejects.toThrow('died')
    expect(replies()).toHaveLength(after)
    await age()
    expect(await end(three)).toBe('said')
    expect(await end(three)).toBe('said')
    const said = replies().map(({ text }) => text)
    expect(said).toHaveLength(3)
    for (const n of [1, 2, 3]) expect(said.join('\n').split(`Part ${n} `)).toHaveLength(2)
    expect(said.at(-1)).toContain('end 3')
  },
)

test('who shares the file dies: it is found, and said about once', async () => {
  const { replies, age, end } = await openRun()
  const upload = dieAfter(1, speaker.speak.upload)
  await expect(end(book, { upload })).rejects.toThrow('died')
  await age()
  expect(await end(book)).toBe('said')
  const [file, message, ...rest] = replies()
  expect(file?.files).toMatchObject([{ title: 'The whole answer' }])
  expect(message?.text).toContain('This is the beginning.')
  expect(rest).toEqual([])
})

test('where Slack’s answer to the sharing is lost, it is found as well', async () => {
  const { replies, age, end } = await openRun()
  workspace.misbehave.breakHttp('files.completeUploadExternal', 1, 'lost')
  await expect(end(book)).rejects.toMatchObject({ code: 'slack-unreachable', retry: true })
  await age()
  expect(await end(book)).toBe('said')
  expect(replies()).toHaveLength(2)
})

test('a whole answer and the tables of it come in one message', async () => {
  const { replies, end } = await openRun()
  await end(`${book}\n\n${table}`)
  expect(replies()[0]?.files?.map((file) => String(file.name).replace(/-[0-9a-f]{6}/, ''))).toEqual([
    'answer.md',
    'table-1.csv',
  ])
})

test('without the right to send files the words are said, also by whoever goes on with it', async () => {
  const { replies, age, end } = await openRun()
  workspace.scopes.splice(workspace.scopes.indexOf('files:write'), 1)
  try {
    await expect(end(book, { post: dieAfter(2, speaker.speak.post) })).rejects.toThrow('died')
  } finally {
    workspace.scopes.push('files:write')
  }
  await age()
  expect(await end(book)).toBe('said')
  const said = replies()
  expect(said.flatMap(({ files }) => files ?? [])).toEqual([])
  const all = said.map(({ text }) => text).join('\n')
  for (let i = 0; i < 20; i++) expect(all.split(`Chapter ${i}\n`)).toHaveLength(2)
})

test('blocks that Slack does not take: the words are said, with the table as columns', async () => {
  const { replies, end } = await openRun()
  workspace.misbehave.refuse('chat.postMessage', 'invalid_blocks')
  await end('See <!channel> and:\n\n|a|b|\n|-|-|\n|1|2|')
  expect(replies()).toMatchObject([{ text: 'See &lt;!channel&gt; and:\n```\na | b\n--+--\n1 | 2\n```' }])
})

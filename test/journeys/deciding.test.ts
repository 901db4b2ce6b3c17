/** Several people, edits, batches and lost calls, from the press of a button in Slack to what the tool has done. */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ToolServer } from '../../src/core/home.ts'
import type { Script } from '../support/model-server.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { makeTemporary } from '../support/temporary.ts'

/** Books what the question names, all in one answer; then says what it was told. */
const script: Script = ({ body }) => {
  const told = body.messages.flatMap((m) => (m.role === 'tool' ? [m.content] : []))
  if (told.length > 0) return { text: `Told: ${told.join(' | ')}` }
  const ids = /book ([\w ]+)/.exec(JSON.stringify(body.messages.at(-1)))?.[1]?.split(' ') ?? []
  return {
    calls: ids.map((id) => ({ id: `call-${id}`, name: 'desk__book', args: { id, before: 0, after: 0 } })),
  }
}

let stage: Stage
let temporary: Awaited<ReturnType<typeof makeTemporary>>
let record: string

beforeAll(async () => {
  temporary = await makeTemporary()
  record = path.join(temporary.dir, 'record')
  await writeFile(record, '')
  const desk = fileURLToPath(import.meta.resolve('../support/servers/desk.ts'))
  const policy = {
    desk__book: { decision: 'ask', approvers: ['requester', 'S0ONCALL'], need: 2 },
  }
  const servers = { desk: ToolServer.parse({ command: process.execPath, args: [desk, record] }) }
  stage = await openStage({ model: script, servers, policy })
})
afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  await temporary.remove()
})

const booked = async () => (await readFile(record, 'utf8')).split('\n').filter(Boolean)

async function ask(text: string) {
  const { workspace } = stage
  const channel = workspace.channels.general
  const ts = await workspace.say(workspace.users.ana, channel, `@quorum ${text}`)
  await stage.card(channel, ts)
  return { channel, ts }
}

type Asked = { channel: string; ts: string }

/** The approvals of a question, oldest first. */
async function approvalsOf({
  ts,
}: Asked): Promise<{ id: string; state: string; batch: string; args: { id: string } }[]> {
  const found = await stage.engines.store.pool.query(
    `select a.id, a.state, a.batch, a.args from approvals a join runs r on r.id = a.run
     where r.message = $1 order by a.created_at, a.args ->> 'id'`,
    [ts],
  )
  return found.rows
}

/** Presses a button with a value, on a message of ours that has just this one. */
async function press(user: string, { channel, ts }: Asked, action: string, value: string): Promise<void> {
  const { workspace } = stage
  const button = { type: 'button', action_id: action, value, text: { type: 'plain_text', text: action } }
  const posted = await fetch(`${workspace.apiUrl}chat.postMessage`, {
    method: 'POST',
    headers: { authorization: `Bearer ${workspace.botToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      channel,
      thread_ts: ts,
      text: action,
      blocks: [{ type: 'actions', elements: [button] }],
    }),
  })
  const message = (await posted.json()) as { ts: string }
  await workspace.click(user, channel, message.ts, action)
}

function whispered(user: string, words: RegExp): Promise<unknown> {
  return stage.workspace.until(() => stage.workspace.ephemerals(user).find((m) => words.test(m.text ?? '')))
}

test('two different people say yes; the same one twice is told so', async () => {
  const { ana, ben } = stage.workspace.users
  const asked = await ask('book one')
  const [approval] = await approvalsOf(asked)
  const id = approval?.id ?? ''
  await press(ana, asked, 'approve', id)
  await press(ana, asked, 'approve', id)
  await whispered(ana, /said yes already; one other person/)
  expect(await booked()).toEqual([])
  await press(ben, asked, 'approve', id)
  await stage.ended(asked.channel, asked.ts)
  expect(await booked()).toEqual(['one'])
})

test('a person edits the arguments in a modal; what runs is what was then approved', async () => {
  const { workspace } = stage
  const { ana, ben } = workspace.users
  const asked = await ask('book two')
  const [approval] = await approvalsOf(asked)
  await press(ben, asked, 'edit', approval?.id ?? '')
  const view = await workspace.until(() => workspace.views(ben).at(-1))
  expect(JSON.stringify(view.blocks)).toContain('"initial_value":"two"')
  await expect(
    workspace.submit(ben, view.id, { 'arg:id': { value: 'deux' }, 'arg:before': { value: 'soon' } }),
  ).rejects.toThrow('must be a number')
  expect(workspace.views(ben)).toHaveLength(1)
  await workspace.submit(ben, view.id, { 'arg:id': { value: 'deux' } })
  const edited = await until(async () => (await approvalsOf(asked)).find((a) => a.args.id === 'deux'))
  expect((await approvalsOf(asked)).map(({ state }) => state)).toEqual(['void', 'pending'])
  await press(ana, asked, 'approve', approval?.id ?? '')
  await whispered(ana, /edited already by Ben/)
  for (const user of [ana, ben]) await press(user, asked, 'approve', edited.id)
  await stage.ended(asked.channel, asked.ts)
  expect(await booked()).toEqual(['one', 'deux'])
  expect(stage.said(asked.channel, asked.ts).at(-1)).toContain('A person edited the arguments')
})

test('calls on the same terms are decided together', async () => {
  const { ana, ben } = stage.workspace.users
  const asked = await ask('book three four')
  const [first, second] = await approvalsOf(asked)
  expect(first?.batch).toBe(second?.batch)
  for (const user of [ana, ben]) await press(user, asked, 'approve-all', first?.batch ?? '')
  await stage.ended(asked.channel, asked.ts)
  expect(await booked()).toEqual(['one', 'deux', 'three', 'four'])
})

test('a call whose outcome is lost is run again only after a person wants it and others approve', async () => {
  const { ana, ben } = stage.workspace.users
  const asked = await ask('book fatal')
  const [first] = await approvalsOf(asked)
  for (const user of [ana, ben]) await press(user, asked, 'approve', first?.id ?? '')
  await until(async () => (await approvalsOf(asked))[0]?.state === 'unknown')
  await press(ben, asked, 'again', first?.id ?? '')
  const again = await until(async () => (await approvalsOf(asked)).find((a) => a.state === 'pending'))
  await press(ana, asked, 'done', first?.id ?? '')
  await whispered(ana, /proposed again already by Ben/)
  for (const user of [ana, ben]) await press(user, asked, 'approve', again.id)
  await until(async () => (await approvalsOf(asked)).every((a) => a.state === 'unknown'))
  expect((await booked()).filter((id) => id === 'fatal')).toHaveLength(2)
  await press(ana, asked, 'done', again.id)
  await stage.ended(asked.channel, asked.ts)
  expect(stage.said(asked.channel, asked.ts).at(-1)).toContain('a person checked and says that it ran')
})

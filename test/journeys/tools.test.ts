/** Tools as people meet them: run by hand, held back by what was read, too long for a card, withdrawn; and App Home. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Script } from '../support/model-server.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { makeTemporary } from '../support/temporary.ts'
import { acceptAll, packaged } from '../support/tools.ts'

let stage: Stage
let temporary: Awaited<ReturnType<typeof makeTemporary>>
const servers = () => ({ filesystem: packaged('@modelcontextprotocol/server-filesystem', [temporary.dir]) })
const POLICY = {
  'filesystem__read*': { decision: 'allow' },
  'filesystem__list*': { decision: 'allow' },
  filesystem__create_directory: { decision: 'allow', excuse: 'literal' },
  filesystem__write_file: { decision: 'ask', approvers: ['requester', 'U0BEN'] },
  filesystem__move_file: { decision: 'deny' },
}
beforeAll(async () => {
  temporary = await makeTemporary()
  stage = await openStage({ servers: servers(), policy: POLICY, model: { text: 'Hello.' } })
})
afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  await temporary.remove()
})

const inside = (name: string) => path.join(temporary.dir, name)
const whispers = (user: string) => stage.workspace.ephemerals(user).map((m) => m.text ?? '')
/** The thread that a command has begun in #general. */
const begun = (words: string) =>
  until(async () => {
    const all = stage.workspace.messages(stage.workspace.channels.general)
    return all.findLast((m) => m.user === stage.workspace.botUser && m.text?.includes(words))?.ts
  })

test('/quorum run: the same card, the exact call, its result in the thread, and no model', async () => {
  const { workspace, model } = stage
  const { general } = workspace.channels
  const before = model.requests.length
  const args = JSON.stringify({ path: inside('hand.txt'), content: 'by hand' })
  await workspace.command(workspace.users.ana, general, `/quorum run filesystem__write_file ${args}`)
  const ts = await begun('hand.txt')
  const card = await stage.card(general, ts)
  await workspace.click(workspace.users.ana, general, card, 'approve')
  await stage.ended(general, ts)
  expect(await readFile(inside('hand.txt'), 'utf8')).toBe('by hand')
  expect(stage.said(general, ts).at(-1)).toMatch(/^Ran write_file on filesystem/)
  expect(model.requests.length).toBe(before)
})

test('in a thread too, with the quotes that Slack makes; what is allowed runs at once', async () => {
  const { said } = await stage.ask(`@quorum run filesystem__list_directory {“path”: “${temporary.dir}”}`)
  expect(said.join('\n')).toContain('[FILE] hand.txt')
})

test('a wrong call is one private sentence, and nothing is begun', async () => {
  const { workspace } = stage
  const { general } = workspace.channels
  const { ana } = workspace.users
  const runs = async () =>
    (await stage.engines.store.pool.query('select count(*)::int as n from runs')).rows[0]?.n
  const before = await runs()
  const tell = async (text: string) => {
    const seen = whispers(ana).length
    await workspace.command(ana, general, `/quorum ${text}`)
    return until(async () => whispers(ana)[seen])
  }
  expect(await tell('run filesystem__write_fil {}')).toContain('did you mean "filesystem__write_file"?')
  expect(await tell('run filesystem__write_file {"path": 1}')).toMatch(/do not fit/)
  expect(await tell('run filesystem__write_file {path}')).toMatch(/not a JSON object/)
  expect(await tell('run something')).toMatch(/Run what\?/)
  expect(await tell('tools')).toMatch(
    /move_file: changes something, never runs[\s\S]*filesystem__read_file: reads, runs at once/,
  )
  expect(await runs()).toBe(before)
})

test('what was read makes an allowed write ask, unless the requester dictated it', async () => {
  const { workspace, model } = stage
  const script =
    (name: string): Script =>
    ({ body }) => {
      const results = body.messages.filter((m) => m.role === 'tool').length
      if (results === 0)
        return { calls: [{ name: 'filesystem__list_directory', args: { path: temporary.dir } }] }
      if (results === 1)
        return { calls: [{ name: 'filesystem__create_directory', args: { path: inside(name) } }] }
      return { text: 'Done.' }
    }
  model.follow(script('dictated'))
  const dictated = await stage.ask(`@quorum look around and create the directory ${inside('dictated')}`)
  expect(dictated.said.at(-1)).toBe('Done.')

  model.follow(script('slipped-in'))
  const { general } = workspace.channels
  const ts = await workspace.say(workspace.users.ana, general, '@quorum look around')
  const card = await stage.card(general, ts)
  const shown = workspace.messages(general, ts).find((m) => m.ts === card)
  expect(JSON.stringify(shown?.blocks)).toContain('I have read the result of list_directory')
  await workspace.click(workspace.users.ana, general, card, 'deny')
  await stage.ended(general, ts)
})

test('arguments too long for a card stand in a file, whose hash the card names, before Approve is there', async () => {
  const { workspace, model } = stage
  const content = Array.from({ length: 900 }, (_, i) => `line ${i}`).join('\n')
  model.follow(({ body }) =>
    body.messages.at(-1)?.role === 'tool'
      ? { text: 'Written.' }
      : { calls: [{ name: 'filesystem__write_file', args: { path: inside('long.txt'), content } }] },
  )
  const { general } = workspace.channels
  const ts = await workspace.say(workspace.users.ana, general, '@quorum write it all down')
  const card = await stage.card(general, ts)
  const messages = workspace.messages(general, ts)
  const file = messages.find((m) => JSON.stringify(m).includes('arguments-'))
  expect(file && Number(file.ts) < Number(card)).toBe(true)
  expect(JSON.stringify(messages.find((m) => m.ts === card)?.blocks)).toMatch(/SHA-256 [0-9a-f]{64}/)
  await workspace.click(workspace.users.ana, general, card, 'approve')
  await stage.ended(general, ts)
  expect(await readFile(inside('long.txt'), 'utf8')).toBe(content)
})

test('without the right to post files such a call is not asked about but goes back to the model', async () => {
  const { workspace, model } = stage
  workspace.scopes.splice(workspace.scopes.indexOf('files:write'), 1)
  const content = 'x '.repeat(9_000)
  model.follow(({ body }) => {
    const last = body.messages.at(-1)
    if (last?.role === 'tool') return { text: `Told: ${last.content}` }
    return { calls: [{ name: 'filesystem__write_file', args: { path: inside('never.txt'), content } }] }
  })
  try {
    const { said } = await stage.ask('@quorum write it all down again')
    expect(said.at(-1)).toMatch(/too long for a card, and Slack did not take them as a file/)
    await expect(readFile(inside('never.txt'))).rejects.toThrow()
  } finally {
    workspace.scopes.push('files:write')
  }
})

test('App Home: what is under way with Stop, what waits for me with a link, the tools', async () => {
  const { workspace, model } = stage
  model.follow(({ body }) =>
    body.messages.at(-1)?.role === 'tool'
      ? { text: 'Written.' }
      : { calls: [{ name: 'filesystem__write_file', args: { path: inside('home.txt'), content: 'x' } }] },
  )
  const { general } = workspace.channels
  const { ana, chloe } = workspace.users
  const ts = await workspace.say(ana, general, '@quorum write the home file')
  await stage.card(general, ts)
  const home = async (user: string) => {
    await workspace.openHome(user)
    return until(async () => workspace.home(user))
  }
  const mine = await home(ana)
  const words = JSON.stringify(mine.blocks)
  expect(words).toContain('write the home file')
  expect(words).toContain('Waiting for your decision')
  expect(words).toContain('Open the card')
  expect(words).toContain('filesystem')
  expect(JSON.stringify((await home(chloe)).blocks)).not.toContain('Waiting for your decision')

  const stop = /"action_id":"stop"[^}]*?"value":"([^"]+)"/.exec(words)?.[1]
  await workspace.clickView(ana, mine.id, 'stop', stop)
  await stage.ended(general, ts)
  expect(stage.said(general, ts).at(-1)).toMatch(/^Stopped\./)
  await vi.waitUntil(() => !JSON.stringify(workspace.home(ana)?.blocks).includes('write the home file'))
})

test('a tool that is not what was accepted is withdrawn: what waits for it is void, the admins are told once', async () => {
  const accepted = await acceptAll(servers())
  let lock = structuredClone(accepted)
  await using other = await openStage({
    servers: servers(),
    policy: POLICY,
    admins: ['S0ONCALL'],
    lock: () => lock,
    model: ({ body }) =>
      body.messages.at(-1)?.role === 'tool'
        ? { text: `Told: ${body.messages.at(-1)?.content}` }
        : { calls: [{ name: 'filesystem__write_file', args: { path: inside('void.txt'), content: 'x' } }] },
  })
  const { workspace } = other
  const { general } = workspace.channels
  const ts = await workspace.say(workspace.users.ana, general, '@quorum write')
  const card = await other.card(general, ts)
  const changed = structuredClone(accepted)
  const pin = changed.servers.filesystem?.tools.write_file
  if (pin) pin.hash = 'f'.repeat(64)
  lock = changed
  await other.ended(general, ts)
  expect(other.said(general, ts).at(-1)).toMatch(/changed since it was accepted/)
  const shown = workspace.messages(general, ts).find((m) => m.ts === card)
  expect(JSON.stringify(shown?.blocks)).toContain('No longer valid')
  for (const admin of [workspace.users.ben, workspace.users.chloe]) {
    const told = await until(async () => {
      const all = workspace
        .messages(workspace.dm(admin))
        .filter((m) => m.text?.includes('filesystem__write_file'))
      return all.length > 0 && all
    })
    expect(told).toHaveLength(1)
  }
  await other.restart()
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  expect(workspace.messages(workspace.dm(workspace.users.ben))).toHaveLength(1)
})

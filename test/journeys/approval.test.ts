import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Script } from '../support/model-server.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { makeTemporary } from '../support/temporary.ts'
import { packaged } from '../support/tools.ts'

/** Proposes the call its question names, then says what the tool said. */
const script: Script = ({ body }) => {
  const last = body.messages.at(-1)
  const told = body.messages.findLast((m) => m.role === 'tool')
  if (told && last?.role === 'user') return { text: 'Short it is.' }
  if (last?.role === 'tool') return { text: `The tool said: ${last.content}` }
  const file = /file (\S+)/.exec(last?.content ?? '')?.[1] ?? 'note.txt'
  const name = /\bmove\b/.test(last?.content ?? '') ? 'filesystem__move_file' : 'filesystem__write_file'
  const args = name.endsWith('move_file')
    ? { source: file, destination: `${file}.moved` }
    : { path: file, content: 'x' }
  return { calls: [{ name, args }] }
}

describe('a request waits for approval', () => {
  let stage: Stage
  let dir: string
  let temporary: Awaited<ReturnType<typeof makeTemporary>>

  beforeAll(async () => {
    temporary = await makeTemporary()
    dir = temporary.dir
    const filesystem = { ...packaged('@modelcontextprotocol/server-filesystem', [dir]), cwd: dir }
    const policy = {
      filesystem__move_file: { decision: 'deny' },
      filesystem__write_file: { decision: 'ask', approvers: ['requester', 'U0BEN'] },
    }
    stage = await openStage({ model: script, servers: { filesystem }, policy })
  })
  afterAll(async () => {
    await stage[Symbol.asyncDispose]()
    await temporary.remove()
  })

  async function propose(text: string) {
    const { workspace } = stage
    const channel = workspace.channels.general
    const ts = await workspace.say(workspace.users.ana, channel, text)
    const card = await stage.card(channel, ts)
    return { channel, ts, card }
  }

  test('approved: the tool runs once and the card says by whom', async () => {
    const { workspace } = stage
    const { channel, ts, card } = await propose('@quorum write file one.txt')
    await workspace.until(() => stage.said(channel, ts).some((text) => text.includes('Waiting for approval')))
    expect(await readdir(dir)).not.toContain('one.txt')
    await workspace.click(workspace.users.ben, channel, card, 'approve')
    await stage.ended(channel, ts)
    expect(await readFile(path.join(dir, 'one.txt'), 'utf8')).toBe('x')
    expect(stage.said(channel, ts).at(-1)).toContain('The tool said')
    const shown = await workspace.until(() => {
      const found = workspace.messages(channel, ts).find((m) => m.ts === card)
      return found && !JSON.stringify(found.blocks).includes('"approve"') && found
    })
    expect(JSON.stringify(shown.blocks)).toContain('U0BEN')
  })

  test('two approvers at once, each clicking twice: one call', async () => {
    const { workspace } = stage
    const { channel, ts, card } = await propose('@quorum write file two.txt')
    const { ana, ben } = workspace.users
    await Promise.allSettled(
      [ana, ben, ana, ben].map((user) => workspace.click(user, channel, card, 'approve')),
    )
    await stage.ended(channel, ts)
    const started = await stage.engines.store.pool.query(
      `select count(*)::int as n from steps s join runs r on r.id = s.run where r.message = $1 and s.kind = 'started'`,
      [ts],
    )
    expect(started.rows[0].n).toBe(1)
    await workspace.until(() => [...workspace.ephemerals(ana), ...workspace.ephemerals(ben)].length >= 1)
    const told = [...workspace.ephemerals(ana), ...workspace.ephemerals(ben)].map((m) => m.text).join('\n')
    expect(told).toMatch(/approved already by/)
  })

  test('the wrong person is told so in private, and nothing happens', async () => {
    const { workspace } = stage
    const { channel, ts, card } = await propose('@quorum write file three.txt')
    await workspace.click(workspace.users.chloe, channel, card, 'approve')
    const told = await workspace.until(() => workspace.ephemerals(workspace.users.chloe).at(-1))
    expect(told.text).toMatch(/not yours to decide/)
    expect(await readdir(dir)).not.toContain('three.txt')
    await workspace.click(workspace.users.ana, channel, card, 'deny')
    await stage.ended(channel, ts)
    expect(stage.said(channel, ts).at(-1)).toContain('a person denied it')
    expect(await readdir(dir)).not.toContain('three.txt')
  })

  test('a word while an approval waits is acknowledged in private, and read once it is decided', async () => {
    const { workspace } = stage
    const { channel, ts, card } = await propose('@quorum write file waiting.txt')
    await workspace.say(workspace.users.ben, channel, 'make it short', { thread: ts })
    await workspace.until(() =>
      workspace
        .ephemerals(workspace.users.ben)
        .some((m) => m.text?.includes('when the approval above is decided')),
    )
    await workspace.click(workspace.users.ana, channel, card, 'approve')
    await stage.ended(channel, ts)
    expect(JSON.stringify(stage.model.requests.at(-1)?.body.messages)).toContain('make it short')
  })

  test('what the policy denies is not asked', async () => {
    const { workspace } = stage
    const { said } = await stage.ask('@quorum move file one.txt')
    expect(said.at(-1)).toContain('policy does not allow')
    expect(JSON.stringify(workspace.messages(workspace.channels.general))).not.toContain('one.txt.moved"')
    expect(await readdir(dir)).toContain('one.txt')
  })

  test('a restart between question and click, and between click and call, loses nothing', async () => {
    const { workspace } = stage
    const { channel, ts, card } = await propose('@quorum write file four.txt')
    await stage.restart()
    await workspace.until(() => workspace.connections() > 0)
    await workspace.click(workspace.users.ana, channel, card, 'approve')
    await stage.restart()
    await stage.ended(channel, ts)
    expect(await readdir(dir)).toContain('four.txt')
    expect(stage.said(channel, ts).filter((text) => text.includes('The tool said'))).toHaveLength(1)
  })
})

test('an approval nobody decides on expires, and is told as expiry', async () => {
  await using temporary = await makeTemporary()
  const filesystem = {
    ...packaged('@modelcontextprotocol/server-filesystem', [temporary.dir]),
    cwd: temporary.dir,
  }
  const policy = { 'filesystem__*': { decision: 'ask', expires: '1s' } }
  await using stage = await openStage({ model: script, servers: { filesystem }, policy })
  const { workspace } = stage
  const channel = workspace.channels.general
  const ts = await workspace.say(workspace.users.ana, channel, '@quorum write file late.txt')
  const card = await stage.card(channel, ts)
  await stage.ended(channel, ts)
  expect(stage.said(channel, ts).at(-1)).toContain('expired')
  const shown = workspace.messages(channel, ts).find((m) => m.ts === card)
  expect(JSON.stringify(shown?.blocks)).not.toContain('"approve"')
  expect(await readdir(temporary.dir)).toEqual([])
})

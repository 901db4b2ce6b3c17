import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ingest } from '../../src/agent/knowledge/ingest.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { makeTemporary } from '../support/temporary.ts'

describe('a mention is answered', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await openStage({ model: { text: 'Press the big red button. [1] And nothing else. [7]' } })
    await using temporary = await makeTemporary()
    await mkdir(path.join(temporary.dir, 'pages'))
    const page =
      '---\ntitle: Rollback\nupdated: 2026-05-02\n---\n# Rollback\n\nTo roll back a deploy, press the big red button.\n'
    await writeFile(path.join(temporary.dir, 'pages', 'rollback.md'), page)
    const source = { directory: 'pages', audience: 'everyone', link: 'https://wiki.test/{path}' } as const
    const { pool } = stage.engines.store
    await ingest({ pool, home: temporary.dir }, stage.workspace.team, 'pages', source)
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  test('in the thread, with a citation, a source line and the way it came', async () => {
    const { workspace, model } = stage
    const { ts, said } = await stage.ask('@quorum how do we roll back a deploy?')
    expect(said).toHaveLength(2)
    expect(said[1]).toContain('Press the big red button. [1]')
    expect(said[1]).toContain('Rollback')
    expect(said[1]).toContain('2026-05-02')
    expect(said[1]).not.toContain('[7]')
    const blocks = JSON.stringify(workspace.messages(workspace.channels.general, ts))
    expect(blocks).toContain('https://wiki.test/rollback.md')
    const prompt = model.requests.at(-1)?.body.messages.at(-1)?.content
    expect(prompt).toMatch(/<passage n="1" title="Rollback" source="[a-z-]+" date="2026-05-02">/)
    expect(prompt).toContain('how do we roll back a deploy?')
    expect(stage.log).toEqual([])
  })

  test('"How I got here" opens the steps with their times', async () => {
    const { workspace } = stage
    const { ana } = workspace.users
    const { ts } = await stage.ask('@quorum once more: how do we roll back?')
    const plan = await workspace.until(() =>
      workspace
        .messages(workspace.channels.general, ts)
        .find((m) => JSON.stringify(m.blocks ?? '').includes('"trace"')),
    )
    await workspace.click(ana, workspace.channels.general, plan.ts, 'trace')
    const view = await workspace.until(() => workspace.views(ana).at(-1))
    expect(JSON.stringify(view)).toMatch(/Rollback/)
  })

  test('the first sign comes within a second', async () => {
    const { workspace } = stage
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    stage.model.follow(async () => {
      await held
      return { text: 'Done thinking.' }
    })
    const begun = Date.now()
    const ts = await workspace.say(workspace.users.ana, workspace.channels.general, '@quorum think hard')
    await workspace.until(() => stage.said(workspace.channels.general, ts).length > 0)
    expect(Date.now() - begun).toBeLessThan(1000)
    release()
    await stage.ended(workspace.channels.general, ts)
  })

  test('a follow-up without a mention is answered, and the model sees what was said', async () => {
    const { workspace } = stage
    const { general } = workspace.channels
    stage.model.follow(() => ({ text: 'First answer.' }))
    const { ts } = await stage.ask('@quorum first question')
    stage.model.follow(() => ({ text: 'Second answer.' }))
    await workspace.say(workspace.users.ben, general, 'and the second question?', { thread: ts })
    await stage.ended(general, ts, 2)
    expect(stage.said(general, ts).join('\n')).toContain('Second answer.')
    const prompt = JSON.stringify(stage.model.requests.at(-1)?.body.messages)
    expect(prompt).toContain('first question')
    expect(prompt).toContain('First answer.')
  })

  test('a direct message is answered', async () => {
    const { workspace } = stage
    const dm = workspace.dm(workspace.users.chloe)
    stage.model.follow(() => ({ text: 'Just between us.' }))
    const ts = await workspace.say(workspace.users.chloe, dm, 'psst')
    await stage.ended(dm, ts)
    expect(stage.said(dm, ts).join('\n')).toContain('Just between us.')
  })

  test('what is meant for somebody else, or comes from a bot, is left alone', async () => {
    const { workspace } = stage
    const { general } = workspace.channels
    const { ts } = await stage.ask('@quorum hello')
    const before = stage.model.requests.length
    await workspace.say(workspace.users.ben, general, '@ana shall we take this offline?', { thread: ts })
    await workspace.say(workspace.users.ben, general, 'a new topic without you')
    await workspace.until(() => workspace.pending() === 0)
    await stage.ask('@quorum are you still there?')
    expect(stage.model.requests.length).toBe(before + 1)
  })

  test('20 deliveries of one event make one run', async () => {
    const { workspace } = stage
    const { general } = workspace.channels
    workspace.misbehave.redeliver(20)
    const ts = await workspace.say(workspace.users.ana, general, '@quorum do you hear me?')
    await workspace.until(() => workspace.pending() === 0, 20_000)
    await stage.ended(general, ts)
    const runs = await stage.engines.store.pool.query(
      'select count(*)::int as n from runs where message = $1',
      [ts],
    )
    expect(runs.rows[0].n).toBe(1)
    expect(stage.said(general, ts)).toHaveLength(2)
  })
})

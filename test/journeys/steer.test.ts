import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SeenRequest } from '../support/model-server.ts'
import { openStage, type Stage, until } from '../support/stage.ts'

/** A model that waits until it is let go. */
function gate() {
  const seen: SeenRequest[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  return { seen, open: resolve, promise }
}

describe('a run at work can be steered and stopped', () => {
  let stage: Stage
  let held = gate()
  beforeAll(async () => {
    stage = await openStage()
  })
  afterAll(() => stage[Symbol.asyncDispose]())
  beforeEach(() => {
    const mine = gate()
    held = mine
    stage.model.follow(async (request) => {
      mine.seen.push(request)
      await mine.promise
      return { text: `Answer ${mine.seen.length}.` }
    })
  })

  async function begin(text = '@quorum think') {
    const { workspace } = stage
    const channel = workspace.channels.ops
    const ts = await workspace.say(workspace.users.ana, channel, text)
    await workspace.until(() => held.seen.length > 0, 20_000)
    return { channel, ts }
  }

  async function steered(ts: string) {
    await until(async () => {
      const found = await stage.engines.store.pool.query(
        `select 1 from steps s join runs r on r.id = s.run where r.message = $1 and s.kind = 'steered'`,
        [ts],
      )
      return found.rowCount === 1
    })
  }

  async function outcome(ts: string) {
    const found = await stage.engines.store.pool.query(
      `select s.body->>'outcome' as outcome from steps s join runs r on r.id = s.run where r.message = $1 and s.kind = 'finished'`,
      [ts],
    )
    return found.rows.map((row) => row.outcome)
  }

  test('a message meanwhile is seen by the next model call, and there is one answer', async () => {
    const { workspace } = stage
    const { channel, ts } = await begin()
    await workspace.say(workspace.users.ben, channel, 'and mind the tide', { thread: ts })
    await steered(ts)
    held.open()
    await stage.ended(channel, ts)
    expect(held.seen).toHaveLength(2)
    const messages = held.seen[1]?.body.messages ?? []
    expect(messages.at(-1)?.content).toContain('and mind the tide')
    expect(messages.at(-2)?.content).toBe('Answer 1.')
    expect(stage.said(channel, ts).filter((text) => text.startsWith('Answer'))).toEqual(['Answer 2.'])
  })

  test('an edit of the question is a new wording; a change without new words is nothing', async () => {
    const { workspace } = stage
    const { channel, ts } = await begin('@quorum how high is the mast?')
    await workspace.unfurl(channel, ts)
    await workspace.edit(workspace.users.ana, channel, ts, '@quorum how long is the keel?')
    await steered(ts)
    held.open()
    await stage.ended(channel, ts)
    expect(held.seen).toHaveLength(2)
    expect(held.seen[1]?.body.messages.at(-1)?.content).toContain('how long is the keel?')
    const searched = await stage.engines.store.pool.query(
      `select s.body->>'query' as query from steps s join runs r on r.id = s.run where r.message = $1 and s.kind = 'recalled' order by s.n`,
      [ts],
    )
    expect(searched.rows.map((row) => row.query)).toEqual(['how high is the mast?', 'how long is the keel?'])
  })

  test.each([
    [
      '@quorum stop in the thread',
      (ts: string) =>
        stage.workspace.say(stage.workspace.users.ben, stage.workspace.channels.ops, '@quorum stop', {
          thread: ts,
        }),
    ],
    [
      '/quorum stop',
      () => stage.workspace.command(stage.workspace.users.ana, stage.workspace.channels.ops, '/quorum stop'),
    ],
    [
      'deleting the question',
      (ts: string) => stage.workspace.remove(stage.workspace.users.ana, stage.workspace.channels.ops, ts),
    ],
    [
      'the Stop button',
      (ts: string) => stage.workspace.interrupt(stage.workspace.users.ana, stage.workspace.channels.ops, ts),
    ],
  ])('%s stops it and aborts the model', async (_, stop) => {
    const { channel, ts } = await begin()
    const before = stage.model.abandoned()
    await stop(ts)
    await stage.ended(channel, ts)
    expect(await outcome(ts)).toEqual(['stopped'])
    await stage.workspace.until(() => stage.model.abandoned() > before)
    await stage.workspace.until(() => stage.workspace.session(stage.workspace.channels.ops, ts) === 'active')
    held.open()
  })

  test('a Stop that Slack delivers before the question: the thread is told, and no model is asked', async () => {
    const { workspace } = stage
    const channel = workspace.channels.ops
    const { ana } = workspace.users
    held.open()
    workspace.misbehave.shuffle(true)
    const ts = await workspace.say(ana, channel, '@quorum has anybody seen the anchor?')
    await workspace.interrupt(ana, channel, ts)
    workspace.misbehave.shuffle(false)
    await stage.ended(channel, ts)
    expect(await outcome(ts)).toEqual(['stopped'])
    expect(held.seen).toHaveLength(0)
    expect(stage.said(channel, ts).join('\n')).toContain('Stopped. Nothing was changed.')
    await workspace.until(() => workspace.session(channel, ts) === 'active')
  })

  test('/quorum status says what is going on; /quorum help and nonsense are answered', async () => {
    const { workspace } = stage
    const { ana } = workspace.users
    const { channel, ts } = await begin('@quorum count the boats')
    await workspace.command(ana, channel, '/quorum status')
    await workspace.until(() => workspace.ephemerals(ana).some((m) => m.text?.includes('count the boats')))
    await workspace.command(ana, channel, '/quorum frobnicate')
    await workspace.until(() =>
      workspace.ephemerals(ana).some((m) => m.text?.includes('do not know that word')),
    )
    held.open()
    await stage.ended(channel, ts)
  })
})

import { expect, test } from 'vitest'
import { openStage, type Stage, until } from '../support/stage.ts'

const LONG = { timeout: 300_000 }
const sources = { chat: { slack: { channels: 'all' as const, since: '90d' } } }

/** What the last question was answered from, as the model was given it. */
async function recalled(stage: Stage, channel: string, question: string): Promise<string> {
  const { workspace, engines } = stage
  const ts = await workspace.say(workspace.users.ana, channel, `@quorum ${question}`)
  await stage.ended(channel, ts)
  const { rows } = await engines.store.pool.query<{ body: { passages: { text: string }[] } }>(
    `select s.body from steps s join runs r on r.id = s.run where r.message = $1 and s.kind = 'recalled'`,
    [ts],
  )
  return rows.flatMap(({ body }) => body.passages.map((one) => one.text)).join('\n')
}

/** Asks until what is recalled is as it should be; within seconds, or it fails. */
const recalls = (stage: Stage, channel: string, question: string, is: (text: string) => boolean) =>
  until(async () => is(await recalled(stage, channel, question)), 60_000)

test(
  'what is said in a channel is known there within seconds, and so is that it was edited and deleted',
  LONG,
  async () => {
    await using stage = await openStage({ sources, model: { text: 'Noted.' } })
    const { workspace } = stage
    const { ana, ben } = workspace.users
    const { ops } = workspace.channels
    await until(
      async () => workspace.messages(ops).some(({ text }) => /^I read this channel/.test(text)),
      30_000,
    )
    const root = await workspace.say(ana, ops, 'Which host runs the nightly backup?')
    const reply = await workspace.say(ben, ops, 'The nightly backup runs on vault-3.', { thread: root })
    const ask = 'which host runs the nightly backup?'
    await recalls(stage, ops, ask, (text) => text.includes('vault-3'))
    await workspace.edit(ben, ops, reply, 'The nightly backup runs on vault-7.')
    await recalls(stage, ops, ask, (text) => text.includes('vault-7') && !text.includes('vault-3'))
    await workspace.remove(ben, ops, reply)
    await recalls(stage, ops, ask, (text) => !text.includes('vault-'))
    const left = await stage.engines.store.pool.query(`select 1 from passages where text like '%vault-%'`)
    expect(left.rows).toEqual([])
    // The answers of the agent are in the channel too, and none of them is a source.
    const own = await stage.engines.store.pool.query(`select 1 from passages where text like '%Noted%'`)
    expect(own.rows).toEqual([])
  },
)

test(
  'a private channel is known in it and nowhere else; and nowhere at all where the agent was removed',
  LONG,
  async () => {
    await using stage = await openStage({ sources })
    const { workspace } = stage
    const { ana, chloe } = workspace.users
    const { general, ops } = workspace.channels
    const board = workspace.createChannel('board', [ana, chloe], { private: true })
    await workspace.say(chloe, board, 'The merger with Northwind closes in March.')
    await stage.restart()
    await recalls(stage, board, 'when does the merger close?', (text) => text.includes('Northwind'))
    for (const channel of [general, ops])
      expect(await recalled(stage, channel, 'when does the merger close?')).not.toContain('Northwind')
    await workspace.leave(workspace.botUser, board)
    await until(async () => {
      const { rows } = await stage.engines.store.pool.query(
        `select 1 from passages where text like '%Northwind%'
         union all select 1 from turns where channel = '${board}'
         union all select 1 from steps where body::text like '%Northwind%'`,
      )
      return rows.length === 0
    }, 60_000)
  },
)

import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { takeDecision } from '../../src/agent/approvals/decision.ts'
import { openWorkspace } from '../../src/demo/workspace/open.ts'
import { serve } from '../../src/doors/serve.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { openStage, until } from '../support/stage.ts'
import { modern } from '../support/tools.ts'

test('two workspaces with the same ids of people and channels, on one store, never meet', async () => {
  await using stage = await openStage({
    servers: { modern: modern() },
    model: ({ body }) => {
      const last = body.messages.at(-1)
      const word = /word (\w+)/.exec(last?.content ?? '')?.[1]
      if (last?.role === 'tool') return { text: 'Summed.' }
      return word ? { text: `You said ${word}.` } : { calls: [{ name: 'modern__sum', args: { a: 1, b: 2 } }] }
    },
  })
  await using other = await openWorkspace({ team: { id: 'T0OTHER', name: 'Other' } })
  const { botToken, appToken, apiUrl } = other
  const serving = await serve(stage.engines, { botToken, appToken, apiUrl }, 'all')
  try {
    const here = stage.workspace
    expect(other.channels.general).toBe(here.channels.general)
    const channel = here.channels.general
    const ana = here.users.ana
    const words = Array.from({ length: 6 }, () => randomUUID().slice(0, 6))
    const asked = await Promise.all(
      words.map((word, i) => (i % 2 ? here : other).say(ana, channel, `@quorum word x${word}`)),
    )
    await until(async () => {
      const found = await stage.engines.store.pool.query(
        'select count(*)::int as n from runs where not active',
      )
      return found.rows[0].n === asked.length
    }, 20_000)
    for (const [i, word] of words.entries()) {
      const mine = i % 2 ? here : other
      const theirs = i % 2 ? other : here
      await mine.until(() => JSON.stringify(mine.messages(channel)).includes(`You said x${word}.`))
      expect(JSON.stringify(theirs.messages(channel))).not.toContain(word)
    }

    const ts = await here.say(ana, channel, '@quorum sum it up')
    const card = await stage.card(channel, ts)
    const button = JSON.stringify(here.messages(channel, ts)).match(/"value":"([0-9a-f-]{36})"/)?.[1] ?? ''
    expect(card && button).toBeTruthy()

    const click = {
      kind: 'clicked',
      workspace: 'T0OTHER',
      channel,
      user: ana,
      choice: 'approve',
      approval: button,
      clickTs: '1.1',
    } as const
    const decision = await inTransaction(stage.engines.store.pool, (tx) =>
      takeDecision(tx, click, { person: { id: click.user, groups: [] }, policy: stage.engines.home.policy }),
    )
    expect(decision).toEqual({ outcome: 'gone' })
    await here.click(ana, channel, card, 'deny')
    await stage.ended(channel, ts)
  } finally {
    await serving.close(4_000)
  }
})

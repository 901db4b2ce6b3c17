/** A budget that is used up: what is asked waits, says so, and goes on when an admin raises it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStage, type Stage, until } from '../support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage({
    admins: ['U0CHLOE'],
    // One answer takes 2,000.
    model: { text: 'So.', usage: { prompt_tokens: 1_900, completion_tokens: 100 } },
    budgets: {
      workspace: { day: { tokens: 3_800 } },
      channels: { C0OPS: { day: { tokens: 1_600 } } },
      users: { '*': { month: { tokens: '1M' } } },
    },
  })
})
afterAll(() => stage[Symbol.asyncDispose]())

const words = (message: unknown) => JSON.stringify(message) ?? ''

/** The newest message of the agent to somebody alone, with these words. */
const told = (user: string, part: string) =>
  stage.workspace.until(
    () => stage.workspace.messages(stage.workspace.dm(user)).findLast((m) => words(m).includes(part)),
    20_000,
  )

const whispered = (user: string, part: string) =>
  stage.workspace.until(
    () => stage.workspace.ephemerals(user).findLast((m) => words(m).includes(part)),
    20_000,
  )

async function windowOf(scope: string) {
  const found = await stage.engines.store.pool.query('select * from budgets where scope = $1', [scope])
  return found.rows[0]
}

async function embedded(): Promise<number> {
  const found = await stage.engines.store.pool.query(
    `select sum(tokens)::int8 as n from spend where pool = 'embeddings' and state = 'settled'`,
  )
  return found.rows[0].n
}

test('a used-up budget is told to the admins, holds what is asked, and one raise lets it go on', async () => {
  const { workspace } = stage
  const { ana, ben, chloe } = workspace.users
  const { general } = workspace.channels
  expect((await stage.ask('@quorum one?')).said.at(-1)).toBe('So.')
  expect((await stage.ask('@quorum two?')).said.at(-1)).toBe('So.')
  // The questions were embedded as well, for a few tokens more.
  expect(await windowOf('workspace')).toMatchObject({
    used: 4_000 + (await embedded()),
    held: 0,
    reached: 100,
  })
  expect(await embedded()).toBeGreaterThan(0)

  const waiting = await workspace.say(ana, general, '@quorum three?')
  const parked = await until(async () => {
    const found = await stage.engines.store.pool.query(
      'select waits from runs where active and waits is not null',
    )
    return found.rows[0]?.waits
  }, 20_000)
  expect(parked).toMatchObject({ for: 'budget', key: 'workspace::tokens:day', seen: '0' })
  expect(parked.text).toMatch(/^The daily budget of the workspace is used up: 4,0\d\d of 3,800 tokens\./)
  await workspace.until(() => words(workspace.messages(general, waiting)).includes('is used up'), 20_000)

  // Alerts come by themselves, each once, and the one who may has a button.
  const alert = await told(chloe, 'is used up')
  expect(words(alert)).toContain('Raise by 1,900 tokens')
  expect(workspace.messages(workspace.dm(chloe)).filter((m) => words(m).includes('is used up'))).toHaveLength(
    1,
  )

  await workspace.command(ben, general, '/quorum budget')
  const mine = words(await whispered(ben, 'daily budget of the workspace'))
  expect(mine).toMatch(/4,0\d\d of 3,800 tokens used, over by 2\d\d tokens, resets /)
  expect(mine).toContain('0 of 1,000,000 tokens used')
  expect(mine).not.toContain('"raise"')

  await workspace.command(chloe, general, '/quorum budget')
  const all = words(await whispered(chloe, 'Others, the fullest first'))
  expect(all).toContain('The monthly budget of Ana')
  expect(all).toContain('Raise by 1,900 tokens')

  // Two presses of the same button are one raise.
  const press = () => workspace.click(chloe, workspace.dm(chloe), alert.ts, 'raise')
  await Promise.allSettled([press(), press()])
  await stage.ended(general, waiting)
  expect(stage.said(general, waiting).at(-1)).toBe('So.')
  await whispered(chloe, 'is now 5,700 tokens')
  expect(await windowOf('workspace')).toMatchObject({ raised: 1_900, used: 6_000 + (await embedded()) })
  const raises = await stage.engines.store.pool.query('select by, amount from raises')
  expect(raises.rows).toEqual([{ by: chloe, amount: 1_900 }])
  await told(chloe, 'was raised to')
})

test('the button in a channel is for admins; anybody else gets one private sentence', async () => {
  const { workspace } = stage
  const { ben } = workspace.users
  const { ops } = workspace.channels
  await stage.engines.store.pool.query(`update budgets set raised = 1000000 where scope = 'workspace'`)
  const ts = await workspace.say(ben, ops, '@quorum one?')
  await stage.ended(ops, ts)
  const alert = await workspace.until(
    () => workspace.messages(ops).find((m) => words(m).includes('Raise by 800 tokens')),
    20_000,
  )
  await workspace.click(ben, ops, alert.ts, 'raise')
  await whispered(ben, 'Only an admin can raise a budget')
  expect(await windowOf('channel')).toMatchObject({ used: 2_000, raised: 0 })
  await workspace.openHome(workspace.users.chloe)
  await workspace.until(() => words(workspace.home(workspace.users.chloe)).includes('Budgets'), 20_000)
  expect(words(workspace.home(workspace.users.chloe))).toContain('over by 400 tokens')
  await workspace.say(ben, ops, '@quorum budget')
  await whispered(ben, 'The daily budget of ')
})

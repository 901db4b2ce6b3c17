import { expect, test } from 'vitest'
import { openStage, until } from '../support/stage.ts'
import { modern } from '../support/tools.ts'

const PATIENCE = { timeout: 120_000 }

/** Says which tools it was offered, and calls the first. */
const open = (more: Record<string, unknown> = {}) =>
  openStage({
    servers: { modern: modern() },
    model: ({ body }) => {
      const last = body.messages.at(-1)
      if (last?.role === 'tool') return { text: 'Summed.' }
      if (!body.tools?.some((tool: { function: { name: string } }) => tool.function.name === 'modern__sum'))
        return {
          text: `No sums here. ${JSON.stringify(body.messages[0]?.content).includes('withheld here')}`,
        }
      return { calls: [{ name: 'modern__sum', args: { a: 1, b: 2 } }] }
    },
    ...more,
  })

test(
  'in a channel that others share tools are withheld, the trace says so, and elsewhere they are not',
  PATIENCE,
  async () => {
    await using stage = await open({ policy: { modern__sum: { decision: 'allow' } } })
    const { workspace } = stage
    const { ana } = workspace.users
    const { partners, general } = workspace.channels
    const shared = await workspace.say(ana, partners, '@quorum sum it up')
    await stage.ended(partners, shared)
    expect(stage.said(partners, shared).join()).toContain('No sums here. true')
    const ours = await workspace.say(ana, general, '@quorum sum it up')
    await stage.ended(general, ours)
    expect(stage.said(general, ours).join()).toContain('Summed.')
    const steps = await stage.engines.store.pool.query(
      `select s.body ->> 'withheld' as withheld from steps s join runs r on r.id = s.run
     where s.kind = 'answered' and r.channel = $1`,
      [partners],
    )
    expect(Number(steps.rows[0]?.withheld)).toBeGreaterThan(0)
    const plan = workspace
      .messages(partners, shared)
      .find((m) => JSON.stringify(m.blocks ?? []).includes('"trace"'))
    await workspace.click(ana, partners, plan?.ts ?? '', 'trace')
    const [trace] = await workspace.until(() => workspace.views(ana).length > 0 && workspace.views(ana))
    expect(JSON.stringify(trace)).toMatch(/withheld: people of another organisation can read here/)
  },
)

test(
  'a rule lets a tool be used there; asked for by name without one, it is denied with the reason',
  PATIENCE,
  async () => {
    await using stage = await open({
      policy: { modern__sum: { decision: 'allow', connect: 'allow' }, 'modern__*': { decision: 'allow' } },
    })
    const { workspace } = stage
    const { ana } = workspace.users
    const { partners } = workspace.channels
    const asked = await workspace.say(ana, partners, '@quorum sum it up')
    await stage.ended(partners, asked)
    expect(stage.said(partners, asked).join()).toContain('Summed.')
    const named = await workspace.say(ana, partners, '@quorum run modern__die {}')
    await stage.ended(partners, named)
    expect(stage.said(partners, named).join()).toContain('no rule of the policy lets it be used there')
  },
)

test(
  'a channel shared between the card and the press: the approved call does not run',
  PATIENCE,
  async () => {
    await using stage = await open()
    const { workspace } = stage
    const { ana } = workspace.users
    const { ops } = workspace.channels
    const ts = await workspace.say(ana, ops, '@quorum sum it up')
    const card = await stage.card(ops, ts)
    await workspace.share(ops, true)
    await workspace.until(() => workspace.pending() === 0)
    await workspace.click(ana, ops, card, 'approve')
    await stage.ended(ops, ts)
    const steps = await stage.engines.store.pool.query(
      `select body ->> 'outcome' as outcome, body ->> 'why' as why from steps where kind = 'decided' order by n`,
    )
    expect(steps.rows.at(-1)).toMatchObject({
      outcome: 'void',
      why: expect.stringContaining('another organisation'),
    })
    expect((await stage.engines.store.pool.query(`select 1 from steps where kind = 'started'`)).rows).toEqual(
      [],
    )
  },
)

test(
  'people of another organisation ask only where a budget is set for them, and never decide',
  PATIENCE,
  async () => {
    await using stage = await open()
    const { workspace } = stage
    const { partners } = workspace.channels
    const eve = workspace.welcome('eve', 'stranger')
    await workspace.invite(eve, partners)
    const ts = await workspace.say(eve, partners, '@quorum hello')
    const told = await workspace.until(() => workspace.ephemerals(eve)[0])
    expect(told.text).toContain('unless budgets.yaml has a line for people of other organisations')
    expect(stage.said(partners, ts)).toEqual([])
    // What they say to each other beside a run is none of ours, and is not answered at all.
    const ana = await workspace.say(workspace.users.ana, partners, '@quorum hello')
    await stage.ended(partners, ana)
    await workspace.say(eve, partners, 'and I say so too', { thread: ana })
    await workspace.until(() => workspace.pending() === 0)
    await until(async () => {
      const left = await stage.engines.store.pool.query('select 1 from inbox where handled_at is null')
      return left.rows.length === 0
    })
    expect(workspace.ephemerals(eve)).toHaveLength(1)
    const runs = await stage.engines.store.pool.query('select asker from runs')
    expect(runs.rows).toEqual([{ asker: workspace.users.ana }])
  },
)

test('what they asked while nobody listened is not taken up either', PATIENCE, async () => {
  await using stage = await open()
  const { workspace } = stage
  const { partners } = workspace.channels
  const { pool } = stage.engines.store
  const eve = workspace.welcome('eve', 'stranger')
  await workspace.invite(eve, partners)
  await until(async () => (await pool.query('select from presence')).rowCount === 1)
  await stage.stop()
  await workspace.say(eve, partners, '@quorum hello')
  const ours = await workspace.say(workspace.users.gil, partners, '@quorum hello')
  workspace.misbehave.giveUp()
  await pool.query("update presence set heard_at = now() - interval '1 hour', reading_until = now()")
  await stage.restart()
  await stage.ended(partners, ours)
  const told = await workspace.until(() => workspace.ephemerals(eve)[0], 30_000)
  expect(told.text).toContain('unless budgets.yaml has a line')
  const runs = await pool.query('select asker from runs')
  expect(runs.rows).toEqual([{ asker: workspace.users.gil }])
})

test(
  'with a line for them they ask at its cost, guests ask as members do, and neither presses Approve',
  PATIENCE,
  async () => {
    await using stage = await open({
      budgets: { outsiders: { day: { tokens: '200k' } }, users: { '*': { day: { tokens: '100k' } } } },
      policy: { modern__sum: { decision: 'ask', connect: 'allow' } },
    })
    const { workspace } = stage
    const { partners } = workspace.channels
    const eve = workspace.welcome('eve', 'stranger')
    await workspace.invite(eve, partners)
    const ts = await workspace.say(eve, partners, '@quorum sum it up')
    const card = await stage.card(partners, ts)
    for (const [who, why] of [
      [eve, 'Only members of this workspace'],
      [workspace.users.gil, 'Guests cannot decide'],
    ] as const) {
      await workspace.click(who, partners, card, 'approve')
      const told = await workspace.until(
        () => workspace.ephemerals(who).find((m) => m.text.includes(why)),
        30_000,
      )
      expect(told).toBeDefined()
    }
    const windows = await stage.engines.store.pool.query(
      `select allowed::int from budgets where scope = 'user' and holder = $1`,
      [eve],
    )
    expect(windows.rows).toEqual([{ allowed: 200_000 }])
    const gil = await workspace.say(workspace.users.gil, partners, '@quorum sum it up')
    await stage.card(partners, gil)
  },
)

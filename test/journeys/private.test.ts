import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { takeRating } from '../../src/agent/feedback.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { stock } from '../support/stock.ts'
import { packaged } from '../support/tools.ts'

describe('a question for one pair of eyes', () => {
  let stage: Stage
  let plan: string
  let held: Promise<void> | undefined
  beforeAll(async () => {
    stage = await openStage({
      model: async ({ body }) => {
        await held
        const last = body.messages.at(-1)
        if (last?.role === 'tool') return { text: `I was told: ${last.content}` }
        if (last?.content?.includes('write it'))
          return {
            calls: [{ name: 'filesystem__write_file', args: { path: '/tmp/quorum-x', content: 'x' } }],
          }
        const numbers = [...(last?.content ?? '').matchAll(/<passage n="(\d+)"/g)].map(([, n]) => `[${n}]`)
        return { text: `It is red ${numbers.join('')}.` }
      },
      servers: { filesystem: packaged('@modelcontextprotocol/server-filesystem', ['/tmp']) },
      policy: { filesystem__write_file: { decision: 'ask', approvers: ['requester'] } },
    })
    plan = await stock(stage)
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  /** Asks by command and gives the answer, which only this person sees. */
  async function ask(user: string, channel: string, question: string) {
    const { workspace } = stage
    const before = workspace.ephemerals(user).length
    await workspace.command(user, channel, `/quorum ask ${question}`)
    const answer = await workspace.until(() => workspace.ephemerals(user)[before + 1], 15_000)
    expect(workspace.ephemerals(user)[before]?.text).toContain('Only you will see')
    const { rows } = await stage.engines.store.pool.query(
      'select id, active from runs where asker = $1 order by created_at desc limit 1',
      [user],
    )
    const run: string = rows[0].id
    await until(async () => {
      const found = await stage.engines.store.pool.query('select 1 from runs where id = $1 and not active', [
        run,
      ])
      return found.rowCount === 1
    })
    return { answer, run, said: JSON.stringify(answer.blocks) }
  }

  const own = (channel: string) =>
    stage.workspace.messages(channel).filter((m) => m.user === stage.workspace.botUser)

  async function share(user: string, channel: string, asked: Awaited<ReturnType<typeof ask>>) {
    const { workspace } = stage
    await workspace.click(user, channel, asked.answer.ts, 'share')
    return workspace.until(() => workspace.views(user).findLast((one) => one.callback_id === 'share'))
  }

  test('it is answered from all that its asker may read, and nothing stands in the channel', async () => {
    const { users, channels } = stage.workspace
    const before = stage.workspace.messages(channels.general).length
    await ask(users.ana, channels.general, 'what colour is the lighthouse?')
    const prompt = JSON.stringify(stage.model.requests.at(-1)?.body.messages)
    for (const source of ['company', 'secret', 'shared']) expect(prompt).toContain(`The ${source} lighthouse`)
    await ask(users.gil, channels.partners, 'what colour is the lighthouse?')
    const guest = JSON.stringify(stage.model.requests.at(-1)?.body.messages)
    expect(guest).not.toContain('The secret lighthouse')
    expect(guest).not.toContain('The company lighthouse')
    expect(stage.workspace.messages(channels.general).length).toBe(before)
    expect(stage.workspace.ephemerals(users.ben).filter((m) => m.text?.includes('red'))).toEqual([])
  })

  test('also where the app is no member of the channel', async () => {
    const { users, channels } = stage.workspace
    const { answer } = await ask(users.ana, channels.random, 'what colour is the lighthouse?')
    expect(answer.text).toContain('It is red')
  })

  test('nobody else opens its trace, rates it or shares it', async () => {
    const { workspace } = stage
    const { ana, ben } = workspace.users
    const channel = workspace.channels.general
    const { run } = await ask(ana, channel, 'what colour is the lighthouse?')
    const before = workspace.ephemerals(ben).length
    await workspace.command(ben, channel, `/quorum trace ${run}`)
    const refused = await workspace.until(() => workspace.ephemerals(ben)[before])
    expect(refused.text).toContain('may not read')
    await workspace.command(ana, channel, `/quorum trace ${run}`)
    await workspace.until(() => JSON.stringify(workspace.views(ana).at(-1)?.blocks ?? '').includes(run))
  })

  test('a call that would need approval is not made, and the asker is told what to do instead', async () => {
    const { users, channels } = stage.workspace
    const { answer } = await ask(users.ana, channels.general, 'please write it')
    expect(answer.text).toContain('only the asker sees this question')
    const { rows } = await stage.engines.store.pool.query(
      `select 1 from approvals where tool like 'filesystem%'`,
    )
    expect(rows).toEqual([])
  })

  test('it stops by command, and says so to its asker', async () => {
    const { workspace } = stage
    const { ana } = workspace.users
    const channel = workspace.channels.general
    const gate = Promise.withResolvers<void>()
    held = gate.promise
    const asked = stage.model.requests.length
    await workspace.command(ana, channel, '/quorum ask what colour is the lighthouse?')
    await workspace.until(() => stage.model.requests.length > asked)
    const before = workspace.ephemerals(ana).length
    await workspace.command(ana, channel, '/quorum stop')
    await workspace.until(() =>
      workspace
        .ephemerals(ana)
        .slice(before)
        .some((m) => /Stopping one run/.test(m.text ?? '')),
    )
    await workspace.until(() =>
      workspace
        .ephemerals(ana)
        .slice(before)
        .some((m) => /^Stopped/.test(m.text ?? '')),
    )
    held = undefined
    gate.resolve()
  })

  test('what may come from what others cannot read is shared only after that was said and confirmed', async () => {
    const { workspace } = stage
    const { ana } = workspace.users
    const channel = workspace.channels.general
    const asked = await ask(ana, channel, 'what colour is the lighthouse?')
    const view = await share(ana, channel, asked)
    const told = JSON.stringify(view.blocks)
    expect(told).toContain('may hold what others cannot read')
    expect(told).toContain('Not everybody there may read')
    expect(told).not.toContain('as-it-is')
    const before = own(channel).length
    await workspace.submit(ana, view.id, { way: { value: 'confirmed' } })
    const [head, answer] = await workspace.until(() => {
      const posted = own(channel).slice(before)
      return posted.length >= 2 && posted
    })
    expect(head?.text).toContain('Ana shares an answer to “what colour is the lighthouse?”')
    expect(head?.text).toContain('may hold what not everybody here could read')
    expect(answer?.text).toContain('It is red')
    // Of what not everybody may read no title and no link goes with it: two of three pages are left.
    expect((JSON.stringify(answer?.blocks).match(/\[\d\] /g) ?? []).length).toBe(2)
    expect(answer?.thread_ts).toBe(head?.ts)
  })

  test('asked again in the channel it is answered from what everybody there may read', async () => {
    const { workspace } = stage
    const { ana } = workspace.users
    const channel = workspace.channels.general
    const asked = await ask(ana, channel, 'what colour is the lighthouse?')
    const view = await share(ana, channel, asked)
    const before = own(channel).length
    await workspace.submit(ana, view.id, {})
    const head = await workspace.until(() => own(channel)[before])
    expect(head.text).toBe('Ana asks: what colour is the lighthouse?')
    await stage.ended(channel, head.ts)
    expect(JSON.stringify(stage.model.requests.at(-1)?.body.messages)).not.toContain('The secret lighthouse')
    expect(stage.said(channel, head.ts).join()).toContain('It is red')
  })

  test('where the app is no member, why it cannot be shared is said in direct messages, and a thumb there counts', async () => {
    const { workspace } = stage
    const { ana } = workspace.users
    const channel = workspace.channels.random
    const asked = await ask(ana, channel, 'what colour is the lighthouse?')
    const view = await share(ana, channel, asked)
    await workspace.submit(ana, view.id, { way: { value: 'again' } })
    await workspace.until(() =>
      own(workspace.dm(ana)).some((m) => m.text?.includes('I cannot write in this')),
    )
    const { pool } = stage.engines.store
    const pressed = {
      kind: 'pressed',
      workspace: workspace.team,
      channel: workspace.dm(ana),
      user: ana,
      button: 'feedback',
      subject: `down ${asked.run}`,
      clickTs: String(Date.now() / 1000),
    } as const
    expect(await takeRating(pool, pressed)).toBeUndefined()
    expect(await takeRating(pool, { ...pressed, user: workspace.users.ben })).toContain('do not know')
    // Nor is silence the answer to a button whose answer is gone.
    const before = workspace.ephemerals(ana).length
    await pool.query('delete from runs where id = $1', [asked.run])
    await workspace.click(ana, channel, asked.answer.ts, 'share')
    const told = await workspace.until(() => workspace.ephemerals(ana)[before])
    expect(told.text).toContain('there is nothing to share')
  })

  test('what all may read is posted without more ado; nobody shares the answer of another', async () => {
    const { workspace } = stage
    const { ana, ben } = workspace.users
    const asked = await ask(ana, plan, 'what colour is the lighthouse?')
    const view = await share(ana, plan, asked)
    expect(JSON.stringify(view.blocks)).toContain('only from pages that all of them may read')
    const before = own(plan).length
    await workspace.submit(ana, view.id, {})
    const head = await workspace.until(() => own(plan)[before])
    expect(head.text).not.toContain('may hold')
    await expect(workspace.click(ben, plan, asked.answer.ts, 'share')).rejects.toThrow()
  })
})

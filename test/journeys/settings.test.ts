import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AgentFront } from '../../src/core/home.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { stock } from '../support/stock.ts'
import { packaged } from '../support/tools.ts'

describe('a channel has settings, which narrow what the policy allows', () => {
  let stage: Stage
  let channel: string
  beforeAll(async () => {
    stage = await openStage({
      model: ({ body }) => {
        const last = body.messages.at(-1)
        if (last?.role !== 'user' || !last.content?.includes('write it')) return { text: 'So it is.' }
        return { calls: [{ name: 'filesystem__write_file', args: { path: '/tmp/quorum-s', content: 'x' } }] }
      },
      servers: { filesystem: packaged('@modelcontextprotocol/server-filesystem', ['/tmp']) },
      policy: { filesystem__write_file: { decision: 'ask', approvers: ['requester', 'U0BEN', 'S0ONCALL'] } },
      channels: ({ general }) => ({ [general]: { managers: ['U0BEN'] } }),
      admins: ['U0CHLOE'],
    })
    await stock(stage)
    channel = stage.workspace.channels.general
    const { agents } = stage.engines.home
    agents.push({ ...AgentFront.parse({ name: 'scribe' }), instructions: 'You are a scribe.' })
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  async function open(user: string, where = channel) {
    const { workspace } = stage
    const before = workspace.ephemerals(user).length
    const old = workspace.views(user).at(-1)?.id
    await workspace.command(user, where, '/quorum settings')
    return workspace.until(() => {
      const view = workspace.views(user).at(-1)
      if (view && view.id !== old) return { form: view.callback_id, id: view.id, text: '' }
      const said = workspace.ephemerals(user)[before]
      return said && { form: '', id: '', text: said.text }
    })
  }

  type Chosen = { agent?: string; tools?: string[]; sources?: string[]; people?: string[]; groups?: string[] }

  async function settle(user: string, chosen: Chosen): Promise<string | undefined> {
    const { workspace } = stage
    const view = await open(user)
    const before = workspace.ephemerals(user).length
    const none = { agent: 'quorum', tools: [], sources: [], people: [], groups: [] }
    const values = Object.fromEntries(
      Object.entries({ ...none, ...chosen }).map(([block, value]) => [block, { value }]),
    )
    await workspace.submit(user, view.id, values)
    return (await workspace.until(() => workspace.ephemerals(user)[before])).text
  }

  async function ask(text: string) {
    const { workspace, model } = stage
    const ts = await workspace.say(workspace.users.ana, channel, `@quorum ${text}`)
    await stage.ended(channel, ts)
    const { body } = model.requests.at(-1) ?? {}
    return {
      said: stage.said(channel, ts).at(-1),
      prompt: JSON.stringify(body?.messages),
      tools: (body?.tools ?? []).map((one: { function: { name: string } }) => one.function.name),
    }
  }

  test('whoever may not change them reads them; admins and the managers of the channel change them', async () => {
    const { ana, ben, chloe } = stage.workspace.users
    const told = await open(ana)
    expect(told.text).toContain('Settings of this channel: quorum answers.')
    expect(told.text).toContain('Tools: whatever policy.yaml allows.')
    expect((await open(ben)).form).toBe('settings')
    expect((await open(chloe)).form).toBe('settings')
    expect((await open(ben, stage.workspace.channels.ops)).text).toContain('Settings of this channel')
    expect((await open(ana, stage.workspace.dm(ana))).text).toContain('Only channels have settings')
  })

  test('the next question has fewer tools and sources, and another agent; and it is kept who changed what', async () => {
    const { workspace } = stage
    const { ben, chloe } = workspace.users
    expect((await ask('what colour is the lighthouse?')).tools).toContain('filesystem__write_file')
    expect(
      await settle(ben, { agent: 'scribe', tools: ['filesystem__read_file'], sources: ['company'] }),
    ).toContain('hold from the next question on')
    const narrowed = await ask('what colour is the lighthouse?')
    expect(narrowed.tools.filter((name: string) => name.startsWith('filesystem'))).toEqual([
      'filesystem__read_file',
    ])
    expect(narrowed.prompt).toContain('The company lighthouse')
    expect(narrowed.prompt).not.toContain('The shared lighthouse')
    expect(narrowed.prompt).toContain('You are a scribe.')
    expect(
      (await ask('run filesystem__write_file {"path": "/tmp/quorum-s", "content": "x"}')).said,
    ).toContain('There is no tool')
    expect(await settle(chloe, {})).toContain('hold from the next question on')
    const freed = await ask('what colour is the lighthouse?')
    expect(freed.prompt).toContain('The shared lighthouse')
    const { rows } = await stage.engines.store.pool.query(
      'select settings, changed_by from settings where channel = $1 order by id',
      [channel],
    )
    expect(rows).toEqual([
      {
        settings: { agent: 'scribe', tools: ['filesystem__read_file'], sources: ['company'] },
        changed_by: ben,
      },
      { settings: {}, changed_by: chloe },
    ])
  })

  test('where the agent that was settled is gone, the first one answers, under its own rules', async () => {
    const { home, store } = stage.engines
    const { ana, chloe } = stage.workspace.users
    await settle(chloe, { agent: 'scribe' })
    const rules = { quorum: { tools: { filesystem__write_file: { decision: 'deny' } } } }
    Object.assign(home.policy.agents, PolicyFile.parse({ agents: rules }).agents)
    const scribe = home.agents.pop()
    expect((await open(ana)).text).toContain('quorum answers.')
    const { prompt } = await ask('write it, please')
    expect(prompt).toContain('You are a teammate.')
    const { rows } = await store.pool.query(
      `select body ->> 'verdict' as verdict from steps where kind = 'proposed' order by body ->> 'at' desc limit 1`,
    )
    expect(rows).toEqual([{ verdict: 'deny' }])
    delete home.policy.agents.quorum
    if (scribe) home.agents.push(scribe)
    await settle(chloe, {})
  })

  test('of two people at once one is told that the other was quicker', async () => {
    const { workspace } = stage
    const { ben, chloe } = workspace.users
    const [first, second] = [await open(ben), await open(chloe)]
    const told = async (user: string, id: string, tools: string[]) => {
      const before = workspace.ephemerals(user).length
      await workspace.submit(user, id, { tools: { value: tools } })
      return (await workspace.until(() => workspace.ephemerals(user)[before])).text
    }
    expect(await told(ben, first.id, ['-'])).toContain('hold from the next question on')
    expect(await told(chloe, second.id, ['filesystem__*'])).toContain(
      'Somebody else changed the settings meanwhile',
    )
    expect(
      (await ask('what colour is the lighthouse?')).tools.filter((name: string) =>
        name.startsWith('filesystem'),
      ),
    ).toEqual([])
    await settle(chloe, {})
  })

  test('approvers are those of the policy that are named here, also for an edited call, and for no run under way', async () => {
    const { workspace } = stage
    const { ana, ben } = workspace.users
    const begin = () => workspace.say(ana, channel, '@quorum write it')
    const old = await begin()
    const free = await stage.card(channel, old)
    await settle(ben, { people: [ben] })
    const ts = await begin()
    const card = await stage.card(channel, ts)
    const before = workspace.ephemerals(ana).length
    await workspace.click(ana, channel, card, 'approve')
    expect((await workspace.until(() => workspace.ephemerals(ana)[before])).text).toMatch(
      /waits for|not yours|Ben/i,
    )
    await workspace.click(ben, channel, card, 'edit')
    const view = await workspace.until(() =>
      workspace.views(ben).findLast((one) => one.callback_id === 'edit'),
    )
    await workspace.submit(ben, view.id, { 'arg:content': { value: 'y' } })
    const edited = await workspace.until(() => {
      const shown = workspace
        .messages(channel, ts)
        .findLast((m) => JSON.stringify(m.blocks ?? []).includes('"approve"'))
      return shown && shown.ts !== card ? shown.ts : undefined
    })
    await workspace.click(ben, channel, edited, 'approve')
    await stage.ended(channel, ts)
    expect(stage.said(channel, ts).join()).toContain('Approved by someone. Done.')
    await workspace.click(ana, channel, free, 'approve')
    await stage.ended(channel, old)
    expect(stage.said(channel, old).join()).toContain('Approved by someone. Done.')
  })

  test('after a mention in the thread they are told, with the button that opens them', async () => {
    const { workspace } = stage
    const { ben } = workspace.users
    const before = workspace.ephemerals(ben).length
    await workspace.say(ben, channel, '@quorum settings')
    const told = await workspace.until(() => workspace.ephemerals(ben)[before])
    expect(told.text).toContain('Last changed by Ben')
    await workspace.click(ben, channel, told.ts, 'settings')
    await workspace.until(() => workspace.views(ben).at(-1)?.callback_id === 'settings')
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, AgentFront } from '../../src/core/home.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { stock } from '../support/stock.ts'
import { packaged } from '../support/tools.ts'

describe('words for the agent show each person what is theirs to see', () => {
  let stage: Stage
  let plan: string
  beforeAll(async () => {
    stage = await openStage({
      model: ({ body }) => {
        const last = body.messages.at(-1)
        if (last?.role !== 'user' || !last.content?.includes('write it')) return { text: 'It is red [1].' }
        return { calls: [{ name: 'filesystem__write_file', args: { path: '/tmp/x', content: 'x' } }] }
      },
      servers: { filesystem: packaged('@modelcontextprotocol/server-filesystem', ['/tmp']) },
      policy: { filesystem__write_file: { decision: 'ask', approvers: ['U0BEN'] } },
      admins: ['U0CHLOE'],
    })
    plan = await stock(stage)
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  /** What a command is answered with, as one text with the links in it. */
  async function command(user: string, channel: string, text: string): Promise<string> {
    const { workspace } = stage
    const before = workspace.ephemerals(user).length
    await workspace.command(user, channel, text)
    const said = await workspace.until(() => workspace.ephemerals(user)[before])
    return `${said.text}\n${JSON.stringify(said.blocks)}`
  }

  async function askIn(user: string, channel: string, text: string): Promise<{ ts: string; run: string }> {
    const ts = await stage.workspace.say(user, channel, text)
    await stage.ended(channel, ts)
    const { rows } = await stage.engines.store.pool.query('select id from runs where message = $1', [ts])
    return { ts, run: rows[0].id }
  }

  /** The trace that opens for a person, or the sentence why none does. */
  async function trace(user: string, channel: string, rest: string): Promise<string> {
    const { workspace } = stage
    const before = workspace.ephemerals(user).length
    const old = workspace.views(user).at(-1)?.id
    await workspace.command(user, channel, `/quorum trace ${rest}`)
    const shown = await workspace.until(() => {
      const view = workspace.views(user).at(-1)
      return (view?.id !== old && view) || workspace.ephemerals(user)[before]
    })
    return JSON.stringify('text' in shown ? shown.text : shown.blocks)
  }

  test('sources: only those they may read, and to admins all', async () => {
    const { users, channels } = stage.workspace
    const named = (said: string) =>
      ['company', 'secret', 'shared'].filter((name) => said.includes(`"${name}"`))
    expect(named(await command(users.ben, channels.general, '/quorum sources'))).toEqual([
      'company',
      'secret',
      'shared',
    ])
    expect(named(await command(users.gil, channels.partners, '/quorum sources'))).toEqual(['shared'])
    expect(named(await command(users.chloe, channels.general, '/quorum sources'))).toHaveLength(3)
  })

  test('agents, tools, status, help', async () => {
    const { users, channels } = stage.workspace
    const say = (word: string) => command(users.ana, channels.general, `/quorum ${word}`)
    expect(await say('agents')).toContain('quorum (answers here) (all tools; all sources)')
    expect(await say('tools')).toContain('filesystem__write_file: changes something, asks first')
    expect(await say('status')).toContain('doing nothing for you')
    expect(await say('help')).toContain('`/quorum trace RUN`')
  })

  test('agents: of their sources only those that whoever asks may read are named', async () => {
    const { users, channels } = stage.workspace
    const agents = stage.engines.home.agents as Agent[]
    agents.push({
      ...AgentFront.parse({ name: 'keeper', knowledge: ['secret', 'shared'], tools: ['filesystem__*'] }),
      instructions: '',
    })
    const say = (user: string, channel: string) => command(user, channel, '/quorum agents')
    expect(await say(users.ana, channels.general)).toContain(
      'keeper (tools filesystem__*; sources secret, shared)',
    )
    const guest = await say(users.gil, channels.partners)
    expect(guest).toContain('keeper (some tools; sources shared, 1 that you may not read)')
    agents.pop()
  })

  test('tools: those that are withheld where another organisation reads are counted, not named', async () => {
    const { users, channels } = stage.workspace
    const said = await command(users.ana, channels.partners, '/quorum tools')
    expect(said).toMatch(/\d+ tools are withheld here: people of another organisation/)
    expect(said).not.toContain('filesystem__')
    const alone = await command(users.ana, stage.workspace.dm(users.ana), '/quorum tools')
    expect(alone).toContain('filesystem__write_file')
  })

  test('a trace opens for whoever can read the thread, wherever they ask, and for nobody else', async () => {
    const { users, channels } = stage.workspace
    const { run } = await askIn(users.ana, plan, '@quorum what colour is the secret lighthouse?')
    expect(await trace(users.ana, plan, '')).toContain(run)
    expect(await trace(users.ben, channels.general, run.slice(0, 8))).toContain(run)
    const refused = await trace(users.chloe, channels.general, run)
    expect(refused).toContain('or you may not read its thread')
    expect(await trace(users.ana, channels.general, '00000000')).toBe(refused)
    expect(await trace(users.ana, channels.general, 'of my life')).toBe(refused)
  })

  test('a trace of a direct message is for its person alone', async () => {
    const { workspace } = stage
    const { ana, ben } = workspace.users
    const { run } = await askIn(ana, workspace.dm(ana), 'what colour is the lighthouse?')
    expect(await trace(ana, workspace.channels.general, run)).toContain(run)
    expect(await trace(ben, workspace.channels.general, run)).toContain('may not read')
  })

  test('whoever joined later sees how it came, but of what was read only what they may read', async () => {
    const { workspace } = stage
    const { users } = workspace
    const room = workspace.createChannel('room', [users.ana, users.ben], { private: true })
    const { run } = await askIn(users.ana, room, '@quorum what colour is the lighthouse?')
    const all = await trace(users.ben, room, run)
    expect(all).toContain('Lighthouse')
    expect(all).not.toContain('may not read')
    await workspace.invite(users.gil, room)
    const some = await trace(users.gil, room, run)
    expect(some).toContain('Finished: answered')
    expect(some).toContain('passages you may not read')
    const links = (said: string) => said.split('Lighthouse').length
    expect(links(some)).toBeLessThan(links(all))
  })

  test('approvals: to decide, and asked for; with the way to the card', async () => {
    const { workspace } = stage
    const { ana, ben, chloe } = workspace.users
    const channel = workspace.channels.general
    const ts = await workspace.say(ana, channel, '@quorum write it')
    const card = await stage.card(channel, ts)
    const mine = await command(ben, channel, '/quorum approvals')
    expect(mine).toContain('Waiting for your decision')
    expect(mine).toContain('write_file on filesystem')
    expect(mine).toContain(card.replace('.', ''))
    expect(await command(ana, channel, '/quorum approvals')).toContain('others decide')
    expect(await command(chloe, channel, '/quorum approvals')).toContain('No approval waits for you')
    await workspace.click(ben, channel, card, 'deny')
    await stage.ended(channel, ts)
  })

  test('the same words after a mention in a thread are for the person alone, and open the trace by a button', async () => {
    const { workspace } = stage
    const { ana } = workspace.users
    const channel = workspace.channels.general
    const { ts, run } = await askIn(ana, channel, '@quorum what colour is the lighthouse?')
    const runs = async () =>
      (await stage.engines.store.pool.query('select count(*)::int as n from runs')).rows[0].n
    const before = await runs()
    const whispered = async (text: string) => {
      const count = workspace.ephemerals(ana).length
      await workspace.say(ana, channel, `@quorum ${text}`, { thread: ts })
      return workspace.until(() => workspace.ephemerals(ana)[count])
    }
    for (const word of ['sources', 'agents', 'approvals', 'budget', 'status', 'help', 'tools', 'prompts'])
      expect((await whispered(word)).thread_ts).toBe(ts)
    const opener = await whispered('trace')
    await workspace.click(ana, channel, opener.ts, 'trace')
    await until(async () => JSON.stringify(workspace.views(ana).at(-1)?.blocks ?? []).includes(run))
    expect(await runs()).toBe(before)
  })
})

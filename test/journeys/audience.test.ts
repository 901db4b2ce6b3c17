import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStage, type Stage, until } from '../support/stage.ts'
import { stock } from '../support/stock.ts'

describe('a passage reaches only threads whose every reader may read it', () => {
  let stage: Stage
  let plan: string
  beforeAll(async () => {
    stage = await openStage({ model: { text: 'Noted.' } })
    plan = await stock(stage)
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  async function read(user: string, channel: string) {
    const { workspace } = stage
    const ts = await workspace.say(user, channel, '@quorum what colour is the lighthouse?')
    await stage.ended(channel, ts)
    const prompt = JSON.stringify(stage.model.requests.at(-1)?.body.messages)
    return ['company', 'secret', 'shared'].filter((name) => prompt.includes(`The ${name} lighthouse`))
  }

  test('a channel of full members reads what everyone may read, and its own', async () => {
    const { users, channels } = stage.workspace
    expect(await read(users.ana, channels.general)).toEqual(['company', 'shared'])
    expect(await read(users.ana, plan)).toEqual(['company', 'secret', 'shared'])
  })

  test('Home tells each person of the sources they may read, and of no other', async () => {
    const { workspace } = stage
    const { ana, chloe, gil } = workspace.users
    const home = async (user: string) => {
      await workspace.openHome(user)
      return JSON.stringify((await until(async () => workspace.home(user))).blocks)
    }
    const named = (blocks: string) =>
      ['company', 'secret', 'shared'].filter((name) => blocks.includes(`"${name}"`))
    expect(named(await home(ana))).toEqual(['company', 'secret', 'shared'])
    expect(named(await home(chloe))).toEqual(['company', 'shared'])
    expect(named(await home(gil))).toEqual(['shared'])
  })

  test('an answer that rests on none of what was found says so', async () => {
    const { workspace } = stage
    const ts = await workspace.say(workspace.users.ana, workspace.channels.general, '@quorum is it red?')
    await stage.ended(workspace.channels.general, ts)
    const said = stage.said(workspace.channels.general, ts).at(-1)
    expect(said).toMatch(/^Noted\.\n+_?This answer cites none of the pages that were found/)
  })

  test('where outsiders read along, only what is theirs too', async () => {
    const { users, channels } = stage.workspace
    expect(await read(users.ana, channels.partners)).toEqual(['shared'])
  })

  test('a person alone reads what they could open: a member, a member of fewer channels, a guest', async () => {
    const { workspace } = stage
    const { ana, chloe, gil } = workspace.users
    expect(await read(ana, workspace.dm(ana))).toEqual(['company', 'secret', 'shared'])
    expect(await read(chloe, workspace.dm(chloe))).toEqual(['company', 'shared'])
    expect(await read(gil, workspace.dm(gil))).toEqual(['shared'])
  })

  test('whoever was removed from a channel is given nothing of it at the next question', async () => {
    const { workspace } = stage
    const { ben } = workspace.users
    expect(await read(ben, workspace.dm(ben))).toContain('secret')
    await workspace.leave(ben, plan)
    await workspace.until(() => workspace.pending() === 0)
    expect(await read(ben, workspace.dm(ben))).not.toContain('secret')
  })

  test('where Slack does not say who reads, nothing but the channel’s own is given', async () => {
    await using blind = await openStage({ model: { text: 'Noted.' } })
    await stock(blind)
    const { workspace } = blind
    workspace.misbehave.refuse('conversations.info', 'internal_error', 50)
    workspace.misbehave.refuse('conversations.members', 'internal_error', 50)
    const channel = workspace.channels.general
    const ts = await workspace.say(workspace.users.ana, channel, '@quorum what colour is the lighthouse?')
    await blind.ended(channel, ts)
    expect(blind.said(channel, ts).at(-1)).toBe('Noted.')
    expect(JSON.stringify(blind.model.requests.at(-1)?.body.messages)).not.toContain('lighthouse is red')
  })
})

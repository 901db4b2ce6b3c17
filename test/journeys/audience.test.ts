import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ingest } from '../../src/agent/knowledge/ingest.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { makeTemporary } from '../support/temporary.ts'

/** Three sources: for everyone, for #ops, for #partners. */
async function stock(stage: Stage): Promise<void> {
  await using temporary = await makeTemporary()
  const { pool } = stage.engines.store
  const { team, channels } = stage.workspace
  const shelves = { company: 'everyone', secret: [channels.ops], shared: [channels.partners] } as const
  for (const [name, audience] of Object.entries(shelves)) {
    await mkdir(path.join(temporary.dir, name))
    await writeFile(
      path.join(temporary.dir, name, 'page.md'),
      `# Lighthouse\n\nThe ${name} lighthouse is red.\n`,
    )
    const source = { directory: name, audience: audience === 'everyone' ? audience : [...audience] }
    await ingest({ pool, home: temporary.dir }, team, name, source as Parameters<typeof ingest>[3])
  }
}

describe('a passage reaches only threads whose every reader may read it', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await openStage({ model: { text: 'Noted.' } })
    await stock(stage)
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
    expect(await read(users.ana, channels.general)).toEqual(['company'])
    expect(await read(users.ana, channels.ops)).toEqual(['company', 'secret'])
  })

  test('where outsiders read along, only what is theirs too', async () => {
    const { users, channels } = stage.workspace
    expect(await read(users.ana, channels.partners)).toEqual(['shared'])
  })

  test('a member alone reads what everyone may; a guest alone does not', async () => {
    const { workspace } = stage
    expect(await read(workspace.users.ana, workspace.dm(workspace.users.ana))).toEqual(['company'])
    expect(await read(workspace.users.gil, workspace.dm(workspace.users.gil))).toEqual([])
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

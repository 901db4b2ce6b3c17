import { expect, test } from 'vitest'
import type { Call } from '../../src/slack/call.ts'
import { openChannels } from '../../src/slack/channels.ts'

const self = { workspace: 'T1', botUser: 'UBOT', botId: 'BBOT', url: 'https://one.example/' }

test('names of people are asked for behind everything else, once, and what Slack does not tell is left out', async () => {
  const asked: unknown[] = []
  const call: Call = async (method, args, options) => {
    asked.push([method, args.user, options?.priority])
    if (args.user === 'U2') throw new Error('user_not_found')
    return { ok: true, user: { id: args.user, real_name: 'Ana', profile: { display_name: '' } } }
  }
  const channels = openChannels(call, self, async (id) => (id === 'S1' ? '@oncall' : id))
  const known = new Map([
    ['U1', 'Ana'],
    ['S1', '@oncall'],
  ])
  expect(await channels.names(['U1', 'U2', 'S1', 'S2'])).toEqual(known)
  expect(asked).toEqual([
    ['users.info', 'U1', 'background'],
    ['users.info', 'U2', 'background'],
  ])
  expect(await channels.names(['U1', 'S1'])).toEqual(known)
  expect(asked).toHaveLength(2)
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { listsOf } from '../../src/core/approvers.ts'
import type { CatalogueTool } from '../../src/core/catalogue.ts'
import type { Agent } from '../../src/core/home.ts'
import { judge } from '../../src/core/policy.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import { narrow, narrowingOf, offeredIn, tighten } from '../../src/core/settings.ts'

const tool = (name: string): CatalogueTool => ({
  name,
  server: name.split('__')[0] ?? '',
  tool: name.split('__')[1] ?? '',
  title: name,
  description: '',
  inputSchema: { type: 'object' },
  hints: {},
  effect: 'write',
  sensitive: [],
  definitionHash: 'd',
  serverHash: 's',
})
const people = ['UANA', 'UBEN', 'UCARA', 'requester'] as const
const approvers = fc.uniqueArray(fc.constantFrom(...people), { minLength: 1, maxLength: 3 })
const rule = fc.record(
  {
    decision: fc.constantFrom('allow', 'ask', 'deny'),
    approvers,
    need: fc.integer({ min: 1, max: 2 }),
    self_approve: fc.boolean(),
  },
  { requiredKeys: [] },
)
const rules = fc.dictionary(fc.constantFrom('desk__order', 'desk__*', '*', 'other__x'), rule)
const policies = fc
  .record({ tools: rules, mine: rules, others: rules })
  .map(({ tools, mine, others }) =>
    PolicyFile.parse({ tools, channels: { C1: { tools: mine }, C2: { tools: others } } }),
  )
const STRICT = { allow: 0, ask: 1, deny: 2 }
const able = (judged: ReturnType<typeof judge>, asker: string) =>
  people.filter((who) => listsOf({ ...judged, asker }).every((list) => list.includes(who)))

test('what a channel settles only tightens: no verdict is loosened, and nobody may approve whom the policy did not name', () => {
  fc.assert(
    fc.property(
      policies,
      approvers,
      fc.constantFrom('UANA', 'UBEN'),
      fc.boolean(),
      (policy, named, asker, read) => {
        const question = {
          ...{ tool: tool('desk__order'), args: {}, asker, channel: 'C1', agent: 'quorum', words: [] },
          taint: read ? (['page'] as never[]) : [],
        }
        const before = judge(policy, question)
        const after = judge(tighten(policy, { approvers: named }), question)
        expect(STRICT[after.verdict]).toBeGreaterThanOrEqual(STRICT[before.verdict])
        expect(after.need).toBeGreaterThanOrEqual(before.need)
        if (after.verdict !== 'ask') return
        const layers = [policy.tools, policy.channels.C1?.tools ?? {}]
        const speaking = layers.flatMap((one) =>
          Object.entries(one).flatMap(([pattern, list]) => (pattern === 'other__x' ? [] : list)),
        )
        const chosen = named.map((who) => (who === 'requester' ? asker : who))
        const narrows = speaking.some((one) => one.approvers && one.decision !== 'deny')
        for (const who of able(after, asker)) {
          expect(able(before, asker)).toContain(who)
          if (narrows) expect(chosen).toContain(who)
        }
        if (!narrows) expect(after.approvers).toEqual(before.approvers)
      },
    ),
  )
})

test('where nothing is settled the policy is the very same; the requester is replaced by nobody', () => {
  const asks = (policy: ReturnType<typeof PolicyFile.parse>) =>
    judge(policy, {
      tool: tool('a__b'),
      args: {},
      asker: 'UANA',
      channel: 'C1',
      agent: 'q',
      taint: [],
      words: [],
    })
  const open = PolicyFile.parse({ tools: { '*': { decision: 'ask' } } })
  expect(tighten(open, {})).toBe(open)
  expect(asks(tighten(open, { approvers: ['UBEN'] })).approvers).toEqual([['requester']])
  const named = PolicyFile.parse({
    tools: { '*': { decision: 'ask', approvers: ['requester', 'UBEN', 'SOPS'] } },
  })
  expect(asks(tighten(named, { approvers: ['UBEN'] })).approvers).toEqual([
    ['UBEN'],
    ['SOPS', 'UBEN', 'requester'],
  ])
})

test('tools and sources are what is left of both; an empty list leaves none', () => {
  const all = [tool('desk__order'), tool('desk__look'), tool('files__read')]
  const names = (tools?: string[]) => offeredIn(all, tools ? { tools } : {}).map(({ name }) => name)
  expect(names()).toHaveLength(3)
  expect(names(['desk__*'])).toEqual(['desk__order', 'desk__look'])
  expect(names(['files__read', 'desk__look'])).toEqual(['desk__look', 'files__read'])
  expect(names([])).toEqual([])
  const agent = { knowledge: ['a', 'b'] } as Agent
  expect(narrow(agent, { sources: ['b', 'c'] }).knowledge).toEqual(['b'])
  expect(narrow({ ...agent, knowledge: undefined }, { sources: [] }).knowledge).toEqual([])
  expect(narrow(agent, {})).toBe(agent)
  expect(narrowingOf([])).toEqual({})
})

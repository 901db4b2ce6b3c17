import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mayDecide } from '../../src/core/approvers.ts'
import type { CatalogueTool } from '../../src/core/catalogue.ts'
import { matches } from '../../src/core/pattern.ts'
import {
  DEFAULT_EXPIRES_MS,
  type Judgement,
  judge,
  limitsFor,
  offeredOutside,
  outputFor,
  type Question,
} from '../../src/core/policy.ts'
import { type Policy, PolicyFile } from '../../src/core/rules.ts'

const tool: CatalogueTool = {
  name: 'files__write_file',
  server: 'files',
  tool: 'write_file',
  title: 'Write',
  description: '',
  inputSchema: { type: 'object', properties: { path: {}, content: {}, size: {} } },
  hints: {},
  effect: 'write',
  sensitive: ['path', 'content'],
  definitionHash: 'd',
  serverHash: 's',
}
const policy = (tools: object, more: object = {}): Policy => PolicyFile.parse({ tools, ...more })
const asked: Question = {
  tool,
  args: {},
  asker: 'UANA',
  channel: 'C1',
  agent: 'quorum',
  taint: [],
  words: [],
}
const judged = (tools: object, more: Partial<Question> = {}, layers: object = {}) =>
  judge(policy(tools, layers), { ...asked, ...more })
const read = { ...tool, effect: 'read' as const }
const HOUR = 3_600_000
const tainted = [{ from: 'passages' as const }]

test('without a rule it asks, and the requester may approve for eight hours', () => {
  expect(judged({})).toMatchObject({
    verdict: 'ask',
    why: 'No rule of the policy names it, so it asks first.',
    approvers: [['requester']],
    need: 1,
    selfApprove: true,
    expiresMs: 8 * HOUR,
    effect: 'write',
    output: 'untrusted',
  })
  expect(judged({ memory__x: { decision: 'allow' } }).verdict).toBe('ask')
  expect(judged({ '*': { effect: 'write' } }).verdict).toBe('ask')
})

test('the most restrictive rule wins, wherever it stands and however wide it is', () => {
  const verdict = (tools: object) => judged(tools).verdict
  expect(verdict({ '*': { decision: 'allow' } })).toBe('allow')
  expect(verdict({ 'files__*': { decision: 'allow' }, '*': { decision: 'ask' } })).toBe('ask')
  expect(verdict({ files__write_file: { decision: 'allow' }, '*__write_*': { decision: 'deny' } })).toBe(
    'deny',
  )
})

test('layers of a channel and of an agent only tighten, and only there', () => {
  const layers = {
    channels: { C1: { tools: { '*': { decision: 'ask' } } }, C2: { tools: { '*': { decision: 'allow' } } } },
    agents: { careful: { tools: { '*': { decision: 'deny' } } } },
  }
  const allow = { '*': { decision: 'allow' } }
  expect(judged(allow, {}, layers).verdict).toBe('ask')
  expect(judged(allow, { channel: 'C3' }, layers).verdict).toBe('allow')
  expect(judged(allow, { channel: 'C3', agent: 'careful' }, layers).verdict).toBe('deny')
  expect(judged({ '*': { decision: 'ask' } }, { channel: 'C2' }, layers).verdict).toBe('ask')
  expect(judged(allow, { channel: 'constructor', agent: 'toString' }, layers).verdict).toBe('allow')
})

test('a tainted run asks before a write or a read from an address, whatever rules allow; never before a read', () => {
  const allow = { '*': { decision: 'allow' } }
  expect(judged(allow, { taint: tainted })).toMatchObject({ verdict: 'ask', approvers: [['requester']] })
  expect(judged(allow, { taint: tainted }).risk).toContain('pages of the team')
  expect(judged(allow, { taint: tainted, tool: { ...tool, effect: 'egress_read' } }).verdict).toBe('ask')
  expect(judged(allow, { taint: tainted, tool: read }).verdict).toBe('allow')
  expect(judged({ '*': { decision: 'deny' } }, { taint: tainted }).verdict).toBe('deny')
})

test('what the requester dictated is excused only where every rule that allows says so', () => {
  const words = ['write hello there to notes.txt']
  const args = { path: 'notes.txt', content: 'hello there' }
  const both = { taint: tainted, words, args }
  expect(judged({ '*': { decision: 'allow', excuse: 'literal' } }, both).verdict).toBe('allow')
  expect(judged({ '*': { decision: 'allow' } }, both).verdict).toBe('ask')
  const other = { files__write_file: { decision: 'allow' } }
  expect(judged({ '*': { decision: 'allow', excuse: 'literal' }, ...other }, both).verdict).toBe('ask')
  const more = { '*': { decision: 'allow', excuse: 'literal' }, 'files__*': { decision: 'ask' } }
  expect(judged(more, both).verdict).toBe('ask')
})

test('claims of a server tighten and never loosen; so do rules', () => {
  const effect = (hints: CatalogueTool['hints'], accepted: CatalogueTool['effect'], rule: object = {}) =>
    judged({ '*': rule }, { tool: { ...tool, hints, effect: accepted } }).effect
  expect(effect({ readOnlyHint: true }, 'write')).toBe('write')
  expect(effect({ readOnlyHint: false }, 'read')).toBe('write')
  expect(effect({ destructiveHint: true }, 'read')).toBe('write')
  expect(effect({ openWorldHint: true }, 'read')).toBe('egress_read')
  expect(effect({}, 'read')).toBe('read')
  expect(effect({}, 'read', { effect: 'egress_read' })).toBe('egress_read')
  expect(effect({}, 'write', { effect: 'read' })).toBe('write')
})

test('whoever approves must satisfy every rule that names approvers', () => {
  const ask = (approvers?: string[], expires?: string) => ({ decision: 'ask', approvers, expires })
  const three = judged({
    '*': ask(),
    'files__*': ask(['UBEN', 'UCHLOE', 'requester'], '2h'),
    '*_file': ask(['UCHLOE', 'UANA'], '30m'),
  })
  expect(three).toMatchObject({ verdict: 'ask', approvers: [['UCHLOE', 'requester']], expiresMs: HOUR / 2 })
  const nobody = judged({ '*': ask(['UBEN']), 'files__*': ask(['requester']) })
  expect(nobody).toMatchObject({ verdict: 'deny', approvers: [] })
  expect(nobody.why).toContain('Nobody')
})

test('groups stay lists of their own: who is in them only Slack knows', () => {
  const rules = {
    '*': { decision: 'ask', approvers: ['S0ONCALL', 'UBEN'] },
    'files__*': { approvers: ['requester'] },
  }
  const { approvers, verdict } = judged(rules)
  expect(verdict).toBe('ask')
  expect(approvers).toEqual([['requester'], ['S0ONCALL', 'UBEN']])
  const may = (id: string, groups: string[] = []) =>
    mayDecide({ approvers, need: 1, selfApprove: true, asker: 'UANA' }, { id, groups })
  expect(may('UANA', ['S0ONCALL'])).toBe(true)
  expect(may('UANA')).toBe(false)
  expect(may('UBEN')).toBe(false)
})

test('terms that nobody can meet deny at once and say so', () => {
  expect(judged({ '*': { decision: 'ask', need: 2 } })).toMatchObject({
    verdict: 'deny',
    why: 'The rules ask for 2 approvals and let only 1 approve, so it cannot be approved.',
  })
  expect(judged({ '*': { decision: 'ask', self_approve: false } }).verdict).toBe('deny')
  expect(judged({ '*': { decision: 'ask', self_approve: false, approvers: ['UANA', 'UBEN'] } }).verdict).toBe(
    'ask',
  )
  expect(judged({ '*': { decision: 'ask', need: 2, approvers: ['S0ONCALL'] } }).verdict).toBe('ask')
})

test('a rule also finds a tool by its full name where the shown name is cut', () => {
  const cut = { ...tool, name: 'files__drop_1234abcd', tool: 'drop_all_tables' }
  expect(judged({ files__drop_all_tables: { decision: 'deny' } }, { tool: cut }).verdict).toBe('deny')
})

test('conditions on arguments: what cannot be told of them tightens', () => {
  const rules = {
    '*': [
      { decision: 'allow', when: { size: { max: 10 } } },
      { decision: 'deny', when: { size: { min: 1000 } } },
    ],
  }
  const verdict = (args: unknown) => judged(rules, { args }).verdict
  expect(verdict({ size: 5 })).toBe('allow')
  expect(verdict({ size: 50 })).toBe('ask')
  expect(verdict({ size: 5000 })).toBe('deny')
  expect(verdict({})).toBe('deny')
  expect(verdict({ size: '5' })).toBe('deny')
})

test('addresses beyond the hosts of any rule are refused', () => {
  const rules = { '*': { decision: 'allow', egress: ['*.example.com'] } }
  const verdict = (args: unknown) => judged(rules, { args, tool: read })
  expect(verdict({ path: 'https://docs.example.com/a' }).verdict).toBe('allow')
  expect(verdict({ path: 'https://evil.test/docs.example.com' })).toMatchObject({
    verdict: 'deny',
    why: 'The policy does not let it reach evil.test.',
  })
  expect(verdict({ path: 'notes.txt' }).verdict).toBe('allow')
})

test('an approval is remembered only where every rule that asks says so, as shortly and narrowly as any', () => {
  const remember = (scope: string, ttl: string) => ({ decision: 'ask', remember: { scope, ttl } })
  expect(judged({ '*': remember('user', '2h'), 'files__*': remember('thread', '1d') }).remember).toEqual({
    scope: 'thread',
    ttlMs: 2 * HOUR,
  })
  expect(judged({ '*': remember('user', '2h'), 'files__*': { decision: 'ask' } }).remember).toBeUndefined()
})

test('limits and outputs of all rules count; untrusted wins', () => {
  const rules = {
    '*': { output: 'trusted', limits: { timeout: '30s', calls: 5 } },
    'files__*': { limits: { timeout: '1m', result_bytes: 100 } },
  }
  expect(judged(rules).limits).toEqual({ timeoutMs: 30_000, calls: 5, resultBytes: 100 })
  expect(outputFor(policy(rules), tool, asked)).toBe('trusted')
  const conditional = { '*': { output: 'trusted', when: { path: 'x' } } }
  expect(outputFor(policy(conditional), tool, asked)).toBe('untrusted')
  const both = { '*': { output: 'trusted' }, 'files__*': { output: 'untrusted' } }
  expect(outputFor(policy(both), tool, asked)).toBe('untrusted')
})

test('where others can read, a tool is withheld unless some rule lets it be used there and none forbids it', () => {
  const outside = { outside: true }
  const allow = { decision: 'allow', connect: 'allow' }
  expect(judged({ '*': { decision: 'allow' } }, outside)).toMatchObject({
    verdict: 'deny',
    why: expect.stringContaining('connect: allow'),
    parts: expect.arrayContaining([expect.objectContaining({ layer: 'connect' })]),
  })
  expect(judged({}, outside).verdict).toBe('deny')
  expect(judged({ '*': allow }, outside).verdict).toBe('allow')
  expect(judged({ '*': { connect: 'allow' } }, outside).verdict).toBe('ask')
  expect(judged({ '*': allow, 'files__*': { connect: 'deny' } }, outside).verdict).toBe('deny')
  expect(judged({ '*': allow, 'files__*': { decision: 'deny' } }, outside).why).toContain('denies')
  const inC1 = { channels: { C1: { tools: { '*': { connect: 'allow' } } } } }
  expect(judged({ '*': { decision: 'allow' } }, outside, inC1).verdict).toBe('allow')
  expect(judged({ '*': { decision: 'allow' } }, { ...outside, channel: 'C2' }, inC1).verdict).toBe('deny')
  expect(judged({ '*': { decision: 'allow', connect: 'deny' } }).verdict).toBe('allow')
  // By arguments a call may be let in that another one of the same tool is not; the tool itself is offered then.
  const some = {
    '*': { decision: 'allow' },
    'files__*': { connect: 'allow', when: { path: { like: 'public/*' } } },
  }
  expect(judged(some, { ...outside, args: { path: 'public/a' } }).verdict).toBe('allow')
  expect(judged(some, { ...outside, args: { path: 'private/a' } }).verdict).toBe('deny')
  expect(offeredOutside(policy(some), tool, asked)).toBe(true)
  expect(offeredOutside(policy({ '*': { decision: 'allow' } }), tool, asked)).toBe(false)
})

test('patterns', () => {
  expect(matches('a__b', 'a__b')).toBe(true)
  expect(matches('a__b', 'a__bc')).toBe(false)
  expect(matches('a__*', 'a__')).toBe(true)
  expect(matches('*b*', 'abc')).toBe(true)
  expect(matches('ab*ba', 'aba')).toBe(false)
  expect(matches('a.b', 'axb')).toBe(false)
  fc.assert(
    fc.property(fc.stringMatching(/^[ab*]{0,8}$/), fc.stringMatching(/^[ab]{0,8}$/), (pattern, name) => {
      expect(matches(pattern, name)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name))
    }),
    { numRuns: 1_000 },
  )
})

const time = fc.constantFrom('30s', '5m', '8h', '2d')
const rule = fc.tuple(
  fc.constantFrom('*', 'files__*', '*__write_*', 'files__write_file', 'memory__*'),
  fc.record(
    {
      decision: fc.constantFrom('allow' as const, 'ask' as const, 'deny' as const),
      approvers: fc.uniqueArray(fc.constantFrom('requester', 'UANA', 'UBEN', 'UCHLOE', 'S0A'), {
        minLength: 1,
      }),
      expires: time,
      need: fc.integer({ min: 1, max: 3 }),
      self_approve: fc.boolean(),
      effect: fc.constantFrom('read' as const, 'egress_read' as const, 'write' as const),
      output: fc.constantFrom('trusted' as const, 'untrusted' as const),
      excuse: fc.constant('literal' as const),
      remember: fc.record({ scope: fc.constantFrom('thread' as const, 'user' as const), ttl: time }),
      when: fc.constantFrom({ path: 'notes.txt' }, { path: 'other.txt' }, { size: { max: 3 } }),
      egress: fc.constantFrom(['a.test'], ['*.b.test']),
    },
    { requiredKeys: ['decision'] },
  ),
)
const rules = fc.array(rule, { maxLength: 5 })
const question = fc.record({
  asker: fc.constantFrom('UANA', 'UBEN', 'UGIL'),
  taint: fc.constantFrom([], tainted),
  words: fc.constantFrom([], ['write hello to notes.txt']),
  args: fc.constantFrom<unknown>(
    {},
    { path: 'notes.txt', content: 'hello' },
    { path: 'https://a.test/x' },
    { size: 2 },
  ),
  tool: fc.constantFrom(tool, read, { ...tool, effect: 'egress_read' as const }),
})

/** Several rules of one pattern stand in a list. */
function fileOf(list: readonly [string, object][]): Policy {
  return policy(
    Object.fromEntries(
      [...Map.groupBy(list, ([pattern]) => pattern)].map(([p, l]) => [p, l.map(([, r]) => r)]),
    ),
  )
}

test('the order of rules does not matter, nor the layer they stand in', () => {
  const shuffled = rules.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }), fc.nat(5)),
  )
  const without = ({ parts: _, why: __, risk: ___, ...rest }: Judgement) => rest
  fc.assert(
    fc.property(shuffled, question, ([list, other, cut], more) => {
      const one = judge(fileOf(list), { ...asked, ...more })
      expect(without(judge(fileOf(other), { ...asked, ...more }))).toEqual(without(one))
      const layered = { ...fileOf(list.slice(cut)), channels: { C1: fileOf(list.slice(0, cut)) } }
      expect(without(judge(layered, { ...asked, ...more }))).toEqual(without(one))
    }),
    { numRuns: 500 },
  )
})

test('a further rule never loosens: verdict, effect, trust, people, number, time', () => {
  const rank = { allow: 0, ask: 1, deny: 2 }
  const harm = { read: 0, egress_read: 1, write: 2 }
  const people = ['UANA', 'UBEN', 'UCHLOE', 'UGIL'].flatMap((id) => [
    { id, groups: [] },
    { id, groups: ['S0A'] },
  ])
  fc.assert(
    fc.property(rules, rule, question, (list, added, more) => {
      const ask = { ...asked, ...more }
      const before = judge(fileOf(list), ask)
      const after = judge(fileOf([...list, added]), ask)
      // Where nothing decided yet, the first rule that does replaces the default, which asks.
      const decided = before.parts.some((part) => part.says.includes('decision'))
      const named = list.some(
        ([pattern, one]) => one.approvers && matches(pattern, tool.name) && one.when === undefined,
      )
      // The same holds for the requester, who approves where no rule names anybody.
      if (!decided || (!named && before.why.includes('cannot be approved'))) return
      expect(rank[after.verdict]).toBeGreaterThanOrEqual(rank[before.verdict])
      expect(harm[after.effect]).toBeGreaterThanOrEqual(harm[before.effect])
      expect(after.need).toBeGreaterThanOrEqual(before.need)
      if (before.expiresMs !== DEFAULT_EXPIRES_MS)
        expect(after.expiresMs).toBeLessThanOrEqual(before.expiresMs)
      if (before.verdict !== 'ask' || after.verdict !== 'ask') return
      const may = (terms: Judgement) => people.map((one) => mayDecide({ ...terms, asker: more.asker }, one))
      if (named) for (const [i, yes] of may(after).entries()) if (yes) expect(may(before)[i]).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})

test('with taint a write or a read from an address never runs unasked, unless the words hold it all', () => {
  fc.assert(
    fc.property(rules, question, (list, more) => {
      const { verdict, effect } = judge(fileOf(list), { ...asked, ...more, taint: tainted })
      const dictated = more.words.length > 0 && JSON.stringify(more.args).includes('hello')
      if (effect !== 'read' && !dictated) expect(verdict).not.toBe('allow')
    }),
    { numRuns: 1_000 },
  )
})

test('the limits of a call are the smallest of every rule that names its tool, in every layer', () => {
  const rules = policy(
    {
      'files__*': { limits: { timeout: '1m' } },
      files__write_file: { when: { size: 1 }, limits: { timeout: '5s', result_bytes: 9 } },
    },
    { channels: { C1: { tools: { '*': { limits: { result_bytes: 7 } } } } } },
  )
  expect(limitsFor(rules, tool, asked)).toEqual({ timeoutMs: 5_000, resultBytes: 7 })
  expect(limitsFor(rules, tool, { ...asked, channel: 'C2' })).toEqual({ timeoutMs: 5_000, resultBytes: 9 })
  const other = { ...tool, name: 'files__read', tool: 'read' }
  expect(limitsFor(rules, other, { ...asked, channel: 'C2' })).toEqual({ timeoutMs: 60_000 })
})

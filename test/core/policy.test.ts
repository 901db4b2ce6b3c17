import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DEFAULT_EXPIRES_MS, judge, matches, mayApprove } from '../../src/core/policy.ts'
import { type Policy, PolicyFile } from '../../src/core/rules.ts'

const tool = { name: 'files__write_file', server: 'files', tool: 'write_file' }
const policy = (tools: object): Policy => PolicyFile.parse({ tools })
const HOUR = 3_600_000

test('without a rule it asks, and the requester may approve for eight hours', () => {
  expect(judge(policy({}), tool, 'UANA')).toEqual({
    verdict: 'ask',
    why: 'No rule of the policy names it, so it asks first.',
    approvers: ['requester'],
    expiresMs: 8 * HOUR,
  })
  expect(judge(policy({ memory__x: { decision: 'allow' } }), tool, 'UANA').verdict).toBe('ask')
})

test('the most restrictive rule wins, wherever it stands and however wide it is', () => {
  const verdict = (tools: object) => judge(policy(tools), tool, 'UANA').verdict
  expect(verdict({ '*': { decision: 'allow' } })).toBe('allow')
  expect(verdict({ 'files__*': { decision: 'allow' }, '*': { decision: 'ask' } })).toBe('ask')
  expect(verdict({ files__write_file: { decision: 'allow' }, '*__write_*': { decision: 'deny' } })).toBe(
    'deny',
  )
})

test('whoever approves must satisfy every rule that names approvers', () => {
  const ask = (approvers?: string[], expires?: string) => ({ decision: 'ask', approvers, expires })
  const judged = judge(
    policy({
      '*': ask(),
      'files__*': ask(['UBEN', 'UCHLOE', 'requester'], '2h'),
      '*_file': ask(['UCHLOE', 'UANA'], '30m'),
    }),
    tool,
    'UANA',
  )
  expect(judged).toMatchObject({ verdict: 'ask', approvers: ['UCHLOE', 'requester'], expiresMs: HOUR / 2 })
  const nobody = judge(policy({ '*': ask(['UBEN']), 'files__*': ask(['requester']) }), tool, 'UANA')
  expect(nobody).toMatchObject({ verdict: 'deny', approvers: [] })
  expect(nobody.why).toContain('"*", "files__*"')
})

test('a rule also finds a tool by its full name where the shown name is cut', () => {
  const cut = { name: 'files__drop_1234abcd', server: 'files', tool: 'drop_all_tables' }
  expect(judge(policy({ files__drop_all_tables: { decision: 'deny' } }), cut, 'UANA').verdict).toBe('deny')
})

test('who may approve', () => {
  expect(mayApprove(['requester'], 'UANA', 'UANA')).toBe(true)
  expect(mayApprove(['requester'], 'UANA', 'UBEN')).toBe(false)
  expect(mayApprove(['UBEN'], 'UANA', 'UANA')).toBe(false)
  expect(mayApprove(['UBEN'], 'UANA', 'UBEN')).toBe(true)
  expect(mayApprove([], 'UANA', 'UANA')).toBe(false)
  expect(mayApprove(['requester'], 'UANA', 'requester')).toBe(false)
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

const approver = fc.constantFrom('requester', 'UANA', 'UBEN', 'UCHLOE')
const rule = fc.tuple(
  fc.constantFrom('*', 'files__*', '*__write_*', 'files__write_file', 'memory__*'),
  fc.record(
    {
      decision: fc.constantFrom('allow' as const, 'ask' as const, 'deny' as const),
      approvers: fc.uniqueArray(approver, { minLength: 1 }),
      expires: fc.constantFrom('30s', '5m', '8h', '2d'),
    },
    { requiredKeys: ['decision'] },
  ),
)
const people = ['UANA', 'UBEN', 'UCHLOE', 'UGIL']
const rank = { allow: 0, ask: 1, deny: 2 }

test('the order of rules does not matter', () => {
  const shuffled = fc
    .uniqueArray(rule, { selector: ([pattern]) => pattern })
    .chain((rules) => fc.tuple(fc.constant(rules), fc.shuffledSubarray(rules, { minLength: rules.length })))
  fc.assert(
    fc.property(shuffled, fc.constantFrom(...people), ([rules, other], asker) => {
      const judged = judge(policy(Object.fromEntries(rules)), tool, asker)
      expect(judge(policy(Object.fromEntries(other)), tool, asker)).toEqual(judged)
    }),
  )
})

test('where a rule matches, a further rule never loosens: verdict, people or time', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(rule, { selector: ([pattern]) => pattern, minLength: 1 }),
      fc.constantFrom(...people),
      (rules, asker) => {
        const [added, ...rest] = rules
        fc.pre(added !== undefined && rest.some(([pattern]) => matches(pattern, tool.name)))
        const before = judge(policy(Object.fromEntries(rest)), tool, asker)
        const after = judge(policy(Object.fromEntries(rules)), tool, asker)
        expect(rank[after.verdict]).toBeGreaterThanOrEqual(rank[before.verdict])
        if (before.verdict !== 'ask' || after.verdict !== 'ask') return
        const named = rest.some(
          ([pattern, { decision, approvers }]) =>
            decision === 'ask' && approvers && matches(pattern, tool.name),
        )
        const may = (approvers: string[]) => people.filter((person) => mayApprove(approvers, asker, person))
        if (named) for (const person of may(after.approvers)) expect(may(before.approvers)).toContain(person)
        if (before.expiresMs !== DEFAULT_EXPIRES_MS)
          expect(after.expiresMs).toBeLessThanOrEqual(before.expiresMs)
      },
    ),
    { numRuns: 500 },
  )
})

import { expect, test } from 'vitest'
import { weigh } from '../../src/agent/weigh.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import type { Step } from '../../src/core/run.ts'
import type { Run } from '../../src/store/runs.ts'
import { TOOL } from '../support/deciding.ts'

const run = { id: 'r', workspace: 'w', channel: 'C1', asker: 'UANA', agent: 'q' } as Run
const at = '2026-11-24T10:00:00.000Z'
const tool = { ...TOOL, tool: 'order_ropes', sensitive: ['what'], effect: 'write' as const }
const taint = [{ from: 'passages' as const }]
const words = ['Please order ropes: "two blue ones"']

/** Proposes the call after `steps`. */
function propose(rule: object, steps: readonly Step[], what = 'two blue ones') {
  const policy = PolicyFile.parse({ tools: { '*': rule } })
  const call = { id: `c${steps.length}`, tool: tool.name, args: { what } }
  return weigh(policy, run, { tool, call, at, taint, words, steps }).step
}

test('what the requester dictated runs once unasked, and is asked about when it comes again', () => {
  const rule = { decision: 'allow', excuse: 'literal' }
  const first = propose(rule, [])
  expect(first.verdict).toBe('allow')
  expect(propose(rule, [first]).verdict).toBe('ask')
  expect(propose(rule, [first], 'Two blue ones').verdict).toBe('ask')
  expect(propose(rule, [], 'blue').verdict).toBe('ask')
  expect(propose(rule, []).risk).toContain('I have read pages of the team')
})

test('one run calls a tool as often as the policy lets it, whatever came of the calls before', () => {
  const rule = { decision: 'ask', limits: { calls: 2 } }
  const one = propose(rule, [])
  const two = propose(rule, [one], 'x')
  expect([one.verdict, two.verdict]).toEqual(['ask', 'ask'])
  expect(propose(rule, [one, two], 'y')).toMatchObject({
    verdict: 'deny',
    why: `The policy lets one run call ${tool.name} 2 times at most.`,
  })
})

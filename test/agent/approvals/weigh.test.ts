import { expect, test } from 'vitest'
import { type Instead, weigh } from '../../../src/agent/approvals/weigh.ts'
import { PolicyFile } from '../../../src/core/rules.ts'
import type { Step } from '../../../src/core/run.ts'
import type { Run } from '../../../src/store/runs.ts'
import { TOOL } from '../../support/deciding.ts'

const run = { id: 'r', workspace: 'w', channel: 'C1', asker: 'UANA', agent: 'q' } as Run
const at = '2026-11-24T10:00:00.000Z'
const tool = { ...TOOL, tool: 'order_ropes', sensitive: ['what'], effect: 'write' as const }
const taint = [{ from: 'passages' as const }]
const words = ['Please order ropes: "two blue ones"']

/** Proposes the call after `steps`. */
function propose(rule: object, steps: readonly Step[], what = 'two blue ones', instead?: Instead) {
  const policy = PolicyFile.parse({ tools: { '*': rule } })
  const call = { id: `c${steps.length}`, tool: tool.name, args: { what } }
  return weigh(policy, run, { tool, call, at, taint, words, steps, instead }).step
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

test('an edited call takes the place of the one before, also where that was the last the policy lets it make', () => {
  const rule = { decision: 'ask', limits: { calls: 1 } }
  const first = propose(rule, [])
  const terms = { approvers: [['requester']], need: 1, selfApprove: true }
  const edit = { replaces: first.call.id, editedBy: 'UANA', terms }
  const second = propose(rule, [first], 'y', edit)
  expect(second.verdict).toBe('ask')
  const edited: Step = { kind: 'decided', at, approval: first.approval ?? '', outcome: 'edited', by: 'UANA' }
  expect(propose(rule, [first, edited, second], 'z').verdict).toBe('deny')
  const started: Step = { kind: 'started', at, call: first.call.id, tool: tool.name }
  expect(propose(rule, [first, started], 'y', edit).verdict).toBe('deny')
})

/** Weighing a call: the policy's verdict on it, bound to the hash of exactly what would be executed. */
import { randomUUID } from 'node:crypto'
import type { CatalogueTool } from '../core/catalogue.ts'
import { judge } from '../core/policy.ts'
import type { Policy } from '../core/rules.ts'
import type { Step, StepOf, ToolCall } from '../core/run.ts'
import type { Taint } from '../core/taint.ts'
import { fitsCard } from '../slack/blocks/card.ts'
import type { NewApproval } from '../store/approvals.ts'
import type { Run } from '../store/runs.ts'
import { callHash, policyHash } from '../tools/bind.ts'
import { checkArguments } from '../tools/check.ts'

const TOO_LONG =
  'The arguments are too long to be shown for approval in full. Split the call into smaller ones.'

/** A proposed call: the tool it names, where there is one, and what the run has read and was asked. */
export type Proposal = {
  tool: CatalogueTool | undefined
  call: ToolCall
  /** ISO time. */
  at: string
  taint: readonly Taint[]
  words: readonly string[]
  /** The run so far, which the policy may limit. */
  steps: readonly Step[]
  /** Why it cannot be weighed at all. */
  wrong?: string | undefined
}

/** The step to append, with the approval that is created beside it where the call may run, now or after a yes. */
export type Weighed = { step: StepOf<'proposed'>; approval?: NewApproval }

export function weigh(policy: Policy, run: Run, proposal: Proposal): Weighed {
  const { call, at, tool } = proposal
  const wrong = proposal.wrong ?? findWrong(tool, call)
  if (wrong || !tool) return { step: { kind: 'proposed', at, call, verdict: 'invalid', why: wrong ?? '' } }

  const { asker, channel, agent } = run
  const { taint, words } = proposal
  const judged = judge(policy, { tool, args: call.args, asker, channel, agent, taint, words })
  const { verdict, why, approvers, need, selfApprove, effect, risk } = judged
  const most = judged.limits.calls ?? Number.POSITIVE_INFINITY
  if (started(proposal.steps, tool) >= most) {
    const reached = `The policy lets one run call ${tool.name} ${most} times at most.`
    return { step: { kind: 'proposed', at, call, verdict: 'deny', why: reached, effect } }
  }
  if (verdict === 'ask' && !fitsCard(call.args)) {
    return { step: { kind: 'proposed', at, call, verdict: 'invalid', why: TOO_LONG } }
  }
  const hash = bindCall(policy, run.id, tool, call)
  if (verdict === 'deny') return { step: { kind: 'proposed', at, call, verdict, why, effect, hash } }
  const id = randomUUID()
  const expires = new Date(Date.parse(at) + judged.expiresMs).toISOString()
  const terms = { approvers, need, selfApprove, expires, hash }
  return {
    step: { kind: 'proposed', at, call, verdict, why, effect, risk, approval: id, ...terms },
    approval: {
      id,
      run: run.id,
      workspace: run.workspace,
      call: call.id,
      tool: tool.name,
      server: tool.server,
      args: call.args,
      asker,
      ...terms,
      batch: null,
      remember: judged.remember ?? null,
      state: verdict === 'allow' ? 'allowed' : 'pending',
    },
  }
}

/** How many calls of a tool the run has begun, or may still begin. */
function started(steps: readonly Step[], tool: CatalogueTool): number {
  return steps.filter(
    (s) =>
      s.kind === 'proposed' && s.call.tool === tool.name && (s.verdict === 'allow' || s.verdict === 'ask'),
  ).length
}

/** The hash of exactly what a call would execute now. */
export function bindCall(policy: Policy, run: string, tool: CatalogueTool, call: ToolCall): string {
  return callHash({
    run,
    call: call.id,
    serverHash: tool.serverHash,
    definitionHash: tool.definitionHash,
    tool: tool.name,
    args: call.args,
    policyHash: policyHash(policy),
  })
}

/** The requester's own messages to a run, oldest first. */
export function wordsOf(steps: readonly Step[], asker: string): string[] {
  return steps.flatMap((s) =>
    (s.kind === 'asked' || s.kind === 'steered') && s.user === asker ? [s.text] : [],
  )
}

/** Why a call does not fit its tool, in words for the model; undefined where it does. */
function findWrong(tool: CatalogueTool | undefined, call: ToolCall): string | undefined {
  if (!tool) return `There is no tool named ${call.tool.slice(0, 100)}.`
  if (typeof call.args === 'string') return 'The arguments are not valid JSON.'
  const checked = checkArguments(tool.inputSchema, call.args)
  return checked.ok ? undefined : checked.why
}

/** Weighing a call: the policy's verdict on it, bound to the hash of exactly what would be executed. */
import { randomUUID } from 'node:crypto'
import { listsOf } from '../../core/approvers.ts'
import { canonical } from '../../core/canonical.ts'
import type { CatalogueTool } from '../../core/catalogue.ts'
import { callState } from '../../core/decide.ts'
import { type Judgement, judge } from '../../core/policy.ts'
import type { Policy } from '../../core/rules.ts'
import type { Step, StepOf, ToolCall } from '../../core/run.ts'
import type { Taint } from '../../core/taint.ts'
import type { NewApproval } from '../../store/approvals.ts'
import type { Run } from '../../store/runs.ts'
import { callHash, grantHash, policyHash } from '../../tools/bind.ts'
import { checkArguments } from '../../tools/check.ts'

/** Longest arguments that a person is asked about, in characters of JSON; a card shows them, or a file beside it. */
const LONGEST = 1_000_000
const TOO_LONG = 'The arguments are too long for anybody to approve. Split the call into smaller ones.'

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
  /** Whether people of other organisations can read the thread. */
  outside?: boolean | undefined
  /** Why it cannot be weighed at all. */
  wrong?: string | undefined
  /** It takes the place of another call: it is asked about also where the policy alone would allow it. */
  instead?: Instead | undefined
}

/** What a call takes the place of, and what the card and the trace say of that. */
export type Instead = Pick<StepOf<'proposed'>, 'replaces' | 'editedBy' | 'attempt' | 'previous'> & {
  /** The terms that hold where the policy alone would allow the call. */
  terms: Pick<Judgement, 'approvers' | 'need' | 'selfApprove'>
}

/** The step to append, with the approval that is created beside it where the call may run, now or after a yes. */
export type Weighed = { step: StepOf<'proposed'>; approval?: NewApproval }

export function weigh(policy: Policy, run: Run, proposal: Proposal): Weighed {
  const weighed = weighCall(policy, run, proposal)
  const { tool } = proposal
  if (!tool || tool.title === tool.tool) return weighed
  return { ...weighed, step: { ...weighed.step, title: tool.title } }
}

function weighCall(policy: Policy, run: Run, proposal: Proposal): Weighed {
  const { call, at, tool } = proposal
  const wrong = proposal.wrong ?? findWrong(tool, call)
  if (wrong || !tool) return { step: { kind: 'proposed', at, call, verdict: 'invalid', why: wrong ?? '' } }

  const { asker, channel, agent } = run
  const { taint, words, outside } = proposal
  const before = callsBefore(proposal.steps, tool)
  const made = before.map((one) => one.call.args)
  const policyOnly = judge(policy, {
    tool,
    args: call.args,
    asker,
    channel,
    agent,
    taint,
    words,
    made,
    outside,
  })
  const judged = proposal.instead ? askAnyway(policyOnly, proposal.instead) : policyOnly
  const { verdict, why, approvers, need, selfApprove, effect, risk } = judged
  const most = judged.limits.calls ?? Number.POSITIVE_INFINITY
  const count = before.filter((one) => counts(proposal, one)).length
  if (count >= most) {
    const reached = `The policy lets one run call ${tool.name} ${most} times at most.`
    return { step: { kind: 'proposed', at, call, verdict: 'deny', why: reached, effect } }
  }
  if (verdict === 'ask' && canonical(call.args ?? {}).length > LONGEST) {
    return { step: { kind: 'proposed', at, call, verdict: 'invalid', why: TOO_LONG } }
  }
  const hash = bindCall(policy, run.id, tool, call)
  if (verdict === 'deny') return { step: { kind: 'proposed', at, call, verdict, why, effect, hash } }
  const id = randomUUID()
  const expires = new Date(Date.parse(at) + judged.expiresMs).toISOString()
  const terms = { approvers, need, selfApprove, expires, hash }
  const { terms: _, ...instead } = proposal.instead ?? {}
  return {
    step: { kind: 'proposed', at, call, verdict, why, effect, risk, approval: id, ...terms, ...instead },
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
      bound: judged.remember ? bindGrant(policy, tool, call, { ...judged, asker }) : null,
      state: verdict === 'allow' ? 'allowed' : 'pending',
    },
  }
}

/** The calls of a tool that the run was free to propose, whatever became of them. */
function callsBefore(steps: readonly Step[], tool: CatalogueTool): StepOf<'proposed'>[] {
  return steps.flatMap((s) => {
    const may = s.kind === 'proposed' && (s.verdict === 'allow' || s.verdict === 'ask')
    return may && s.call.tool === tool.name ? [s] : []
  })
}

/** Whether a call counts against a limit of calls: not one that a person edited before it began, for it became another. */
function counts({ steps, instead }: Proposal, one: StepOf<'proposed'>): boolean {
  const begun = steps.some((s) => s.kind === 'started' && s.call === one.call.id)
  return begun || (callState(steps, one) !== 'replaced' && one.call.id !== instead?.replaces)
}

/** A person had it changed or run again: that alone is no approval. */
function askAnyway(judged: Judgement, { terms, editedBy }: Instead): Judgement {
  if (judged.verdict !== 'allow') return judged
  const why = `A person ${editedBy ? 'changed the arguments' : 'wants it run again'}, so it asks first.`
  return { ...judged, ...terms, verdict: 'ask', why }
}

/** The hash of exactly what a call would execute now. */
export function bindCall(policy: Policy, run: string, tool: CatalogueTool, call: ToolCall): string {
  return callHash({ run, call: call.id, ...boundOf(policy, tool, call) })
}

/** The hash of what an approval also holds for: the same call again, where the same people would be asked. */
function bindGrant(
  policy: Policy,
  tool: CatalogueTool,
  call: ToolCall,
  terms: Pick<Judgement, 'approvers' | 'need' | 'selfApprove' | 'remember'> & { asker: string },
): string {
  const barred = terms.selfApprove ? null : terms.asker
  const asked = [listsOf(terms), terms.need, barred, terms.remember?.scope ?? null]
  return grantHash(boundOf(policy, tool, call), asked)
}

function boundOf(policy: Policy, tool: CatalogueTool, call: ToolCall) {
  const { serverHash, definitionHash, name } = tool
  return { serverHash, definitionHash, tool: name, args: call.args, policyHash: policyHash(policy) }
}

/** The requester's own messages to a run, oldest first. */
export function wordsOf(steps: readonly Step[], asker: string): string[] {
  return steps.flatMap((s) =>
    (s.kind === 'steered' || (s.kind === 'asked' && s.prompt === undefined)) && s.user === asker
      ? [s.text]
      : [],
  )
}

/** Why a call does not fit its tool, in words for the model; undefined where it does. */
function findWrong(tool: CatalogueTool | undefined, call: ToolCall): string | undefined {
  if (!tool) return `There is no tool named ${call.tool.slice(0, 100)}.`
  if (typeof call.args === 'string') return 'The arguments are not valid JSON.'
  const checked = checkArguments(tool.inputSchema, call.args)
  return checked.ok ? undefined : checked.why
}

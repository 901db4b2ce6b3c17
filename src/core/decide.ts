/**
 * What comes next in a run: a pure function of its steps, the limits and the clock.
 * The model proposes; this decides.
 */
import { toolName } from './plan.ts'
import type { Numbered, StepOf, ToolCall } from './run.ts'

/** How far one run may go. */
export type Limits = {
  /** Model answers a run may take. */
  maxTurns: number
  /** Answers in a row that may hold a call which does not fit its tool. */
  maxInvalid: number
}

type Proposed = StepOf<'proposed'>

/** The one thing to do now. */
export type Next =
  | { do: 'recall'; query: string }
  | { do: 'ask-model' }
  | { do: 'run-tool'; call: ToolCall; approval: string }
  /** A call was started and nobody who could know how it ended is left. */
  | { do: 'settle-unknown'; call: ToolCall; approval: string }
  | { do: 'expire'; approval: string }
  /** `show`: approvals whose card is not in the thread yet; `until`: when the first of the waiting ones expires. */
  | { do: 'wait'; show: Proposed[]; until: string }
  | { do: 'refuse'; text: string; code: string }
  | { do: 'finish'; outcome: 'answered' | 'stopped'; text: string }
  | { do: 'nothing' }

/** How far one proposed call has come. */
export type CallState =
  | 'invalid'
  | 'denied'
  | 'runnable'
  | 'pending'
  | 'rejected'
  | 'expired'
  | 'void'
  | 'started'
  | 'succeeded'
  | 'failed'
  | 'unknown'

/** Where the call of a `proposed` step stands after all steps. */
export function callState(steps: readonly Numbered[], proposed: Proposed): CallState {
  if (proposed.verdict === 'invalid') return 'invalid'
  if (proposed.verdict === 'deny') return 'denied'
  const returned = steps.find((s) => s.kind === 'returned' && s.call === proposed.call.id)
  if (returned?.kind === 'returned') return returned.outcome
  const decided = steps.findLast((s) => s.kind === 'decided' && s.approval === proposed.approval)
  const outcome = decided?.kind === 'decided' ? decided.outcome : undefined
  if (outcome !== undefined && outcome !== 'approved') return outcome
  if (steps.some((s) => s.kind === 'started' && s.call === proposed.call.id)) return 'started'
  // What a run leaves open when it ends can never be approved any more.
  if (steps.at(-1)?.kind === 'finished') return 'void'
  return proposed.verdict === 'allow' || outcome === 'approved' ? 'runnable' : 'pending'
}

/** Decides what comes next. `now` is an ISO time; expiry is the only thing that depends on it. */
export function decide(steps: readonly Numbered[], limits: Limits, now: string): Next {
  const asked = steps[0]
  if (asked?.kind !== 'asked') throw new Error('a run starts with the step asked')
  if (steps.at(-1)?.kind === 'finished') return { do: 'nothing' }

  const answer = steps.findLast((s) => s.kind === 'answered')
  const proposals = answer ? steps.filter((s) => s.kind === 'proposed' && s.n > answer.n) : []
  const calls = proposals.flatMap((s) =>
    s.kind === 'proposed' ? [{ step: s, state: callState(steps, s) }] : [],
  )

  const orphan = calls.find((c) => c.state === 'started')
  if (orphan) return { do: 'settle-unknown', call: orphan.step.call, approval: orphan.step.approval ?? '' }
  if (steps.some((s) => s.kind === 'stopped')) {
    return { do: 'finish', outcome: 'stopped', text: tellStopped(steps) }
  }
  const edited = steps.findLast((s) => s.kind === 'steered' && s.edit === true)
  const wording = edited?.kind === 'steered' ? edited.text : asked.text
  const searched = steps.findLast((s) => s.kind === 'recalled')
  if (searched?.kind !== 'recalled' || searched.query !== wording) return { do: 'recall', query: wording }
  if (answer?.kind !== 'answered') return { do: 'ask-model' }

  const runnable = calls.find((c) => c.state === 'runnable')
  if (runnable) return { do: 'run-tool', call: runnable.step.call, approval: runnable.step.approval ?? '' }
  const pending = calls.filter((c) => c.state === 'pending').map((c) => c.step)
  if (pending.length > 0) return waitFor(steps, pending, now)

  const steered = steps.some((s) => s.kind === 'steered' && s.n > answer.seen)
  if (answer.calls.length === 0 && !steered) return { do: 'finish', outcome: 'answered', text: answer.text }
  return askAgain(steps, limits)
}

function waitFor(steps: readonly Numbered[], pending: Proposed[], now: string): Next {
  const late = pending.find((p) => Date.parse(p.expires ?? now) <= Date.parse(now))
  if (late) return { do: 'expire', approval: late.approval ?? '' }
  const shown = new Set(steps.flatMap((s) => (s.kind === 'shown' ? [s.approval] : [])))
  const until = pending.map((p) => p.expires ?? now).reduce((a, b) => (Date.parse(a) < Date.parse(b) ? a : b))
  return { do: 'wait', show: pending.filter((p) => !shown.has(p.approval ?? '')), until }
}

function askAgain(steps: readonly Numbered[], limits: Limits): Next {
  const turns = steps.filter((s) => s.kind === 'answered').length
  if (turns >= limits.maxTurns) {
    const text = `I stopped after ${turns} rounds without reaching an answer. Ask me again with a smaller question.`
    return { do: 'refuse', code: 'too-many-turns', text }
  }
  if (invalidInARow(steps) > limits.maxInvalid) {
    const text =
      'The model kept proposing a tool call that does not fit the tool, so I stopped. Nothing was run by it.'
    return { do: 'refuse', code: 'invalid-calls', text }
  }
  return { do: 'ask-model' }
}

/** How many of the last answers, without a gap, held a call that did not fit its tool. */
function invalidInARow(steps: readonly Numbered[]): number {
  let count = 0
  let invalid = false
  for (const step of steps.toReversed()) {
    if (step.kind === 'proposed') invalid ||= step.verdict === 'invalid'
    if (step.kind !== 'answered') continue
    if (!invalid) return count
    count += 1
    invalid = false
  }
  return count
}

/** What a stopped run tells its thread: what was done and what was not. */
function tellStopped(steps: readonly Numbered[]): string {
  const done: string[] = []
  const open: string[] = []
  for (const step of steps) {
    if (step.kind !== 'proposed' || step.verdict === 'invalid') continue
    const state = callState(steps, step)
    const tool = toolName(step.call.tool)
    if (state === 'succeeded') done.push(tool)
    else if (state === 'unknown') open.push(`${tool} (may have run; please check)`)
    else open.push(tool)
  }
  const parts = ['Stopped.']
  if (done.length > 0) parts.push(`Done before that: ${done.join(', ')}.`)
  if (open.length > 0) parts.push(`Not done: ${open.join(', ')}.`)
  if (parts.length === 1) parts.push('Nothing was changed.')
  return parts.join(' ')
}

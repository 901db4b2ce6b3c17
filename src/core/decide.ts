/**
 * What comes next in a run: a pure function of its steps, the limits and the clock.
 * The model proposes; this decides.
 */
import { openLookup } from './lookup.ts'
import { toolName } from './plan.ts'
import { openReading, openView } from './reading.ts'
import type { Numbered, Step, StepOf, ToolCall } from './run.ts'

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
  /** Read what came with the message of step `of`. */
  | { do: 'read'; of: number }
  | { do: 'recall'; query: string }
  /** Search by the model's own wish; `refused` says why it is not to be. */
  | { do: 'look-up'; call: string; query: string; refused?: string }
  /** Read what the person has open, by the model's wish; `refused` says why it is not to be. */
  | { do: 'look'; call: string; refused?: string }
  | { do: 'ask-model' }
  /** Weigh the call that a person asked for themselves. */
  | { do: 'propose'; call: ToolCall }
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
  /** A person edited it, or had it run again: another proposal took its place. */
  | 'replaced'
  | 'started'
  | 'succeeded'
  | 'failed'
  /** It may have run, and a person is asked. */
  | 'unknown'
  /** A person found out that it ran, or that it did not; or nobody said in time. */
  | 'done'
  | 'not-done'
  | 'unresolved'
  /** The tool server wants to know something before it goes on. */
  | 'input'

/** States in which a run waits for a person. */
const WAITING: ReadonlySet<CallState> = new Set(['pending', 'unknown', 'input'])

/** How long a person has to say what became of a call with an unknown outcome, or to answer a server, in ms. */
export const ANSWER_MS = 8 * 3_600_000

/** Where the call of a `proposed` step stands after all steps. */
export function callState(steps: readonly Step[], proposed: Proposed): CallState {
  if (proposed.verdict === 'invalid') return 'invalid'
  if (proposed.verdict === 'deny') return 'denied'
  let state: CallState = proposed.verdict === 'allow' ? 'runnable' : 'pending'
  for (const step of steps) {
    if (step.kind === 'decided' && step.approval === proposed.approval) state = afterDecision(state, step)
    else if (step.kind === 'started' && step.call === proposed.call.id) state = 'started'
    else if (step.kind === 'returned' && step.call === proposed.call.id) state = step.outcome
  }
  // What a run leaves open when it ends can never be approved any more.
  const over = steps.at(-1)?.kind === 'finished'
  return over && (state === 'pending' || state === 'runnable' || state === 'input') ? 'void' : state
}

function afterDecision(state: CallState, { outcome }: StepOf<'decided'>): CallState {
  switch (outcome) {
    case 'approved':
      return state === 'pending' ? 'runnable' : state
    case 'counted':
      return state
    case 'edited':
    case 'again':
      return 'replaced'
    case 'given':
    case 'declined':
      return state === 'input' ? 'runnable' : state
    case 'expired':
      return state === 'unknown' ? 'unresolved' : 'expired'
    default:
      return outcome
  }
}

/** Whether the last that came back of a call was a question of its server: it was sent, and did not come to its end. */
export function leftAsking(steps: readonly Numbered[], { call }: Proposed): boolean {
  const last = steps.findLast((s) => (s.kind === 'started' || s.kind === 'returned') && s.call === call.id)
  return last?.kind === 'returned' && last.outcome === 'input'
}

/** Decides what comes next. `now` is an ISO time; expiry is the only thing that depends on it. */
export function decide(steps: readonly Numbered[], limits: Limits, now: string): Next {
  const asked = steps[0]
  if (asked?.kind !== 'asked') throw new Error('a run starts with the step asked')
  if (steps.at(-1)?.kind === 'finished') return { do: 'nothing' }

  const answer = steps.findLast((s) => s.kind === 'answered')
  const calls = steps.flatMap((s) =>
    s.kind === 'proposed' && s.n > (answer?.n ?? 0) ? [{ step: s, state: callState(steps, s) }] : [],
  )

  const orphan = calls.find((c) => c.state === 'started')
  if (orphan) return { do: 'settle-unknown', call: orphan.step.call, approval: orphan.step.approval ?? '' }
  if (steps.some((s) => s.kind === 'stopped')) {
    return { do: 'finish', outcome: 'stopped', text: tellStopped(steps) }
  }
  // What a person asked for themselves needs neither knowledge nor a model, until they write more.
  const direct = asked.call !== undefined && !steps.some((s) => s.kind === 'steered')
  if (asked.call && calls.length === 0 && !answer) return { do: 'propose', call: asked.call }
  if (!direct) {
    const unread = openReading(steps)
    if (unread) return { do: 'read', of: unread.n }
    const query = wording(steps, asked)
    const searched = steps.findLast((s) => s.kind === 'recalled' && s.call === undefined)
    if (searched?.kind !== 'recalled' || searched.query !== query) return { do: 'recall', query }
    if (answer?.kind !== 'answered' && !asked.call) return { do: 'ask-model' }
  }

  const answered = answer?.kind === 'answered' ? answer : undefined
  const lookup = openLookup(steps, answered)
  if (lookup) return { do: 'look-up', ...lookup }
  const look = openView(steps, answered)
  if (look) return { do: 'look', ...look }
  const runnable = calls.find((c) => c.state === 'runnable')
  if (runnable) return { do: 'run-tool', call: runnable.step.call, approval: runnable.step.approval ?? '' }
  const waiting = calls.filter((c) => WAITING.has(c.state))
  if (waiting.length > 0) return waitFor(steps, waiting, now)

  if (direct) return { do: 'finish', outcome: 'answered', text: tellDirect(steps) }
  if (answer?.kind !== 'answered') return { do: 'ask-model' }
  const steered = steps.some((s) => s.kind === 'steered' && s.n > answer.seen)
  if (answer.calls.length === 0 && !steered) return { do: 'finish', outcome: 'answered', text: answer.text }
  return askAgain(steps, limits)
}

/** The question as it is worded now; where only files were dropped, their names. */
function wording(steps: readonly Numbered[], asked: StepOf<'asked'>): string {
  const edited = steps.findLast((s) => s.kind === 'steered' && s.edit === true)
  const text = edited?.kind === 'steered' ? edited.text : asked.text
  return text === '' ? (asked.files ?? []).map((file) => file.name).join(', ') : text
}

type Waiting = { step: Proposed; state: CallState }

function waitFor(steps: readonly Numbered[], waiting: readonly Waiting[], now: string): Next {
  const ends = waiting.map((one) => ({ ...one, end: waitEnds(steps, one) ?? now }))
  const late = ends.find(({ end }) => Date.parse(end) <= Date.parse(now))
  if (late) return { do: 'expire', approval: late.step.approval ?? '' }
  const until = ends.map(({ end }) => end).reduce((a, b) => (Date.parse(a) < Date.parse(b) ? a : b))
  const show = waiting.filter((one) => !isShown(steps, one)).map(({ step }) => step)
  return { do: 'wait', show, until }
}

/** Whether what a person needs to see for a decision stands in the thread: each question of a server has its own message. */
function isShown(steps: readonly Numbered[], { step, state }: Waiting): boolean {
  const asked = steps.findLast((s) => s.kind === 'returned' && s.call === step.call.id)
  const since = state === 'input' ? (asked?.n ?? 0) : 0
  return steps.some((s) => s.kind === 'shown' && s.approval === step.approval && s.n > since)
}

/** When a person's word on what a call came back with is no longer waited for, ISO time. */
export function answerEnds(steps: readonly Numbered[], call: ToolCall): string | undefined {
  const returned = steps.findLast((s) => s.kind === 'returned' && s.call === call.id)
  return returned && new Date(Date.parse(returned.at) + ANSWER_MS).toISOString()
}

/** When waiting for a person ends, ISO time. */
function waitEnds(steps: readonly Numbered[], { step, state }: Waiting): string | undefined {
  return state === 'pending' ? step.expires : answerEnds(steps, step.call)
}

/** What the thread is told of a call that a person asked for themselves. */
function tellDirect(steps: readonly Numbered[]): string {
  const proposed = steps.findLast((s) => s.kind === 'proposed')
  if (proposed?.kind !== 'proposed') return 'Nothing was run.'
  const told = tellOutcome(steps, proposed)
  return /not run/i.test(told) && triedBefore(steps, proposed) ? `${told} ${EARLIER}` : told
}

const EARLIER = 'An earlier try may have run; please check.'

/** Whether a call takes the place of one whose outcome is unknown. */
function triedBefore(steps: readonly Numbered[], proposed: Proposed): boolean {
  const before = steps.find((s) => s.kind === 'proposed' && s.call.id === proposed.replaces)
  if (before?.kind !== 'proposed') return false
  const unknown = steps.some(
    (s) => s.kind === 'decided' && s.approval === before.approval && s.outcome === 'again',
  )
  return unknown || triedBefore(steps, before)
}

function tellOutcome(steps: readonly Numbered[], proposed: Proposed): string {
  const tool = toolName(proposed.call.tool, true)
  const returned = steps.findLast((s) => s.kind === 'returned' && s.call === proposed.call.id)
  const text = returned?.kind === 'returned' ? resultText(returned) : ''
  const state = callState(steps, proposed)
  if (leftAsking(steps, proposed)) {
    const why = state === 'expired' ? 'nobody answered in time' : 'that no longer holds'
    return `${tool} did not finish: it wanted to know something, and ${why}.`
  }
  switch (state) {
    case 'succeeded':
      return `Ran ${tool}:\n\n${fence(text)}`
    case 'failed':
      return `${tool} reported an error:\n\n${fence(text)}`
    case 'invalid':
    case 'denied':
      return `Not run: ${proposed.why}`
    case 'rejected':
      return 'Not run: it was denied.'
    case 'expired':
      return 'Not run: nobody decided in time.'
    case 'done':
      return `A person checked: ${tool} ran.`
    case 'not-done':
      return `A person checked: ${tool} did not run.`
    case 'unknown':
    case 'unresolved': {
      const asked =
        returned?.kind === 'returned' && returned.asked ? `\n\n${fence(tellAsked(returned.asked))}` : ''
      return `The outcome of ${tool} is unknown: it may have run. Please check before you ask again.${asked}`
    }
    default:
      return 'Not run: it no longer holds.'
  }
}

/** What a call came back with, and what its server asked meanwhile. */
export function resultText({ text, asked }: StepOf<'returned'>): string {
  return asked ? `${tellAsked(asked)}\n\n${text}` : text
}

function tellAsked(asked: string): string {
  return `(While it ran, the server asked: ${asked}. The version of its protocol cannot wait for a person, so it was answered "cancel".)`
}

/** A result as a code block that nothing in it can close. */
function fence(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const ticks = '`'.repeat(longest + 1)
  return `${ticks}\n${text}\n${ticks}`
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
    if (state === 'replaced') continue
    if (state === 'succeeded' || state === 'done') done.push(tool)
    else if (state === 'unknown' || state === 'unresolved') open.push(`${tool} (may have run; please check)`)
    else if (leftAsking(steps, step)) open.push(`${tool} (it had begun, and wanted to know something)`)
    else open.push(triedBefore(steps, step) ? `${tool} (an earlier try may have run; please check)` : tool)
  }
  const parts = ['Stopped.']
  if (done.length > 0) parts.push(`Done before that: ${done.join(', ')}.`)
  if (open.length > 0) parts.push(`Not done: ${open.join(', ')}.`)
  if (parts.length === 1) parts.push('Nothing was changed.')
  return parts.join(' ')
}

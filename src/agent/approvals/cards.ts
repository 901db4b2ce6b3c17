/** The approval cards of a run: what they say is made of its steps, and each is posted once and then edited. */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import { canonical } from '../../core/canonical.ts'
import { type CallState, callState } from '../../core/decide.ts'
import { Fault } from '../../core/fault.ts'
import type { Numbered, StepOf } from '../../core/run.ts'
import {
  type ArgumentFile,
  type Card,
  type CardState,
  cardMessage,
  fitsCard,
  showArguments,
} from '../../slack/blocks/card.ts'
import { reminderMessage } from '../../slack/blocks/reminder.ts'
import type { Speak } from '../../slack/speak.ts'
import type { Run } from '../../store/runs.ts'
import { findSaid, sayForSure, shareForSure } from '../say.ts'

export type CardsContext = {
  pool: pg.Pool
  speak: Pick<Speak, 'post' | 'update' | 'find' | 'name' | 'upload' | 'findFile'>
}

type Proposed = StepOf<'proposed'>

/** The calls that stand on one card with `proposed`: of its batch, or itself alone. */
export function onOneCard(steps: readonly Numbered[], proposed: Proposed): Proposed[] {
  if (!proposed.batch) return [proposed]
  return steps.flatMap((s) => (s.kind === 'proposed' && s.batch === proposed.batch ? [s] : []))
}

/**
 * Posts the card of calls that wait, their arguments before it where a card cannot hold them. `unshowable`: Slack does
 * not take the file, so nobody can see what they would approve. Throws the `Fault` of a passing failure.
 */
export async function postCard(
  context: CardsContext,
  run: Run,
  steps: readonly Numbered[],
  group: readonly Proposed[],
): Promise<{ ts: string } | 'unshowable'> {
  try {
    for (const proposed of group) await postArguments(context, run, proposed)
  } catch (error) {
    if (!(error instanceof Fault) || error.retry) throw error
    return 'unshowable'
  }
  return sayForSure(context, await cardSaying(context, run, steps, group))
}

/** Brings a card that stands in the thread to what its calls have become. */
export async function refreshCard(
  context: CardsContext,
  run: Run,
  steps: readonly Numbered[],
  group: readonly Proposed[],
): Promise<void> {
  const saying = await cardSaying(context, run, steps, group)
  // A person may have decided on a card whose author died before it was recorded.
  const ts = await findSaid(context, saying)
  if (ts) await context.speak.update(run.channel, ts, saying.message, { priority: 'approval' })
}

/** Where a card stands, in one word for each of its calls: a card is edited when this changes. */
export function cardStates(steps: readonly Numbered[], group: readonly Proposed[]): string {
  return group.map((one) => `${stateOf(steps, one)} ${votesOf(steps, one).length}`).join()
}

/** A reminder is said once, when this much of the wait is over, within these bounds, in ms. */
const REMIND = { part: 0.5, soonest: 10 * 60_000, latest: 4 * 3_600_000 }

/** When whoever may decide is reminded, ISO time; undefined where the wait is too short for that. */
export function remindAt(proposed: Proposed): string | undefined {
  if (proposed.verdict !== 'ask' || !proposed.expires) return undefined
  const [from, until] = [Date.parse(proposed.at), Date.parse(proposed.expires)]
  const after = Math.min(Math.max((until - from) * REMIND.part, REMIND.soonest), REMIND.latest)
  return from + after < until - REMIND.soonest / 2 ? new Date(from + after).toISOString() : undefined
}

/** Reminds, once for all calls of a card, whoever restarts or wakes up. */
export async function remind(context: CardsContext, run: Run, group: readonly Proposed[]): Promise<void> {
  const [first] = group
  if (!first) return
  const lists = await approversOf(context, run, first)
  const message = reminderMessage({
    tool: first.call.tool,
    calls: group.length,
    who: [...new Set(lists.flat())],
    expires: first.expires ?? '',
  })
  const part = `reminder-${first.batch ?? first.approval}`
  const place = { channel: run.channel, thread: run.thread }
  await sayForSure(context, { owner: run.id, part, ...place, message, priority: 'approval' })
}

async function cardSaying(
  context: CardsContext,
  run: Run,
  steps: readonly Numbered[],
  group: readonly Proposed[],
) {
  const [first, ...more] = await Promise.all(group.map((one) => cardOf(context, run, steps, one)))
  if (!first) throw new Error('a card has at least one call')
  const message = cardMessage(first, ...more)
  const part = `card-${(more.length > 0 && first.batch) || first.approval}`
  const place = { channel: run.channel, thread: run.thread }
  return { owner: run.id, part, ...place, message, priority: 'approval' as const }
}

async function cardOf(
  context: CardsContext,
  run: Run,
  steps: readonly Numbered[],
  proposed: Proposed,
): Promise<Card> {
  const { call, approval = '', need = 1, selfApprove = true, expires = '' } = proposed
  const state = stateOf(steps, proposed)
  const decided = steps.findLast((s) => s.kind === 'decided' && s.approval === approval)
  const note = decided?.kind === 'decided' && state === 'void' ? decided.why : undefined
  const optional = {
    batch: proposed.batch,
    hash: proposed.hash,
    risk: proposed.risk ?? proposed.why,
    attempt: proposed.attempt,
    previous: proposed.previous,
    editedBy: proposed.editedBy,
    note,
  }
  return {
    approval,
    run: run.id,
    tool: call.tool,
    server: call.tool.slice(0, call.tool.indexOf('__')),
    args: call.args,
    file: needsFile(proposed) ? fileOf(call.args).file : undefined,
    asker: run.asker,
    approvers: await approversOf(context, run, proposed),
    need,
    selfApprove,
    votes: votesOf(steps, proposed),
    expires,
    state,
    by: decidersOf(steps, proposed, state),
    unasked: proposed.verdict === 'allow',
    ...optional,
  }
}

const CARD: Record<CallState, CardState> = {
  invalid: 'void',
  denied: 'void',
  runnable: 'running',
  pending: 'pending',
  rejected: 'rejected',
  expired: 'expired',
  void: 'void',
  replaced: 'edited',
  started: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  unknown: 'unknown',
  unresolved: 'unresolved',
  done: 'done',
  'not-done': 'not-done',
  input: 'running',
}

function stateOf(steps: readonly Numbered[], proposed: Proposed): CardState {
  const state = callState(steps, proposed)
  const over = steps.at(-1)?.kind === 'finished'
  if (state === 'unknown' && over) return 'unresolved'
  const again = steps.some(
    (s) => s.kind === 'decided' && s.approval === proposed.approval && s.outcome === 'again',
  )
  return state === 'replaced' && again ? 'again' : CARD[state]
}

/** Who has said yes so far, in order. */
function votesOf(steps: readonly Numbered[], { approval }: Proposed): string[] {
  return steps.flatMap((s) =>
    s.kind === 'decided' && s.approval === approval && s.by && /^(counted|approved)$/.test(s.outcome)
      ? [s.by]
      : [],
  )
}

/** Whose decision a state rests on. The names of those who approved stay to the end. */
function decidersOf(steps: readonly Numbered[], proposed: Proposed, state: CardState): string[] {
  const outcomes: Partial<Record<CardState, string>> = {
    rejected: 'rejected',
    edited: 'edited',
    again: 'again',
    done: 'done',
    'not-done': 'not-done',
  }
  const wanted = outcomes[state]
  if (!wanted) return votesOf(steps, proposed)
  const decided = steps.findLast(
    (s) => s.kind === 'decided' && s.approval === proposed.approval && s.outcome === wanted,
  )
  return decided?.kind === 'decided' && decided.by ? [decided.by] : []
}

/** Who may decide: people by their ids, groups in words, for a group's own element would ping all of it. */
async function approversOf(context: CardsContext, run: Run, { approvers }: Proposed): Promise<string[][]> {
  const lists = approvers && approvers.length > 0 ? approvers : [['requester']]
  const told = async (who: string) => {
    if (who === 'requester') return run.asker
    return who.startsWith('S') ? `members of ${(await context.speak.name(who)).replace(/^@/, '')}` : who
  }
  return Promise.all(lists.map((list) => Promise.all(list.map(told))))
}

/** Whether a call that is asked about has arguments that a card cannot hold. */
function needsFile({ verdict, call }: Proposed): boolean {
  return verdict === 'ask' && !fitsCard(call.args)
}

/** The file that holds arguments as people read them; it must read back as exactly what would be run. */
function fileOf(args: unknown): { file: ArgumentFile; content: Buffer } {
  const text = showArguments(args)
  if (canonical(JSON.parse(text)) !== canonical(args ?? {}))
    throw new Error('arguments cannot be written as a file that reads back as them')
  const content = Buffer.from(text)
  const sha256 = createHash('sha256').update(content).digest('hex')
  return { file: { name: `arguments-${sha256.slice(0, 8)}.json`, bytes: content.length, sha256 }, content }
}

/** Puts the arguments into the thread as a file where a card cannot hold them: before the card, and once. */
async function postArguments(context: CardsContext, run: Run, proposed: Proposed): Promise<void> {
  if (!needsFile(proposed)) return
  const part = `file-${proposed.approval}`
  const { file, content } = fileOf(proposed.call.args)
  const comment = `All arguments of the call below. SHA-256 ${file.sha256}`
  const named = { owner: run.id, part, channel: run.channel, thread: run.thread }
  await shareForSure(context, named, [{ name: file.name, bytes: content }], comment)
}

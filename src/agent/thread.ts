/** What the thread of a run shows while a worker advances it: the plan, the approval cards, the end. */
import type pg from 'pg'
import { type CallState, callState } from '../core/decide.ts'
import { Fault } from '../core/fault.ts'
import { plan } from '../core/plan.ts'
import type { Cited, Numbered, StepOf } from '../core/run.ts'
import { answerMessages } from '../slack/blocks/answer.ts'
import { type CardState, cardMessage } from '../slack/blocks/card.ts'
import { planMessage } from '../slack/blocks/plan.ts'
import { openLive } from '../slack/live.ts'
import type { Speak } from '../slack/speak.ts'
import type { Run } from '../store/runs.ts'
import { findSaid, sayForSure, sayOnce } from './say.ts'

/** At most one edit of the plan in this many milliseconds. */
const EDIT_MS = 1500

export type ThreadContext = {
  pool: pg.Pool
  speak: Pick<Speak, 'post' | 'update' | 'find' | 'status'>
  log: (level: 'warn', message: string, fields?: Record<string, unknown>) => void
}

/** The end of a run in words: an answer with what it cites, or one sentence. */
export type Ending = { markdown: string; cited: readonly Cited[]; badge: string }

export type ThreadView = {
  /** Shows the newest state of the work, within Slack's pace. */
  showPlan(steps: readonly Numbered[]): void
  /** The run waits for people: what is shown must be the newest state. */
  showWaiting(): Promise<void>
  /** Posts the approval card of a proposed call and returns its ts. */
  postCard(proposed: StepOf<'proposed'>): Promise<string>
  /** Brings every card to what became of its call. */
  refreshCards(steps: readonly Numbered[]): Promise<void>
  /**
   * Says the end. `key` names this ending, so that a restart says nothing twice. `unsayable`: Slack will
   * never take it (the channel is gone, we are not in it). Throws the `Fault` of a passing failure.
   */
  sayEnd(key: string, ending: Ending): Promise<'said' | 'unsayable'>
  /** Closes the plan to one line with the button that opens the trace. */
  close(steps: readonly Numbered[]): Promise<void>
}

/** The first sign in the thread; harmless where it is there already. Never throws. */
export async function showBegun(context: ThreadContext, run: Run, steps: readonly Numbered[]): Promise<void> {
  await quietly(context, run, async () => {
    const said = sayOnce(context, placed(run, 'plan', planMessage(plan(steps), run.id)))
    await Promise.all([said, context.speak.status(run.channel, run.thread, 'processing')])
  })
}

/** Opens the view on the thread of a run. Signs of progress that fail are logged, never thrown. */
export function openThread(context: ThreadContext, run: Run): ThreadView {
  const live = openPlan(context, run)
  const shown = new Map<string, CallState>()
  let cards: Promise<void> = Promise.resolve()

  async function refreshCard(steps: readonly Numbered[], proposed: StepOf<'proposed'>): Promise<void> {
    const card = placed(run, `card-${proposed.approval}`, cardMessage(cardOf(run, steps, proposed)))
    // A person may have decided on a card whose author died before it was recorded.
    try {
      const ts = await findSaid(context, card)
      if (ts) await context.speak.update(run.channel, ts, card.message)
    } catch (error) {
      shown.delete(proposed.call.id) // The next turn tries again.
      throw error
    }
  }

  return {
    showPlan: (steps) => live.show(planMessage(plan(steps), run.id)),
    async showWaiting() {
      await quietly(context, run, () =>
        Promise.all([live.flush(), context.speak.status(run.channel, run.thread, 'suspended')]),
      )
    },
    async postCard(proposed) {
      const message = cardMessage(cardOf(run, [], proposed))
      return (await sayForSure(context, placed(run, `card-${proposed.approval}`, message))).ts
    },
    refreshCards(steps) {
      for (const step of steps) {
        if (step.kind !== 'proposed' || step.verdict !== 'ask') continue
        const state = callState(steps, step)
        const known = shown.get(step.call.id) ?? 'pending'
        if (state === known || state === 'pending') continue
        shown.set(step.call.id, state)
        const seen = [...steps]
        cards = cards.then(() => quietly(context, run, () => refreshCard(seen, step)))
      }
      return cards
    },
    sayEnd: (key, ending) => sayEnd(context, run, key, ending),
    async close(steps) {
      await quietly(context, run, async () => {
        live.show(planMessage(plan(steps), run.id))
        await Promise.all([live.close(), context.speak.status(run.channel, run.thread, 'active')])
      })
    },
  }
}

function openPlan(context: ThreadContext, run: Run) {
  let begun = Date.now()
  let ts: string | undefined
  return openLive(
    async (message, { last }) => {
      if (!ts) {
        const saying = placed(run, 'plan', message)
        const said = last ? await sayForSure(context, saying) : await sayOnce(context, saying)
        if (said === 'busy') return 'dropped'
        ts = said.ts
        if (said.new) begun = Date.now()
        if (said.new) return
      }
      if (!last && Date.now() - begun < EDIT_MS) return 'dropped'
      return context.speak.update(run.channel, ts, message, { droppable: !last })
    },
    { everyMs: EDIT_MS },
  )
}

function placed(run: Run, part: string, message: ReturnType<typeof planMessage>) {
  return { owner: run.id, part, channel: run.channel, thread: run.thread, message }
}

const CARD: Record<CallState, CardState> = {
  invalid: 'void',
  denied: 'void',
  runnable: 'approved-running',
  pending: 'pending',
  rejected: 'rejected',
  expired: 'expired',
  void: 'void',
  started: 'approved-running',
  succeeded: 'succeeded',
  failed: 'failed',
  unknown: 'unknown',
  unresolved: 'unknown',
  done: 'succeeded',
  'not-done': 'void',
  replaced: 'void',
  input: 'approved-running',
}

function cardOf(run: Run, steps: readonly Numbered[], proposed: StepOf<'proposed'>) {
  const { call } = proposed
  const decided = steps.findLast((s) => s.kind === 'decided' && s.approval === proposed.approval)
  const ended = steps.at(-1)?.kind === 'finished' && callState(steps, proposed) === 'pending'
  return {
    approval: proposed.approval ?? '',
    run: run.id,
    tool: call.tool,
    server: call.tool.slice(0, call.tool.indexOf('__')),
    args: call.args,
    asker: run.asker,
    approvers: (proposed.approvers ?? []).flat().map((a) => (a === 'requester' ? run.asker : a)),
    expires: proposed.expires ?? '',
    state: ended ? 'void' : CARD[callState(steps, proposed)],
    ...(decided?.kind === 'decided' && decided.by ? { by: decided.by } : {}),
    ...(decided?.kind === 'decided' && decided.why ? { note: decided.why } : {}),
  }
}

async function sayEnd(
  context: ThreadContext,
  run: Run,
  key: string,
  ending: Ending,
): Promise<'said' | 'unsayable'> {
  const messages = answerMessages({ ...ending, run: run.id })
  try {
    for (const [i, message] of messages.entries())
      await sayForSure(context, placed(run, `${key}:${i}`, message))
    return 'said'
  } catch (error) {
    if (!(error instanceof Fault) || error.retry) throw error
    context.log('warn', 'Slack refused the answer for good', {
      run: run.id,
      code: error.code,
      why: error.message,
    })
    return 'unsayable'
  }
}

async function quietly(context: ThreadContext, run: Run, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    context.log('warn', 'a sign of progress was not shown', { run: run.id, why: String(error) })
  }
}

/** What the thread of a run shows while a worker advances it: the plan, the approval cards, the end. */
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { callState } from '../core/decide.ts'
import { Fault } from '../core/fault.ts'
import { isQuiet, type Plan, plan } from '../core/plan.ts'
import type { Numbered, Step, StepOf } from '../core/run.ts'
import { planMessage } from '../slack/blocks/plan.ts'
import { beginningOf } from '../slack/pour.ts'
import type { SessionStatus, Speak } from '../slack/speak.ts'
import { findPost } from '../store/posts.ts'
import type { Run } from '../store/runs.ts'
import type { Progress } from '../tools/progress.ts'
import type { Hearing } from './answer.ts'
import { cardStates, onOneCard, postCard, refreshCard, remind, remindAt } from './approvals/cards.ts'
import { inputState, postInput, refreshInput, roundsOf } from './approvals/input.ts'
import { PROGRESS, placed, readShown, startOnce, streamPart } from './begin.ts'
import { openBoard } from './board.ts'
import { type Ending, sayEnd } from './said.ts'
import { sayOnce } from './say.ts'
import { openSession } from './session.ts'
import { openTalk } from './talk.ts'

/** Where the channel is full the first sign waits for so long, in ms, behind all that matters more. */
const FIRST_SIGN_MS = 30_000
/** So long the end of a run waits for its plan to be closed, in ms; where Slack is slower that is done beside other work. */
const CLOSING_MS = 2_000

export type ThreadContext = {
  pool: pg.Pool
  speak: Pick<
    Speak,
    'post' | 'update' | 'find' | 'status' | 'name' | 'upload' | 'findFile' | 'remove' | 'streams'
  >
  /** A stream is followed by another before it is this old, in ms. */
  streamMs?: number | undefined
  /** Takes what goes on when the run is done with: until it has ended somebody must come back to the run. */
  linger?: ((work: Promise<void>) => void) | undefined
  log: (level: 'warn', message: string, fields?: Record<string, unknown>) => void
}

export type ThreadView = {
  /** Shows the newest state of the work, within Slack's pace. */
  showPlan(steps: readonly Numbered[]): void
  /** One more answer of the model is on its way: takes its text as it comes, for where it is shown at once. */
  hearAnswer(): Hearing | undefined
  /** The run waits for something that is not a person, and says so in one sentence. */
  showWait(steps: readonly Numbered[], sentence: string): Promise<void>
  /** The run waits for people: what is shown must be the newest state. */
  showWaiting(steps: readonly Numbered[]): Promise<void>
  /** Posts the card of calls that wait and gives its ts; `unshowable` where nobody could see what they approve. */
  postCard(
    steps: readonly Numbered[],
    group: readonly StepOf<'proposed'>[],
  ): Promise<{ ts: string } | 'unshowable'>
  /** Posts what the server of a call wants to know. */
  postInput(steps: readonly Numbered[], proposed: StepOf<'proposed'>): Promise<{ ts: string }>
  /** Shows how far a running call has come, within Slack's pace; it may be dropped. */
  showProgress(steps: readonly Numbered[], call: string, progress: Progress): void
  /** Reminds of every card that waits for a decision and is due for it at `now`, an ISO time. */
  remind(steps: readonly Numbered[], now: string): Promise<void>
  /** Brings every card to what became of its call. */
  refreshCards(steps: readonly Numbered[]): Promise<void>
  /**
   * Says the end; `steps` are those of the run with it. `key` names this ending, so that a restart says nothing twice. `unsayable`: Slack will
   * never take it (the channel is gone, we are not in it). Throws the `Fault` of a passing failure.
   */
  sayEnd(key: string, ending: Ending, steps: readonly Step[]): Promise<'said' | 'unsayable'>
  /** Closes the plan to one line with the button that opens the trace. */
  close(steps: readonly Numbered[]): Promise<void>
  /** Shows nothing more of the plan: this worker is done with the run, or has lost it. */
  leave(): void
}

/** The first sign in the thread; harmless where it is there already. Never throws. */
export async function showBegun(
  context: Pick<ThreadContext, 'pool' | 'log'> & {
    speak: Pick<Speak, 'post' | 'find' | 'status' | 'streams'>
  },
  run: Run,
  steps: readonly Numbered[],
): Promise<void> {
  await quietly(context, run, async () => {
    const said = isQuiet(steps) || beginShowing(context, run, plan(steps))
    const [first] = steps
    const begun = first?.kind === 'asked' ? { title: first.text, by: run.asker } : undefined
    await Promise.all([said, context.speak.status(run.channel, run.thread, 'processing', begun)])
  })
}

/** A stream in a direct conversation, where there are streams; a message elsewhere. */
async function beginShowing(
  context: Pick<ThreadContext, 'pool'> & { speak: Pick<Speak, 'post' | 'find' | 'streams'> },
  run: Run,
  begun: Plan,
): Promise<unknown> {
  const started = run.dm && (await startOnce(context, run, streamPart(1), beginningOf(begun, '').chunks))
  if (started && started !== 'unavailable') return started
  const sign = { ...placed(run, 'plan', planMessage(begun, run.id)), priority: 'progress' as const }
  return sayOnce(context, { ...sign, droppable: FIRST_SIGN_MS })
}

/**
 * Tells the thread of a run that no worker has seen yet what it waits for, a sentence. Never throws. `begun` says
 * whether a worker came meanwhile: then the plan is brought to the run's newest state, which is what `reread` gives.
 */
export async function showInLine(
  context: Pick<ThreadContext, 'pool' | 'log'> & {
    speak: Pick<Speak, 'post' | 'find' | 'update' | 'streams'>
  },
  run: Run,
  sentence: string,
  { begun, reread }: { begun: () => Promise<boolean>; reread: () => Promise<Numbered[]> },
): Promise<void> {
  await quietly(context, run, async () => {
    const message = planMessage(plan(await reread(), new Map(), sentence), run.id)
    const stream = run.dm ? await findPost(context.pool, run.id, streamPart(1)) : undefined
    if (stream && !stream.ts) return
    // Nobody looks after a stream that waits in line, and there are few to be had.
    if (stream?.ts) await context.speak.streams.stop(run.channel, stream.ts, [], 'processing')
    const said = stream?.ts
      ? { ts: stream.ts, new: false }
      : await sayOnce(context, { ...placed(run, 'plan', message), ...PROGRESS })
    if (said === 'busy') return
    if (!said.new) await context.speak.update(run.channel, said.ts, message, PROGRESS)
    if (await begun())
      await context.speak.update(run.channel, said.ts, planMessage(plan(await reread()), run.id), {
        priority: 'progress',
      })
  })
}

/**
 * Opens the view on the thread of a run. Signs of progress that fail are logged, never thrown. `first`: nobody has
 * worked on the run before, and whoever heard the question has shown that it begins.
 */
export function openThread(context: ThreadContext, run: Run, first = false): ThreadView {
  const session = openSession(context.speak, run, first ? 'processing' : undefined)
  const talk = run.dm ? openTalk(context, run, first, session.told) : openBoard(context, run)
  const shown = new Map<string, string>()
  const progress = new Map<string, string>()
  let cards: Promise<void> = Promise.resolve()
  let told = false
  let written = ''
  /** The end of a stream tells its session by itself; elsewhere that need not be waited for. */
  const settle = (shown: Promise<unknown>, status: SessionStatus) => {
    const ended = run.dm ? shown.catch(() => undefined) : Promise.resolve()
    return Promise.all([shown, ended.then(() => session.set(status))])
  }
  /** Where whoever asked wants to see nothing of the work, nothing is shown until something is waited for. */
  const show = (steps: readonly Numbered[], wait?: string) => {
    told ||= wait !== undefined || !isQuiet(steps)
    if (told) talk.show(plan(steps, progress, wait))
  }

  return {
    showPlan(steps) {
      void session.set('processing')
      show(steps)
    },
    showProgress(steps, call, far) {
      progress.set(call, tellProgress(far))
      show(steps)
    },
    hearAnswer() {
      if (!run.dm) return undefined
      const before = written
      let own = ''
      const write = () => {
        written = [before, own].filter((text) => text !== '').join('\n\n')
        talk.write(written)
      }
      return {
        onText(delta) {
          own += delta
          write()
        },
        onRestart() {
          own = ''
          write()
        },
      }
    },
    postInput: (steps, proposed) => postInput(context, run, steps, proposed),
    async showWait(steps, sentence) {
      show(steps, sentence)
      await quietly(context, run, () => talk.park('processing'))
    },
    async showWaiting(steps) {
      show(steps)
      await quietly(context, run, () => settle(talk.park('suspended'), 'suspended'))
    },
    postCard: (steps, group) => postCard(context, run, steps, group),
    refreshCards(steps) {
      for (const group of cardsOf(steps)) {
        const key = group[0]?.approval ?? ''
        const states = cardStates(steps, group)
        if (states === (shown.get(key) ?? cardStates([], group))) continue
        shown.set(key, states)
        const seen = [...steps]
        const refresh = () => refreshCard(context, run, seen, group)
        cards = cards.then(() =>
          quietly(context, run, () =>
            refresh().catch((error: unknown) => {
              shown.delete(key) // The next turn tries again.
              throw error
            }),
          ),
        )
      }
      for (const step of steps) {
        const state = step.kind === 'proposed' ? inputState(steps, step) : undefined
        if (step.kind !== 'proposed' || !state) continue
        const key = `input ${step.approval} ${roundsOf(steps, step.call)}`
        if (state === (shown.get(key) ?? 'open')) continue
        shown.set(key, state)
        const seen = [...steps]
        cards = cards.then(() =>
          quietly(context, run, () =>
            refreshInput(context, run, seen, step).catch((error: unknown) => {
              shown.delete(key)
              throw error
            }),
          ),
        )
      }
      return cards
    },
    async remind(steps, now) {
      for (const group of cardsOf(steps)) {
        const waiting = group.filter((one) => callState(steps, one) === 'pending')
        const [first] = waiting
        const at = first && remindAt(first)
        if (at && Date.parse(at) <= Date.parse(now))
          await quietly(context, run, () => remind(context, run, waiting))
      }
    },
    sayEnd: (key, ending, steps) =>
      sayEnd(context, run, talk, { key, ending, plan: isQuiet(steps) ? undefined : plan(steps) }),
    async close(steps) {
      const closing = quietly(context, run, async () => {
        told ||= !isQuiet(steps) || (await readShown(context.pool, run.id)).shown.length > 0
        progress.clear()
        await settle(told ? talk.close(plan(steps)) : Promise.resolve(), 'active')
      })
      if (!context.linger) return closing
      context.linger(closing)
      await Promise.race([closing, sleep(CLOSING_MS, undefined, { ref: false })])
    },
    leave() {
      void talk.leave()
      session.close()
    },
  }
}

/** How far a call has come, in words: `40 of 100, reading page 3`. */
function tellProgress({ progress, total, message }: Progress): string {
  const count = total === undefined ? String(progress) : `${progress} of ${total}`
  return message ? `${count}, ${message}` : count
}

/** The cards that a run has, or may have: one for each call, or for all of a batch. */
function cardsOf(steps: readonly Numbered[]): StepOf<'proposed'>[][] {
  return steps.flatMap((s) => {
    if (s.kind !== 'proposed' || s.approval === undefined) return []
    const group = onOneCard(steps, s)
    return group[0]?.approval === s.approval ? [group] : []
  })
}

async function quietly(
  context: Pick<ThreadContext, 'log'>,
  run: Run,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof Fault && error.code === 'slack-limited') return
    context.log('warn', 'a sign of progress was not shown', { run: run.id, why: String(error) })
  }
}

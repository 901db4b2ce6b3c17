/** What the thread of a run shows while a worker advances it: the plan, the approval cards, the end. */
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { callState } from '../core/decide.ts'
import { Fault } from '../core/fault.ts'
import { isQuiet, plan } from '../core/plan.ts'
import type { Cited, Numbered, StepOf } from '../core/run.ts'
import { layOut } from '../slack/blocks/answer.ts'
import { planMessage } from '../slack/blocks/plan.ts'
import { openLive } from '../slack/live.ts'
import type { Speak } from '../slack/speak.ts'
import type { File } from '../slack/upload.ts'
import { findPost } from '../store/posts.ts'
import type { Run } from '../store/runs.ts'
import type { Progress } from '../tools/progress.ts'
import { cardStates, onOneCard, postCard, refreshCard, remind, remindAt } from './approvals/cards.ts'
import { inputState, postInput, refreshInput, roundsOf } from './approvals/input.ts'
import { sayForSure, sayOnce, shareForSure } from './say.ts'
import { openSession } from './session.ts'

/** At most one edit of the plan in this many milliseconds. */
const EDIT_MS = 1500
/** Where the channel is full the first sign waits for so long, in ms; then the work itself is the sign. */
const FIRST_SIGN_MS = 5_000
/** So long the end of a run waits for its plan to be closed, in ms; where Slack is slower that is done beside other work. */
const CLOSING_MS = 2_000

const PROGRESS = { priority: 'progress', droppable: true } as const

export type ThreadContext = {
  pool: pg.Pool
  speak: Pick<Speak, 'post' | 'update' | 'find' | 'status' | 'name' | 'upload' | 'findFile'>
  log: (level: 'warn', message: string, fields?: Record<string, unknown>) => void
}

/** The end of a run in words: an answer with what it cites, which people may rate, or one sentence. */
export type Ending = {
  markdown: string
  cited: readonly Cited[]
  uncited?: string
  badge: string
  feedback?: boolean
}

export type ThreadView = {
  /** Shows the newest state of the work, within Slack's pace. */
  showPlan(steps: readonly Numbered[]): void
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
   * Says the end. `key` names this ending, so that a restart says nothing twice. `unsayable`: Slack will
   * never take it (the channel is gone, we are not in it). Throws the `Fault` of a passing failure.
   */
  sayEnd(key: string, ending: Ending): Promise<'said' | 'unsayable'>
  /** Closes the plan to one line with the button that opens the trace. */
  close(steps: readonly Numbered[]): Promise<void>
  /** Shows nothing more of the plan: this worker is done with the run, or has lost it. */
  leave(): void
}

/** The first sign in the thread; harmless where it is there already. Never throws. */
export async function showBegun(
  context: Pick<ThreadContext, 'pool' | 'log'> & { speak: Pick<Speak, 'post' | 'find' | 'status'> },
  run: Run,
  steps: readonly Numbered[],
): Promise<void> {
  await quietly(context, run, async () => {
    const sign = { ...placed(run, 'plan', planMessage(plan(steps), run.id)), priority: 'progress' as const }
    const said = isQuiet(steps) || sayOnce(context, { ...sign, droppable: FIRST_SIGN_MS })
    const [first] = steps
    const begun = first?.kind === 'asked' ? { title: first.text, by: run.asker } : undefined
    await Promise.all([said, context.speak.status(run.channel, run.thread, 'processing', begun)])
  })
}

/**
 * Tells the thread of a run that no worker has seen yet what it waits for, a sentence. Never throws. `begun` says
 * whether a worker came meanwhile: then the plan is brought to the run's newest state, which is what `reread` gives.
 */
export async function showInLine(
  context: Pick<ThreadContext, 'pool' | 'log'> & { speak: Pick<Speak, 'post' | 'find' | 'update'> },
  run: Run,
  sentence: string,
  { begun, reread }: { begun: () => Promise<boolean>; reread: () => Promise<Numbered[]> },
): Promise<void> {
  await quietly(context, run, async () => {
    const message = planMessage(plan(await reread(), new Map(), sentence), run.id)
    const said = await sayOnce(context, { ...placed(run, 'plan', message), ...PROGRESS })
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
  const live = openPlan(context, run)
  const session = openSession(context.speak, run, first ? 'processing' : undefined)
  const shown = new Map<string, string>()
  const progress = new Map<string, string>()
  let cards: Promise<void> = Promise.resolve()
  let told = false
  /** Where whoever asked wants to see nothing of the work, nothing is shown until something is waited for. */
  const show = (steps: readonly Numbered[], wait?: string) => {
    told ||= wait !== undefined || !isQuiet(steps)
    if (told) live.show(planMessage(plan(steps, progress, wait), run.id))
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
    postInput: (steps, proposed) => postInput(context, run, steps, proposed),
    async showWait(steps, sentence) {
      show(steps, sentence)
      await quietly(context, run, () => live.flush())
    },
    async showWaiting(steps) {
      show(steps)
      await quietly(context, run, () => Promise.all([live.flush(), session.set('suspended')]))
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
    sayEnd: (key, ending) => sayEnd(context, run, key, ending),
    async close(steps) {
      const closing = quietly(context, run, async () => {
        told ||= isQuiet(steps) && (await findPost(context.pool, run.id, 'plan')) !== undefined
        progress.clear()
        show(steps)
        await Promise.all([live.close(), session.set('active')])
      })
      await Promise.race([closing, sleep(CLOSING_MS, undefined, { ref: false })])
    },
    leave() {
      live.leave()
      session.close()
    },
  }
}

function openPlan(context: ThreadContext, run: Run) {
  let begun = Date.now()
  let ts: string | undefined
  return openLive(
    async (message, { last }) => {
      if (!ts) {
        const saying = { ...placed(run, 'plan', message), ...PROGRESS }
        const said = await (last ? sayForSure(context, saying) : sayOnce(context, saying)).catch(
          unlessLimited,
        )
        if (said === 'busy') return 'dropped'
        ts = said.ts
        if (said.new) begun = Date.now()
        if (said.new) return
      }
      if (!last && Date.now() - begun < EDIT_MS) return 'dropped'
      return context.speak.update(run.channel, ts, message, { priority: 'progress', droppable: !last })
    },
    { everyMs: EDIT_MS },
  )
}

/** A plan that finds no room is left out: what follows it says more. */
function unlessLimited(error: unknown): 'busy' {
  if (error instanceof Fault && error.code === 'slack-limited') return 'busy'
  throw error
}

function placed(run: Run, part: string, message: ReturnType<typeof planMessage>) {
  return { owner: run.id, part, channel: run.channel, thread: run.thread, message }
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

async function sayEnd(
  context: ThreadContext,
  run: Run,
  key: string,
  ending: Ending,
): Promise<'said' | 'unsayable'> {
  const { files, messages, unfiled } = layOut({ ...ending, run: run.id })
  try {
    const filed = files.length === 0 || (await shareFiles(context, run, key, files))
    for (const [i, message] of (filed ? messages : unfiled()).entries())
      await sayForSure(context, {
        ...placed(run, filed ? `${key}:${i}` : `${key}:unfiled:${i}`, message),
        priority: ending.feedback ? 'answer' : 'error',
      })
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

/** False where Slack will not take the files: the app may lack the scope for them. Then the words are said. */
async function shareFiles(
  context: ThreadContext,
  run: Run,
  key: string,
  files: readonly File[],
): Promise<boolean> {
  // What was begun without the files goes on so.
  if (await findPost(context.pool, run.id, `${key}:unfiled:0`)) return false
  const named = { owner: run.id, part: `${key}:files`, channel: run.channel, thread: run.thread }
  const comment = files.some(({ name }) => name.endsWith('.md'))
    ? 'The whole answer:'
    : 'All rows of the tables:'
  try {
    await shareForSure(context, named, files, comment)
    return true
  } catch (error) {
    if (!(error instanceof Fault) || error.retry) throw error
    context.log('warn', 'Slack refused the files of an answer; it is said without them', {
      run: run.id,
      code: error.code,
      why: error.message,
    })
    return false
  }
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

/**
 * The one corridor: everything that happens to a run goes through here. Take the lease, read the steps,
 * ask `decide` what comes next, do it, append the step, repeat. No process waits for a person.
 */
import type pg from 'pg'
import { callState, decide, type Limits, type Next } from '../core/decide.ts'
import { type Shares, sharesOf } from '../core/enclosed.ts'
import { Fault } from '../core/fault.ts'
import type { Agent } from '../core/home.ts'
import { leanOn } from '../core/reading.ts'
import type { Cited, StepOf } from '../core/run.ts'
import { narrow, narrowingOf, offeredIn, tighten } from '../core/settings.ts'
import type { Wait } from '../core/wait.ts'
import { hasMoved } from '../store/budgets.ts'
import { parkRun, putOffRun, releaseRun, type Taken, takeLease } from '../store/leases.ts'
import { type Run, readRun, readSteps, removeQuotes, writeWakeup } from '../store/runs.ts'
import { inTransaction } from '../store/transaction.ts'
import { type ActContext, expireApproval, runTool, settleUnknown, voidUnshown } from './act.ts'
import { type AnswerContext, askModel } from './answer.ts'
import { onOneCard, remindAt } from './approvals/cards.ts'
import { propose } from './approvals/propose.ts'
import { fail, failUnread, finish, passagesOf, showEnded } from './ending.ts'
import { type AbortReason, keepLease, lastRead, record, reread, type Work } from './lease.ts'
import { openPrivate, type PrivateContext } from './private.ts'
import { type ReadingContext, readEnclosed, readViewing } from './reading.ts'
import { openThread, type ThreadContext, type ThreadView } from './thread.ts'

/** Everything advancing a run needs. */
export type AdvanceContext = Omit<AnswerContext, 'agent' | 'log'> &
  Omit<ActContext, 'policy' | 'catalogue'> &
  Omit<ThreadContext, 'log'> &
  Omit<PrivateContext, 'log'> &
  ReadingContext & {
    pool: pg.Pool
    /** Names this worker in the lease, a UUID. */
    owner: string
    /** The agent of a run, looked up by its name. */
    agent: (name: string) => Agent
    /** Searches what everybody in the run's thread may read; a question of few words leans on `around`. */
    recall: (
      run: Run,
      query: string,
      agent: Agent,
      known: readonly Cited[],
      around?: string,
    ) => Promise<StepOf<'recalled'>>
    /** Of passages that a run has read those that not everybody in its thread may read any more. */
    unreadable: (run: Run, passages: readonly string[]) => Promise<readonly string[]>
    leaseMs: number
    /** How often the lease is renewed and a stop is looked for, in ms. */
    beatMs: number
    log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void
  }

/** `held`: another worker has it. `over`: nothing to do. `parked`: waits for a person or a time. */
export type Advanced = 'finished' | 'parked' | 'held' | 'over' | 'lost' | 'released' | 'put-off'

/** Model answers in a row with a call that does not fit; such a call goes back to the model this often. */
const MAX_INVALID = 2
/** Broken attempts in a row after which a run is ended with a sentence. */
const MAX_FAILURES = 5

/** Advances a run as far as it goes without waiting for anybody. Throws only where the store is away. */
export async function advance(
  context: AdvanceContext,
  runId: string,
  shutdown: AbortSignal,
): Promise<Advanced> {
  const taken = await takeLease(context.pool, runId, context.owner, context.leaseMs)
  if (taken === 'over') await showOver(context, runId)
  if (taken === 'held' || taken === 'over') return taken
  const { lease, run, steps, failures, waited } = taken
  const times = { leaseMs: context.leaseMs, everyMs: context.beatMs }
  using watch = keepLease(context.pool, lease, times, shutdown)
  const work: Work = { pool: context.pool, run, lease, steps, failures, waited, signal: watch.signal }
  const thread = openView(context, run, lease.epoch === 1)
  try {
    if (taken.unreadable) return await giveUpReading(context, taken, thread)
    if (work.failures >= MAX_FAILURES) return await fail(work, thread, 'broken')
    return await walk(context, work, thread)
  } catch (error) {
    return await breakOff(context, work, thread, error)
  } finally {
    thread.leave()
  }
}

/** The thread of a run, or for a question that only its asker sees, their eyes. */
function openView(context: AdvanceContext, run: Run, first = false): ThreadView {
  return run.reply ? openPrivate(context, run) : openThread(context, run, first)
}

/** Somebody may have died between the end of a run and showing it: a wake-up of its was left. */
async function showOver(context: AdvanceContext, runId: string): Promise<void> {
  const run = await readRun(context.pool, runId)
  if (!run) return
  const steps = await readSteps(context.pool, runId)
  const thread = openView(context, run)
  await showEnded(thread, steps)
  thread.leave()
}

async function walk(context: AdvanceContext, work: Work, thread: ThreadView): Promise<Advanced> {
  const narrowing = narrowingOf(work.steps)
  const agent = narrow(context.agent(work.run.agent), narrowing)
  // Where the agent that was to answer is gone another one does, under the rules for that one.
  if (agent.name !== work.run.agent) work.run = { ...work.run, agent: agent.name }
  const policy = tighten(context.policy, narrowing)
  const catalogue = async () => offeredIn(await context.catalogue(), narrowing)
  const limits: Limits = { maxTurns: agent.maxTurns, maxInvalid: MAX_INVALID }
  for (;;) {
    if (work.signal.aborted && work.signal.reason !== ('stop' satisfies AbortReason))
      return letGo(context, work)
    const next = decide(work.steps, limits, new Date().toISOString())
    const done = await perform({ ...context, agent, policy, catalogue }, work, thread, next)
    if (done === 'lost' || done === 'parked' || done === 'finished') return done
    thread.showPlan(work.steps)
    void thread.refreshCards(work.steps)
  }
}

type Performing = Omit<AdvanceContext, 'agent'> & { agent: Agent }
type Performed = 'recorded' | 'moved' | 'lost' | 'parked' | 'finished'

async function perform(context: Performing, work: Work, thread: ThreadView, next: Next): Promise<Performed> {
  switch (next.do) {
    case 'read':
      return readUnlessStopped(context, work, next.of)
    case 'look':
      return lookAround(context, work, next)
    case 'recall': {
      const known = passagesOf(work.steps)
      const { agent } = context
      return record(work, [await context.recall(work.run, next.query, agent, known, leanOn(work.steps))])
    }
    case 'look-up':
      return lookUp(context, work, next)
    case 'ask-model':
      return askUnlessStopped(context, work, thread)
    case 'propose':
      return propose(context, work, next.call)
    case 'run-tool':
      return runTool(context, work, next.call, next.approval, {
        start() {
          thread.showPlan(work.steps)
          void thread.refreshCards(work.steps)
        },
        progress: (progress) => thread.showProgress(work.steps, next.call.id, progress),
      })
    case 'settle-unknown':
      return settleUnknown(work, next.call, next.approval)
    case 'expire':
      return expireApproval(work, next.approval)
    case 'wait':
      return waitForPeople(work, thread, next)
    case 'refuse':
      return finish(work, thread, { outcome: 'refused', text: next.text, code: next.code })
    case 'finish':
      return finish(work, thread, { outcome: next.outcome, text: next.text, ...codeOf(work) })
    case 'nothing':
      return 'finished'
  }
}

async function readUnlessStopped(context: Performing, work: Work, of: number): Promise<Performed> {
  const message = work.steps.find((s) => s.n === of)
  if (message?.kind !== 'asked' && message?.kind !== 'steered')
    throw new Error('only messages come with something')
  try {
    return await record(work, [await readEnclosed(context, work, message, sharesFor(context))])
  } catch (error) {
    return await orMoved(work, error)
  }
}

function sharesFor({ agent, contextTokens }: Performing): Shares {
  return sharesOf(contextTokens?.(agent))
}

async function lookAround(
  context: Performing,
  work: Work,
  { call, refused }: Extract<Next, { do: 'look' }>,
): Promise<Performed> {
  try {
    const at = new Date().toISOString()
    const not = { kind: 'read' as const, at, of: 1, call, files: [], lack: refused, ms: 0 }
    return await record(work, [refused ? not : await readViewing(context, work, call, sharesFor(context))])
  } catch (error) {
    return await orMoved(work, error)
  }
}

/** Whoever works for a run that is stopped meanwhile reads that it is. */
async function orMoved(work: Work, error: unknown): Promise<'moved'> {
  if (!work.signal.aborted || work.signal.reason !== ('stop' satisfies AbortReason)) throw error
  await reread(work)
  return 'moved'
}

/** Searches as the model wishes, for the same readers, and leaves out what it has already. */
async function lookUp(
  context: Performing,
  work: Work,
  { call, query, refused }: Extract<Next, { do: 'look-up' }>,
): Promise<'recorded' | 'lost'> {
  const at = new Date().toISOString()
  if (refused)
    return record(work, [
      {
        kind: 'recalled',
        at,
        call,
        query,
        passages: [],
        sources: 0,
        degraded: `not searched: ${refused}`,
        ms: 0,
      },
    ])
  const step = await context.recall(work.run, query, context.agent, passagesOf(work.steps))
  return record(work, [{ ...step, call }])
}

/** How old what is known of who may read a passage may be when the model is given it, in ms. */
const HELD_MS = 60_000

/** What was read a while ago, before people decided or a model had room, may not be for everybody any more. */
async function holdQuotes(context: Performing, work: Work): Promise<void> {
  const recalled = work.steps.flatMap((s) => (s.kind === 'recalled' && s.passages.length > 0 ? [s] : []))
  const since = work.held ?? Math.min(...recalled.map(({ at }) => Date.parse(at)))
  if (recalled.length === 0 || Date.now() - since < HELD_MS) return
  work.held = Date.now()
  const passages = [...new Set(passagesOf(work.steps).map(({ passage }) => passage))]
  const lost = await context.unreadable(work.run, passages)
  if (lost.length === 0) return
  await removeQuotes(work.pool, work.run.id, lost)
  await reread(work)
}

async function askUnlessStopped(context: Performing, work: Work, thread: ThreadView): Promise<Performed> {
  try {
    await holdQuotes(context, work)
    const asked = await askModel(context, work, thread.hearAnswer())
    return typeof asked === 'string' ? asked : await parkFor(work, thread, asked.wait)
  } catch (error) {
    return await orMoved(work, error)
  }
}

/** Says of a run that ends without a model's answer that it does. */
function codeOf(work: Work): { code?: string } {
  const answer = work.steps.findLast((s) => s.kind === 'answered')
  return answer?.kind === 'answered' && answer.by?.tier === 'quotes' ? { code: 'quotes-only' } : {}
}

/** A wait that is over before this, in ms, since the last step need not be spoken of. */
const SILENT_MS = 5_000

/** Lets go of a run that waits for something that is not a person. */
async function parkFor(work: Work, thread: ThreadView, wait: Wait): Promise<Performed> {
  const since = Date.parse(work.steps.at(-1)?.at ?? '')
  if (Date.parse(wait.until) - since >= SILENT_MS) await thread.showWait(work.steps, wait.text)
  const parked = await parkRun(work.pool, work.lease, lastRead(work), wait.until, wait)
  if (parked === 'moved') await reread(work)
  // Whoever ended the wait in between found nobody waiting.
  if (parked === 'parked' && (await hasMoved(work.pool, work.run.workspace, wait)))
    await writeWakeup(work.pool, work.run.id)
  return parked
}

async function waitForPeople(
  work: Work,
  thread: ThreadView,
  wait: Extract<Next, { do: 'wait' }>,
): Promise<Performed> {
  let seen = lastRead(work)
  const done = new Set<string>()
  for (const proposed of wait.show) {
    if (done.has(proposed.approval ?? '')) continue
    const asks = callState(work.steps, proposed) === 'input'
    const group = asks ? [proposed] : onOneCard(work.steps, proposed)
    for (const one of group) done.add(one.approval ?? '')
    const posted = asks
      ? await thread.postInput(work.steps, proposed)
      : await thread.postCard(work.steps, group)
    const recorded =
      posted === 'unshowable' ? await voidUnshown(work, group) : await recordShown(work, group, posted.ts)
    if (recorded === 'lost') return 'lost'
    seen += group.length
  }
  // Somebody was quicker than the card's own step: what they said may be what is waited for.
  if (lastRead(work) !== seen || callsMoved(work, wait)) return 'moved'
  const now = new Date().toISOString()
  await thread.remind(work.steps, now)
  await Promise.all([thread.refreshCards(work.steps), thread.showWaiting(work.steps)])
  const parked = await parkRun(work.pool, work.lease, lastRead(work), nextLook(work, wait, now))
  if (parked === 'moved') await reread(work)
  return parked
}

/** Whether what is waited for changed while cards were shown. */
function callsMoved(work: Work, wait: Extract<Next, { do: 'wait' }>): boolean {
  return wait.show.some((one) => !['pending', 'unknown', 'input'].includes(callState(work.steps, one)))
}

/** When a waiting run is looked at again though nobody decided: for a reminder, or because the wait ends. */
function nextLook(work: Work, wait: Extract<Next, { do: 'wait' }>, now: string): string {
  const reminders = work.steps.flatMap((s) =>
    s.kind === 'proposed' && callState(work.steps, s) === 'pending' ? (remindAt(s) ?? []) : [],
  )
  const ahead = reminders.filter((at) => Date.parse(at) > Date.parse(now))
  return [wait.until, ...ahead].reduce((a, b) => (Date.parse(a) < Date.parse(b) ? a : b))
}

function recordShown(work: Work, group: readonly StepOf<'proposed'>[], ts: string) {
  const at = new Date().toISOString()
  return record(
    work,
    group.map(({ approval = '' }) => ({ kind: 'shown' as const, at, approval, ts })),
  )
}

/** The run holds a step that this version cannot read: another one may; in the end the thread is told. */
async function giveUpReading(context: AdvanceContext, taken: Taken, thread: ThreadView): Promise<Advanced> {
  const { run, lease, failures, unreadable } = taken
  context.log('error', 'a run has a step that this version cannot read', {
    run: run.id,
    failures,
    why: unreadable,
  })
  if (failures < MAX_FAILURES) {
    await putOffRun(context.pool, lease, { seconds: 10, failed: true })
    return 'put-off'
  }
  return failUnread(context.pool, taken, thread)
}

/** After `walk` threw: a fault of the model ends the run in words, anything else is tried again later. */
async function breakOff(
  context: AdvanceContext,
  work: Work,
  thread: ThreadView,
  thrown: unknown,
): Promise<Advanced> {
  let error = thrown
  try {
    if (work.signal.aborted && work.signal.reason !== ('stop' satisfies AbortReason))
      return await letGo(context, work)
    if (error instanceof Fault && error.code.startsWith('model-')) {
      context.log('warn', 'a run ended in a fault', {
        run: work.run.id,
        code: error.code,
        why: error.message,
      })
      return await fail(work, thread, error.code)
    }
  } catch (again) {
    error = again
  }
  // While Slack is away or slows us down nothing is wrong with the run: what it has found out is said when Slack is back.
  const away =
    error instanceof Fault && (error.code === 'slack-unreachable' || error.code === 'slack-limited')
  const failures = await putOffRun(
    context.pool,
    work.lease,
    away ? { seconds: 5 } : { seconds: 2, failed: true },
  )
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
  context.log('error', 'advancing a run broke off; it will be tried again', {
    run: work.run.id,
    failures,
    why,
  })
  return 'put-off'
}

async function letGo(context: AdvanceContext, work: Work): Promise<Advanced> {
  if (work.signal.reason === ('lost' satisfies AbortReason)) return 'lost'
  await inTransaction(context.pool, (tx) => releaseRun(tx, work.lease))
  return 'released'
}

/** How a run ends: said in its thread, recorded as `finished`, and everything it showed closed. */

import { tellUnread } from '../core/reading.ts'
import type { Cited, Numbered, StepOf } from '../core/run.ts'
import { tellFault } from '../core/tell.ts'
import { voidApprovals } from '../store/approvals.ts'
import { appendSteps, type Taken } from '../store/leases.ts'
import type { Db } from '../store/transaction.ts'
import { noteWhatWasDone } from './feedback.ts'
import { lastRead, tryRecord, type Work } from './lease.ts'
import type { ThreadView } from './thread.ts'

/** An ending: `text` is what the thread is told. */
export type End = { outcome: StepOf<'finished'>['outcome']; text: string; code?: string }

/**
 * Says the end and records it. `moved`: a word came with the answer, and is worth another one.
 * Throws where Slack cannot be reached; saying it again later says nothing twice.
 */
export async function finish(
  work: Work,
  thread: ThreadView,
  end: End,
): Promise<'finished' | 'moved' | 'lost'> {
  const cited = passagesOf(work.steps)
  const { text, ...rest } = tellEnd(end, work.steps)
  const finished: StepOf<'finished'> = { kind: 'finished', at: new Date().toISOString(), ...end }
  await thread.sayEnd(`end:${lastRead(work)}`, { markdown: text, cited, ...rest }, [...work.steps, finished])
  const asked = work.steps.some((s) => s.kind === 'proposed' && s.approval !== undefined)
  for (;;) {
    const said = lastRead(work)
    const done = await tryRecord(work, [finished], async (tx) => {
      if (asked) await voidApprovals(tx, work.run.id)
      await noteWhatWasDone(tx, work.run, work.steps)
    })
    if (done === 'lost') return 'lost'
    if (done === 'recorded') break
    // The end is said; only a word that came with it is worth another answer.
    const more = work.steps.some((s) => s.kind === 'steered' && s.n > said)
    if (more && end.outcome === 'answered') return 'moved'
  }
  await showEnded(thread, work.steps)
  return 'finished'
}

/** Said under an answer that cites nothing although pages were found, and no tool gave it what it says. */
const UNCITED = 'This answer cites none of the pages that were found, so check it before you rely on it.'

/** The words of an ending, the badge that says what made them, and what to say where they cite nothing. */
function tellEnd(
  end: End,
  steps: readonly Numbered[],
): { text: string; badge: string; uncited?: string; feedback?: boolean } {
  const answer = steps.findLast((s) => s.kind === 'answered')
  if (end.outcome !== 'answered' || answer?.kind !== 'answered') return { text: end.text, badge: '' }
  const cut = answer.finish === 'length' ? '\n\n_(The answer reached its length limit and ends here.)_' : ''
  const empty = end.text.trim() === '' ? 'The model had nothing to say.' : end.text
  const unread = tellUnread(steps, inCode).map((line) => `\n\n_${line}_`)
  const told = { text: [empty, cut, ...unread].join(''), badge: badgeOf(answer), feedback: true }
  return restsOnOther(steps) ? told : { ...told, uncited: UNCITED }
}

/** Whether something else than pages of the team gave the answer what it says. */
function restsOnOther(steps: readonly Numbered[]): boolean {
  return steps.some((s) => (s.kind === 'returned' && s.outcome === 'succeeded') || s.kind === 'read')
}

/** A file's name in an answer's Markdown: it may hold anything. */
function inCode(name: string): string {
  const short = name.length > 80 ? `${name.slice(0, 79).toWellFormed()}…` : name
  return `\`${short.replace(/[`\s]+/g, ' ').trim() || ' '}\``
}

/** What served the answer. */
function badgeOf({ model, by }: StepOf<'answered'>): string {
  if (by?.tier === 'quotes') return 'No model: passages only'
  const how = by?.instead === 'smaller' ? 'a smaller model' : by?.instead && `in place of the usual model`
  const remarks = [by?.tier === 'cloud' ? 'cloud' : '', how ?? ''].filter((one) => one !== '')
  return remarks.length > 0 ? `${model} (${remarks.join(', ')})` : model
}

/** Ends a run with a sentence; `code` is a fault's code, or anything else. */
export async function fail(work: Work, thread: ThreadView, code: string): Promise<'finished' | 'lost'> {
  const done = await finish(work, thread, { outcome: 'failed', text: tellFault(code, work.run.id), code })
  return done === 'lost' ? 'lost' : 'finished'
}

/** Every passage the run has read, in the order of their numbers. */
export function passagesOf(steps: readonly Numbered[]): Cited[] {
  return steps.flatMap((s) => (s.kind === 'recalled' ? s.passages : []))
}

/** Brings plan and cards to their last state. */
export async function showEnded(thread: ThreadView, steps: readonly Numbered[]): Promise<void> {
  await Promise.all([thread.refreshCards(steps), thread.close(steps)])
}

/** Ends a run whose steps this version cannot read. */
export async function failUnread(
  db: Db,
  { run, lease }: Taken,
  thread: ThreadView,
): Promise<'finished' | 'lost'> {
  const text = tellFault('broken', run.id)
  const finished: StepOf<'finished'> = {
    kind: 'finished',
    at: new Date().toISOString(),
    outcome: 'failed',
    text,
    code: 'broken',
  }
  await thread.sayEnd('end:unreadable', { markdown: text, cited: [], badge: '' }, [finished])
  const done = await appendSteps(db, lease, run.n, [finished])
  return done === 'lost' ? 'lost' : 'finished'
}

/** What people think of answers: a thumb pressed, what was wrong, and what they did instead of saying it. */
import type { ModalView } from '@slack/types'
import {
  isCategory,
  isRephrased,
  LONGEST_NOTE,
  readRating,
  type Signal,
  signalsIn,
} from '../core/feedback.ts'
import type { HeardOf } from '../core/heard.ts'
import type { Step } from '../core/run.ts'
import { feedbackView } from '../slack/blocks/feedback.ts'
import type { Viewer } from '../slack/opening.ts'
import {
  type Earlier,
  explainRating,
  noteSignals,
  type Rated,
  rateRun,
  readEarlier,
} from '../store/feedback.ts'
import type { Run } from '../store/runs.ts'
import type { Db, Tx } from '../store/transaction.ts'

/** A thumb down asks at once what was wrong; a thumb up asks nothing. */
export async function openFeedback(subject: string, viewer: Viewer): Promise<ModalView | undefined> {
  const pressed = readRating(subject)
  if (pressed?.rating !== 'down') return undefined
  const { channel, thread } = viewer
  return feedbackView({ subject: pressed.run, channel, thread })
}

/** Keeps a thumb; a second press changes it. A sentence where there is nothing to rate. */
export async function takeRating(tx: Tx, heard: HeardOf<'pressed'>): Promise<string | undefined> {
  const pressed = readRating(heard.subject)
  const known =
    pressed && (await rateRun(tx, rated(heard, pressed.run), pressed.rating, Number(heard.clickTs)))
  return known ? undefined : GONE
}

/** Keeps what was wrong with an answer, and says so. */
export async function takeExplanation(tx: Tx, heard: HeardOf<'filled'>): Promise<string> {
  const { category, note } = heard.values
  const known =
    /^[0-9a-f-]{36}$/.test(heard.subject) &&
    (await explainRating(tx, rated(heard, heard.subject), {
      category: isCategory(category) ? category : 'other',
      note: String(note ?? '')
        .slice(0, LONGEST_NOTE)
        .toWellFormed()
        .replaceAll('\0', '')
        .trim(),
    }))
  return known ? 'Thank you. This is kept with the answer, for the people who run me.' : GONE
}

/**
 * Keeps what people did in a run that ends, and what its question says of the run before it: that one was rephrased, or
 * followed up.
 */
export async function noteWhatWasDone(tx: Db, run: Run, steps: readonly Step[]): Promise<void> {
  const own = signalsIn(steps).map((one) => ({ ...one, run: run.id }))
  const [asked] = steps
  const question = asked?.kind === 'asked' ? asked.text : ''
  const before = (await readEarlier(tx, run.id)).flatMap((earlier) => {
    const signal = signalOf(earlier, run, question)
    return signal ? [{ run: earlier.run, person: run.asker, signal }] : []
  })
  await noteSignals(tx, run.workspace, [...own, ...before])
}

function signalOf(earlier: Earlier, { asker }: Run, question: string): Signal | undefined {
  const rephrased = earlier.lately && earlier.asker === asker && isRephrased(earlier.question, question)
  if (rephrased) return 'rephrased'
  return earlier.thread ? 'followed-up' : undefined
}

const GONE = 'I do not know this answer any more, so nothing was kept.'

function rated({ workspace, channel, user }: HeardOf<'pressed'> | HeardOf<'filled'>, run: string): Rated {
  return { workspace, channel, run, person: user }
}

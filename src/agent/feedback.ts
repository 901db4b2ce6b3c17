/** What people think of answers: a thumb pressed, and what was wrong. */
import type { ModalView } from '@slack/types'
import { isCategory, LONGEST_NOTE, readRating } from '../core/feedback.ts'
import type { HeardOf } from '../core/heard.ts'
import { feedbackView } from '../slack/blocks/feedback.ts'
import type { Viewer } from '../slack/opening.ts'
import { explainRating, type Rated, rateRun } from '../store/feedback.ts'
import type { Tx } from '../store/transaction.ts'

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

const GONE = 'I do not know this answer any more, so nothing was kept.'

function rated({ workspace, channel, user }: HeardOf<'pressed'> | HeardOf<'filled'>, run: string): Rated {
  return { workspace, channel, run, person: user }
}

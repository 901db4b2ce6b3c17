/** Modals that a button opens: they only show; what is sent with them is heard like everything else. */
import type { ModalView } from '@slack/types'
import type { HeardOf } from '../core/heard.ts'
import type { Opener } from '../slack/identify.ts'
import type { Viewer } from '../slack/opening.ts'
import type { Speak } from '../slack/speak.ts'
import type { DecisionContext } from './approvals/deciding.ts'
import { checkEdit, openEdit } from './approvals/edit.ts'
import { checkAnswer, openAnswer } from './approvals/input.ts'
import { openFeedback } from './feedback.ts'
import { openPreferences } from './preferences.ts'
import { type TraceContext, traceOf } from './trace.ts'

export type ModalContext = DecisionContext & TraceContext & { speak: Pick<Speak, 'decider' | 'name'> }

/** The modal a button opens, or a sentence why there is none; nothing where this press opens none. */
export async function openModal(
  context: ModalContext,
  button: Opener,
  subject: string,
  viewer: Viewer,
): Promise<ModalView | string | undefined> {
  switch (button) {
    case 'trace':
      return traceOf(context, subject, viewer)
    case 'edit':
      return openEdit({ ...context, name: context.speak.name }, subject, viewer)
    case 'answer':
      return openAnswer(context.pool, subject, viewer)
    case 'feedback':
      return openFeedback(subject, viewer)
    case 'preferences':
      return openPreferences(context.pool, viewer)
  }
}

/** What is wrong with a modal that was sent, by block; undefined where it can be taken. */
export async function checkModal(
  context: ModalContext,
  heard: HeardOf<'submitted'>,
): Promise<Record<string, string> | undefined> {
  return heard.form === 'edit' ? checkEdit(context, heard) : checkAnswer(context.pool, heard)
}

/** Modals that a button opens: they only show; what is sent with them is heard like everything else. */
import type { ModalView } from '@slack/types'
import type { Pointed } from '../core/enclosed.ts'
import type { HeardOf } from '../core/heard.ts'
import type { Opener, Shortcut } from '../slack/identify.ts'
import type { Viewer } from '../slack/opening.ts'
import type { Speak } from '../slack/speak.ts'
import type { DecisionContext } from './approvals/deciding.ts'
import { checkEdit, openEdit } from './approvals/edit.ts'
import { checkAnswer, openAnswer } from './approvals/input.ts'
import { openAbout } from './commands/about.ts'
import { openFeedback } from './feedback.ts'
import { openPreferences } from './preferences.ts'
import { openSettings, type SettingsContext } from './settings.ts'
import { openShare, type ShareContext } from './share.ts'
import { type TraceContext, traceOf, traceOfMessage } from './trace.ts'

export type ModalContext = DecisionContext &
  TraceContext &
  ShareContext &
  SettingsContext & { speak: Pick<Speak, 'decider' | 'name' | 'joined'> }

/** The modal a button opens, or a sentence why there is none; nothing where this press opens none. */
export async function openModal(
  context: ModalContext,
  button: Opener | Shortcut,
  subject: string,
  viewer: Viewer,
  pointed?: Pointed,
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
    case 'settings':
      return openSettings(context, viewer)
    case 'share':
      return openShare(context, subject, viewer)
    case 'show_trace':
      return traceOfMessage(context, subject, viewer)
    case 'ask_about':
      return pointed && openAbout(context, pointed, viewer)
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

/** The two thumbs under an answer, and the modal that asks what was wrong. */
import type { KnownBlock, ModalView } from '@slack/types'
import { CATEGORIES, LONGEST_NOTE, ratingValue } from '../../core/feedback.ts'
import type { About } from '../opening.ts'

export function feedbackBlock(run: string): KnownBlock {
  const button = (rating: 'up' | 'down', label: string) => ({
    text: { type: 'plain_text' as const, text: label, emoji: false },
    accessibility_label: label,
    value: ratingValue(rating, run),
  })
  const buttons = {
    positive_button: button('up', 'Good answer'),
    negative_button: button('down', 'Bad answer'),
  }
  return {
    type: 'context_actions',
    elements: [{ type: 'feedback_buttons', action_id: 'feedback', ...buttons }],
  }
}

/** Asks why an answer was bad. It is made of nothing that must be looked up: Slack waits 3 s for it. */
export function feedbackView(about: About): ModalView {
  const options = Object.entries(CATEGORIES).map(([value, label]) => ({
    value,
    text: { type: 'plain_text' as const, text: label, emoji: false },
  }))
  return {
    type: 'modal',
    callback_id: 'feedback',
    private_metadata: JSON.stringify(about),
    title: { type: 'plain_text', text: 'What was wrong?', emoji: false },
    submit: { type: 'plain_text', text: 'Send', emoji: false },
    close: { type: 'plain_text', text: 'Cancel', emoji: false },
    blocks: [
      {
        type: 'input',
        block_id: 'category',
        label: { type: 'plain_text', text: 'This answer', emoji: false },
        element: { type: 'radio_buttons', action_id: 'value', options },
      },
      {
        type: 'input',
        block_id: 'note',
        optional: true,
        label: { type: 'plain_text', text: 'What should it have said?', emoji: false },
        hint: {
          type: 'plain_text',
          text: 'Kept with the answer, for the people who run this agent.',
          emoji: false,
        },
        element: {
          type: 'plain_text_input',
          action_id: 'value',
          multiline: true,
          max_length: LONGEST_NOTE,
        },
      },
    ],
  }
}

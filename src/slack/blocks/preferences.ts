/** The modal in which a person says how much of the work they want to see, and in which language they are answered. */
import type { ModalView, PlainTextOption } from '@slack/types'
import { languages, type Preferences, TRACES } from '../../core/preferences.ts'

const SAME = 'same'

export function preferencesView(now: Preferences): ModalView {
  const traces = Object.entries(TRACES).map(([value, label]) => option(value, label))
  const spoken = [
    option(SAME, 'The language of the question'),
    ...[...languages()].map(([code, name]) => option(code, name)),
  ]
  const chosen = (options: PlainTextOption[], value: string) => {
    const found = options.find((one) => one.value === value)
    return found ? { initial_option: found } : {}
  }
  return {
    type: 'modal',
    callback_id: 'preferences',
    private_metadata: JSON.stringify({ subject: '', channel: '' }),
    title: plain('Preferences'),
    submit: plain('Save'),
    close: plain('Cancel'),
    blocks: [
      {
        type: 'input',
        block_id: 'trace',
        label: plain('While I work on what you ask, show'),
        hint: plain('Everybody in the channel sees the same. /quorum trace shows every step at any time.'),
        element: {
          type: 'static_select',
          action_id: 'value',
          options: traces,
          ...chosen(traces, now.trace),
        },
      },
      {
        type: 'input',
        block_id: 'language',
        label: plain('Answer me in'),
        hint: plain('Unless the question asks for another language.'),
        element: {
          type: 'static_select',
          action_id: 'value',
          options: spoken,
          ...chosen(spoken, now.language ?? SAME),
        },
      },
    ],
  }
}

function option(value: string, label: string): PlainTextOption {
  return { value, text: plain(label) }
}

function plain(text: string) {
  return { type: 'plain_text' as const, text, emoji: false }
}

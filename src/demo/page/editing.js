/** Changing the words of a message one has written. */
import { el } from './dom.js'
import { channelName, handleOf } from './people.js'
import { unescaped } from './render-mrkdwn.js'

/** The text as its writer typed it: mentions as @name again, nothing escaped. */
export function typedText(state, text) {
  return unescaped(
    text
      .replace(/<@([A-Z0-9]+)>/g, (_, id) => `@${handleOf(state, id)}`)
      .replace(/<#([A-Z0-9]+)(?:\|([^>]*))?>/g, (_, id, label) => `#${label || channelName(state, id)}`)
      .replace(/<!(here|channel|everyone)>/g, '@$1')
      .replace(/<((?:https?|mailto):[^>|]+)(?:\|[^>]*)?>/g, '$1'),
  )
}

/** A form in the message's place. Enter saves, Escape leaves it as it was. */
export function editForm(message, hands) {
  const area = el('textarea', { rows: '2', 'aria-label': 'Edit message', data: { testid: 'edit-text' } })
  area.value = typedText(hands.state, message.text ?? '')
  const save = (event) => {
    event?.preventDefault()
    hands.finishEdit(message, area.value.trim())
  }
  area.addEventListener('keydown', (event) => {
    if (event.isComposing) return
    if (event.key === 'Escape') hands.finishEdit(message, undefined)
    else if (event.key === 'Enter' && !event.shiftKey) save(event)
  })
  setTimeout(() => {
    area.focus()
    area.setSelectionRange(area.value.length, area.value.length)
  })
  return el(
    'form',
    { class: 'edit-form', on: { submit: save } },
    area,
    el(
      'div',
      { class: 'edit-foot' },
      el(
        'button',
        { type: 'button', class: 'button small', on: { click: () => hands.finishEdit(message, undefined) } },
        'Cancel',
      ),
      el('button', { type: 'submit', class: 'button small primary', data: { testid: 'edit-save' } }, 'Save'),
    ),
  )
}

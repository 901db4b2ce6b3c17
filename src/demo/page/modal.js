/** The layer of views an app opens: one dialog that shows the topmost view. */
import { notice } from './dialogs.js'
import { el, icon } from './dom.js'
import { withEmoji } from './emoji.js'
import { renderBlocks } from './render-blocks.js'
import { keepTyped, readValues, showObjections } from './render-inputs.js'

/** Makes the layer. `paint` shows the topmost of the state's views, or nothing. */
export function openModalLayer(hands) {
  let dialog
  let shown
  const dismiss = async () => {
    const view = hands.state.views.at(-1)
    if (!view) return
    hands.forgetView(view.id)
    await hands.order('/ui/close', { view_id: view.id })
  }
  const paint = () => {
    const view = hands.state.views.at(-1)
    if (!view) {
      dialog?.remove()
      dialog = undefined
      shown = undefined
      return
    }
    const signature = JSON.stringify(view)
    if (shown === signature) return
    const same = shown !== undefined && dialog.dataset.view === view.id
    const typed = same ? readValues(dialog) : {}
    const scrolled = same ? dialog.querySelector('.dialog-body').scrollTop : 0
    if (!dialog) {
      dialog = el('dialog', { class: 'modal', data: { testid: 'modal' } })
      dialog.addEventListener('cancel', (event) => {
        event.preventDefault()
        dismiss()
      })
      dialog.addEventListener('pointerdown', (event) => {
        if (event.target === dialog) dismiss()
      })
      document.getElementById('layers').append(dialog)
      dialog.replaceChildren(form(view, hands, dismiss))
      dialog.showModal()
    } else dialog.replaceChildren(form(view, hands, dismiss))
    dialog.dataset.view = view.id
    dialog.setAttribute('aria-label', view.title?.text ?? 'Dialog')
    keepTyped(dialog, typed)
    dialog.querySelector('.dialog-body').scrollTop = scrolled
    if (!same) focusFirst(dialog)
    shown = signature
  }
  return { paint }
}

function focusFirst(dialog) {
  const first =
    dialog.querySelector('[data-block][data-action], [data-block] input') ??
    dialog.querySelector('.dialog-body')
  first.focus()
}

function form(view, hands, dismiss) {
  const place = { view_id: view.id, key: view.id }
  const submit = async (event) => {
    event.preventDefault()
    await sendView(event.currentTarget, view, hands)
  }
  const close = el(
    'button',
    { type: 'button', class: 'tool', 'aria-label': 'Close', on: { click: dismiss } },
    icon('close'),
  )
  const foot = [
    el('button', { type: 'button', class: 'button', on: { click: dismiss } }, view.close?.text ?? 'Close'),
    view.submit &&
      el(
        'button',
        { type: 'submit', class: 'button primary', data: { testid: 'modal-submit' } },
        withEmoji(view.submit.text),
      ),
  ]
  return el(
    'form',
    { class: 'view', on: { submit } },
    el('header', { class: 'dialog-head' }, el('h2', {}, withEmoji(view.title?.text)), close),
    el('div', { class: 'dialog-body', tabindex: '-1' }, renderBlocks(view.blocks, hands, place)),
    el('footer', { class: 'dialog-foot' }, foot),
  )
}

async function sendView(node, view, hands) {
  const button = node.querySelector('[type=submit]')
  if (button) button.disabled = true
  const answer = await hands.order('/ui/submit', { view_id: view.id, values: readValues(node) })
  if (button) button.disabled = false
  if (!answer?.errors) return
  const left = showObjections(node, answer.errors)
  for (const sentence of left) notice(sentence)
}

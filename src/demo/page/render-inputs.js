/** Input blocks of modals: drawing them, and reading what was filled in. */
import { el } from './dom.js'
import { withEmoji } from './emoji.js'
import { choices, chosenIn, picker, select } from './render-elements.js'
import { plainOf } from './render-rich-text.js'

const TYPES = { email_text_input: 'email', url_text_input: 'url', number_input: 'number' }

/** An input block with its label, hint, and a place for the server's objection. */
export function input(block, hands) {
  const spec = block.element ?? {}
  const id = `input-${crypto.randomUUID()}`
  const control = controlOf(spec, hands)
  if (!control) return el('span', { class: 'chip' }, `unsupported input: ${spec.type}`)
  const group = control.tagName === 'FIELDSET'
  if (!group) control.id = id
  control.dataset.block = block.block_id ?? ''
  control.dataset.kind = spec.type
  const label = [withEmoji(block.label?.text), block.optional && el('small', {}, 'optional')]
  const title = group
    ? el('div', { class: 'label', id }, label)
    : el('label', { class: 'label', for: id }, label)
  if (group) control.setAttribute('aria-labelledby', id)
  else if (!block.optional && control.type !== 'checkbox') control.required = true
  return el(
    'div',
    { class: 'input', data: { inputBlock: block.block_id ?? '' } },
    title,
    control,
    block.hint && el('p', { class: 'hint' }, withEmoji(block.hint.text)),
    el('p', { class: 'objection', role: 'alert' }),
  )
}

function controlOf(spec, hands) {
  const common = {
    placeholder: spec.placeholder?.text,
    data: { action: spec.action_id, testid: `input-${spec.action_id}` },
  }
  switch (spec.type) {
    case 'plain_text_input':
    case 'rich_text_input':
      return textInput(spec, common)
    case 'email_text_input':
    case 'url_text_input':
    case 'number_input':
      return el('input', {
        ...common,
        type: TYPES[spec.type],
        value: spec.initial_value,
        min: spec.min_value,
        max: spec.max_value,
        step: spec.is_decimal_allowed ? 'any' : undefined,
      })
    case 'datepicker':
    case 'timepicker':
    case 'datetimepicker':
      return picker(spec)
    case 'static_select':
    case 'users_select':
    case 'channels_select':
    case 'conversations_select':
      return select(spec, hands)
    default:
      return /^(checkboxes|radio_buttons|multi_(static|users|channels|conversations)_select)$/.test(spec.type)
        ? choices(spec, hands)
        : undefined
  }
}

function textInput(spec, common) {
  const limits = { minlength: spec.min_length, maxlength: spec.max_length }
  const initial = typeof spec.initial_value === 'object' ? plainOf(spec.initial_value) : spec.initial_value
  if (!spec.multiline && spec.type === 'plain_text_input') {
    return el('input', { ...common, ...limits, type: 'text', value: initial })
  }
  const area = el('textarea', { ...common, ...limits, rows: '4' })
  area.value = initial ?? ''
  return area
}

/** What the inputs under `root` hold now: `{block_id: {action_id: value}}`. */
export function readValues(root) {
  const values = {}
  for (const control of root.querySelectorAll('[data-block][data-action]')) {
    const { block, action } = control.dataset
    values[block] = { ...values[block], [action]: heldBy(control) }
  }
  return values
}

function heldBy(control) {
  if (control.tagName === 'FIELDSET') return chosenIn(control) ?? null
  if (control.dataset.kind === 'datetimepicker') {
    return control.value === '' ? null : Math.floor(new Date(control.value).getTime() / 1000)
  }
  return control.value === '' ? null : control.value
}

/** Puts back what a person had typed before a view was drawn anew. */
export function keepTyped(root, values) {
  for (const control of root.querySelectorAll('[data-block][data-action]')) {
    const value = values[control.dataset.block]?.[control.dataset.action]
    if (value === undefined || control.tagName === 'FIELDSET' || control.dataset.kind === 'datetimepicker')
      continue
    control.value = value ?? ''
  }
}

/** Shows the server's objections beside the inputs they are about. Returns those without an input here. */
export function showObjections(root, errors) {
  const left = []
  let first
  for (const place of root.querySelectorAll('.objection')) place.textContent = ''
  for (const [block, sentence] of Object.entries(errors)) {
    const holder = [...root.querySelectorAll('[data-input-block]')].find(
      (each) => each.dataset.inputBlock === block,
    )
    if (!holder) left.push(String(sentence))
    else {
      holder.querySelector('.objection').textContent = String(sentence)
      if (!first) first = holder
    }
  }
  first?.querySelector('input, textarea, select')?.focus()
  return left
}

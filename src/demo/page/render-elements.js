/** What can be pressed or chosen inside blocks. Every press goes to the server and waits for its acknowledgement. */
import { confirmWith, openMenu } from './dialogs.js'
import { el, icon, safeUrl } from './dom.js'
import { withEmoji } from './emoji.js'
import { channelsOf } from './state.js'

/** An element of an actions block, an accessory, or of context_actions. Undefined where we cannot draw it. */
export function element(spec, hands, place) {
  switch (spec?.type) {
    case 'button':
    case 'workflow_button':
      return button(spec, hands, place)
    case 'feedback_buttons':
      return feedback(spec, hands, place)
    case 'icon_button':
      return iconButton(spec, hands, place)
    case 'overflow':
      return overflow(spec, hands, place)
    case 'static_select':
    case 'users_select':
    case 'channels_select':
    case 'conversations_select':
      return select(spec, hands, (chosen) => act(chosen, spec, hands, place, chosen.value))
    case 'checkboxes':
    case 'radio_buttons':
      return choices(spec, hands, (field) => act(field, spec, hands, place, chosenIn(field)))
    case 'datepicker':
    case 'timepicker':
      return picker(spec, (field) => act(field, spec, hands, place, field.value))
    default:
      return undefined
  }
}

/** Sends a press, after the confirmation the block asks for; `control` stays dead until it is acknowledged. */
async function act(control, spec, hands, place, value) {
  if (spec.confirm && !(await confirmWith(spec.confirm, hands))) return false
  control.disabled = true
  control.classList.add('busy')
  try {
    await hands.click(place, spec.action_id, value)
    return true
  } catch (error) {
    hands.complain(error.message)
    return false
  } finally {
    control.classList.remove('busy')
    control.disabled = false
  }
}

function button(spec, hands, place) {
  const style = ['primary', 'danger'].includes(spec.style) ? spec.style : ''
  const url = safeUrl(spec.url)
  const press = async (event) => {
    if (url) window.open(url, '_blank', 'noopener,noreferrer')
    await act(event.currentTarget, spec, hands, place, spec.value)
  }
  return el(
    'button',
    {
      type: 'button',
      class: `button ${style}`.trim(),
      'aria-label': spec.accessibility_label,
      data: { testid: `button-${spec.action_id}`, value: spec.value ?? '' },
      on: { click: press },
    },
    withEmoji(spec.text?.text),
    url && icon('tab'),
  )
}

function feedback(spec, hands, place) {
  const key = `feedback:${place.key}:${spec.action_id}`
  const group = el('span', { class: 'feedback', role: 'group', 'aria-label': 'Feedback' })
  const one = (part, drawing, down) => {
    const press = async (event) => {
      if (!(await act(event.currentTarget, spec, hands, place, part.value))) return
      hands.state.folds.set(key, part.value)
      for (const each of group.children)
        each.setAttribute('aria-pressed', String(each.dataset.value === part.value))
    }
    return el(
      'button',
      {
        type: 'button',
        class: `tool ${down}`,
        title: part.text?.text,
        'aria-label': part.accessibility_label ?? part.text?.text,
        'aria-pressed': String(hands.state.folds.get(key) === part.value),
        data: { testid: `button-${spec.action_id}`, value: part.value ?? '' },
        on: { click: press },
      },
      icon(drawing),
    )
  }
  if (spec.positive_button) group.append(one(spec.positive_button, 'up', ''))
  if (spec.negative_button) group.append(one(spec.negative_button, 'up', 'upside-down'))
  return group
}

function iconButton(spec, hands, place) {
  return el(
    'button',
    {
      type: 'button',
      class: 'tool',
      title: spec.text?.text,
      'aria-label': spec.accessibility_label ?? spec.text?.text,
      data: { testid: `button-${spec.action_id}`, value: spec.value ?? '' },
      on: { click: (event) => act(event.currentTarget, spec, hands, place, spec.value) },
    },
    icon(spec.icon === 'trash' ? 'trash' : 'dots'),
  )
}

function overflow(spec, hands, place) {
  const choose = (event) => {
    const control = event.currentTarget
    openMenu(
      control,
      (spec.options ?? []).map((option) => ({
        label: option.text?.text ?? '',
        run: () => act(control, spec, hands, place, option.value),
      })),
    )
  }
  return el(
    'button',
    {
      type: 'button',
      class: 'tool',
      'aria-label': 'More',
      'aria-haspopup': 'menu',
      data: { testid: `button-${spec.action_id}` },
      on: { click: choose },
    },
    icon('dots'),
  )
}

/** A drop-down of options, people or channels. */
export function select(spec, hands, changed) {
  const options = optionsOf(spec, hands)
  const initial =
    spec.initial_option?.value ?? spec.initial_user ?? spec.initial_channel ?? spec.initial_conversation ?? ''
  const make = (option) =>
    el(
      'option',
      { value: option.value, selected: option.value === initial },
      option.about ? `${option.label} — ${option.about}` : option.label,
    )
  const groups = (spec.option_groups ?? []).map((group) =>
    el('optgroup', { label: group.label?.text }, (group.options ?? []).map(labelled).map(make)),
  )
  return el(
    'select',
    {
      'aria-label': spec.placeholder?.text ?? 'Choose',
      data: { testid: `select-${spec.action_id}`, action: spec.action_id },
      on: changed && { change: (event) => changed(event.currentTarget) },
    },
    el('option', { value: '', selected: initial === '' }, spec.placeholder?.text ?? 'Choose'),
    options.map(make),
    groups,
  )
}

const labelled = (option) => ({
  value: option.value,
  label: option.text?.text ?? option.value,
  about: option.description?.text,
})

function optionsOf(spec, hands) {
  if (spec.type.endsWith('users_select')) {
    return hands.state.boot.users.map((user) => ({ value: user.id, label: user.real_name || user.name }))
  }
  if (spec.type.endsWith('channels_select') || spec.type.endsWith('conversations_select')) {
    return channelsOf(hands.state).map((channel) => ({ value: channel.id, label: `#${channel.name}` }))
  }
  return (spec.options ?? []).map(labelled)
}

/** Check boxes or radio buttons; several people or options to choose from are check boxes too. */
export function choices(spec, hands, changed) {
  const radio = spec.type === 'radio_buttons'
  const chosen = new Set([
    ...(spec.initial_options ?? []).map((option) => option.value),
    ...(spec.initial_users ?? spec.initial_channels ?? spec.initial_conversations ?? []),
    ...(spec.initial_option ? [spec.initial_option.value] : []),
  ])
  const group = `choice-${crypto.randomUUID()}`
  const options = spec.type.startsWith('multi_')
    ? [
        ...optionsOf(spec, hands),
        ...(spec.option_groups ?? []).flatMap((each) => each.options ?? []).map(labelled),
      ]
    : (spec.options ?? []).map(labelled)
  return el(
    'fieldset',
    {
      class: 'choices',
      role: radio ? 'radiogroup' : 'group',
      data: { action: spec.action_id, radio: String(radio) },
      on: changed && { change: (event) => changed(event.currentTarget) },
    },
    options.map((option) =>
      el(
        'label',
        {},
        el('input', {
          type: radio ? 'radio' : 'checkbox',
          name: group,
          value: option.value,
          checked: chosen.has(option.value),
        }),
        el('span', {}, withEmoji(option.label), option.about && el('small', {}, option.about)),
      ),
    ),
  )
}

/** What is chosen in a group: one value of radio buttons, a list of check boxes. */
export function chosenIn(group) {
  const values = [...group.querySelectorAll('input:checked')].map((input) => input.value)
  return group.dataset.radio === 'true' ? values[0] : values
}

/** A date or a time. */
export function picker(spec, changed) {
  const kinds = { datepicker: 'date', timepicker: 'time', datetimepicker: 'datetime-local' }
  return el('input', {
    type: kinds[spec.type],
    value: spec.initial_date ?? spec.initial_time ?? localMoment(spec.initial_date_time),
    'aria-label': spec.placeholder?.text ?? 'Choose a time',
    data: { action: spec.action_id },
    on: changed && { change: (event) => changed(event.currentTarget) },
  })
}

function localMoment(seconds) {
  if (!seconds) return undefined
  const date = new Date(seconds * 1000)
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

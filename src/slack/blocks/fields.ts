/** The fields of a form as blocks of a modal. */
import type { InputBlock, KnownBlock, PlainTextElement, PlainTextOption } from '@slack/types'
import {
  blockId,
  type Field,
  type Form,
  JSON_BLOCK,
  LONGEST_TEXT,
  type Option,
  secondsOf,
  shownValue,
  tokenOf,
} from './form.ts'
import { clean, cut, reveal } from './text.ts'

/** Slack shows so much of an option, and takes so many check boxes. */
const LONGEST_OPTION = 75
const MOST_BOXES = 10
/** A text longer than this gets a field of several lines. */
const ONE_LINE = 60
/** The action id of every field: a block has just one. */
const FIELD = 'value'

export function fieldBlocks(form: Form): KnownBlock[] {
  if ('fields' in form) return form.fields.map(inputOf)
  const input: InputBlock = {
    type: 'input',
    block_id: JSON_BLOCK,
    label: plain('Arguments, as JSON'),
    element: {
      type: 'plain_text_input',
      action_id: FIELD,
      multiline: true,
      max_length: LONGEST_TEXT,
      initial_value: form.json,
    },
  }
  return [input]
}

function inputOf(field: Field): InputBlock {
  const { name, title, about, required, value } = field
  const hint = cut(clean(about).replaceAll('\n', ' ').trim(), 500)
  // An empty text is a text, and an empty list a list: it must be possible to leave them so.
  const empty = value === '' || (Array.isArray(value) && required)
  return {
    type: 'input',
    block_id: blockId(field),
    optional: !required || empty || field.kind === 'choices' || field.kind === 'lines',
    label: plain(cut(reveal(named(title, name)).replaceAll('\n', ' '), 150)),
    ...(hint ? { hint: plain(hint) } : {}),
    element: elementOf(field),
  }
}

/** The property's name stays beside its title: cards show it, and a title may say anything. */
function named(title: string, name: string): string {
  return title.trim() === '' || title === name ? name : `${title.trim()} (${name})`
}

function elementOf(field: Field): InputBlock['element'] {
  const { kind, value, options, most } = field
  switch (kind) {
    case 'choice': {
      const chosen = options.find((one) => one.value === value)
      const initial = chosen ? { initial_option: optionOf(chosen) } : {}
      return { type: 'static_select', action_id: FIELD, options: options.map(optionOf), ...initial }
    }
    case 'choices': {
      const chosen = options.filter((one) => Array.isArray(value) && value.includes(one.value))
      const initial = chosen.length > 0 ? { initial_options: chosen.map(optionOf) } : {}
      const list = { action_id: FIELD, options: options.map(optionOf), ...initial }
      if (options.length <= MOST_BOXES) return { type: 'checkboxes', ...list }
      const limit = most !== undefined && most <= options.length ? { max_selected_items: most } : {}
      return { type: 'multi_static_select', ...list, ...limit }
    }
    case 'date':
      return { type: 'datepicker', action_id: FIELD, ...(value ? { initial_date: String(value) } : {}) }
    case 'date-time': {
      const initial = value ? { initial_date_time: secondsOf(String(value)) } : {}
      return { type: 'datetimepicker', action_id: FIELD, ...initial }
    }
    case 'email':
    case 'uri': {
      const type = kind === 'email' ? 'email_text_input' : 'url_text_input'
      return { type, action_id: FIELD, ...(value ? { initial_value: String(value) } : {}) }
    }
    default:
      return textInput(field)
  }
}

function textInput(field: Field): InputBlock['element'] {
  const initial = shownValue(field)
  const long = initial.length > ONE_LINE || initial.includes('\n')
  return {
    type: 'plain_text_input',
    action_id: FIELD,
    multiline: field.kind === 'lines' || (field.kind === 'text' && long),
    max_length: LONGEST_TEXT,
    ...(initial === '' ? {} : { initial_value: initial }),
  }
}

/** An option by its title, with its value below where that says something else. */
function optionOf({ value, title }: Option): PlainTextOption {
  const words = oneLine(String(value)) || JSON.stringify(value)
  const called = title === undefined ? '' : oneLine(title)
  const option = { text: plain(called || words), value: tokenOf(value) }
  return called && called !== words ? { ...option, description: plain(words) } : option
}

function oneLine(text: string): string {
  return cut(reveal(text).replaceAll('\n', ' '), LONGEST_OPTION).trim()
}

function plain(words: string): PlainTextElement {
  return { type: 'plain_text', text: words, emoji: false }
}

/** The modal that edits the arguments of a call: a field for each of them, or all of them as JSON. */
import type { InputBlock, KnownBlock, ModalView, PlainTextElement, PlainTextOption } from '@slack/types'
import { toolName } from '../../core/plan.ts'
import { rich, section, text } from './elements.ts'
import { clean, cut, reveal } from './text.ts'

/** Slack takes so many characters in a field, options in a menu, and characters in an option. */
const LONGEST_TEXT = 3_000
const MOST_OPTIONS = 100
const LONGEST_OPTION = 75
/** More arguments than this are edited as JSON. */
const MOST_FIELDS = 20
/** A text longer than this gets a field of several lines. */
const ONE_LINE = 60

/** One argument with a field of its own; `options` are the values it may have. */
export type Field = {
  name: string
  about: string
  kind: 'text' | 'number' | 'choice'
  required: boolean
  value: unknown
  options: unknown[]
}

/** What is filled in: a field for each argument, or one text of JSON. */
export type Form = { fields: Field[] } | { json: string }

/** The form for the arguments of a tool with this schema; undefined where they are too long for Slack's fields. */
export function formOf(schema: Record<string, unknown>, args: Record<string, unknown>): Form | undefined {
  const fields = fieldsOf(schema, args)
  if (fields) return { fields }
  const spaced = JSON.stringify(args, null, 2)
  const json = spaced.length <= LONGEST_TEXT ? spaced : JSON.stringify(args)
  return json.length <= LONGEST_TEXT ? { json } : undefined
}

function fieldsOf(schema: Record<string, unknown>, args: Record<string, unknown>): Field[] | undefined {
  const properties = Object.entries(isRecord(schema.properties) ? schema.properties : {})
  if (properties.length === 0 || properties.length > MOST_FIELDS) return undefined
  if (Object.keys(args).some((name) => !properties.some(([known]) => known === name))) return undefined
  const required: unknown[] = Array.isArray(schema.required) ? schema.required : []
  const fields = properties.map(([name, property]) =>
    fieldOf(name, property, required.includes(name), Object.hasOwn(args, name) ? args[name] : undefined),
  )
  return fields.every((field) => field !== undefined) ? fields : undefined
}

function fieldOf(name: string, property: unknown, required: boolean, value: unknown): Field | undefined {
  if (!isRecord(property) || name === '' || name.length > 200) return undefined
  const about = typeof property.description === 'string' ? property.description : ''
  const field = { name, about, required, value, options: [] }
  if (Array.isArray(property.enum) || property.type === 'boolean') {
    const options: unknown[] = Array.isArray(property.enum) ? property.enum : [true, false]
    const fits = options.every((one) => isScalar(one) && JSON.stringify(one).length <= LONGEST_OPTION)
    const known = value === undefined || options.includes(value)
    const several = options.length > 0 && options.length <= MOST_OPTIONS
    return fits && known && several ? { ...field, kind: 'choice', options } : undefined
  }
  if (property.type === 'string') {
    const fits = value === undefined || (typeof value === 'string' && value.length <= LONGEST_TEXT)
    return fits ? { ...field, kind: 'text' } : undefined
  }
  if (property.type !== 'number' && property.type !== 'integer') return undefined
  return value === undefined || typeof value === 'number' ? { ...field, kind: 'number' } : undefined
}

/** The ids of the blocks of a form, in their order. */
export function blockIds(form: Form): string[] {
  return 'json' in form ? [JSON_BLOCK] : form.fields.map(blockId)
}

/** The block whose field a sentence of the schema check names, else the first one; undefined where there is none. */
export function blockOf(form: Form, why: string): string | undefined {
  const ids = blockIds(form)
  return ids.find((id) => why.includes(`/${id.slice(4)} `) || why.includes(`"${id.slice(4)}"`)) ?? ids[0]
}

const JSON_BLOCK = 'json'
/** The action id of every field: a block has just one. */
const FIELD = 'value'
const blockId = (field: Field) => `arg:${field.name}`

/** Whose the modal is, as it comes back with it. */
export type Whose = { approval: string; channel: string; thread?: string | undefined }

export function editView(tool: string, form: Form, whose: Whose): ModalView {
  const intro = `What you send takes the place of this call of ${toolName(tool, true)}. It still waits for its approval.`
  return {
    type: 'modal',
    callback_id: 'edit',
    private_metadata: JSON.stringify(whose),
    title: plain('Edit the call'),
    submit: plain('Propose this'),
    close: plain('Cancel'),
    blocks: [rich(section(text(intro))), ...fieldBlocks(form)],
  }
}

/** The fields of a form, as blocks of a modal. */
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
  const hint = cut(clean(field.about).replaceAll('\n', ' ').trim(), 500)
  return {
    type: 'input',
    block_id: blockId(field),
    // An empty text is a text: it must be possible to leave it so.
    optional: !field.required || field.value === '',
    label: plain(cut(reveal(field.name).replaceAll('\n', ' '), 150)),
    ...(hint ? { hint: plain(hint) } : {}),
    element: elementOf(field),
  }
}

function elementOf({ kind, value, options }: Field): InputBlock['element'] {
  if (kind === 'choice') {
    const initial = value === undefined ? {} : { initial_option: option(value) }
    return { type: 'static_select', action_id: FIELD, options: options.map(option), ...initial }
  }
  const initial = value === undefined ? '' : String(value)
  return {
    type: 'plain_text_input',
    action_id: FIELD,
    multiline: kind === 'text' && (initial.length > ONE_LINE || initial.includes('\n')),
    max_length: LONGEST_TEXT,
    ...(initial === '' ? {} : { initial_value: initial }),
  }
}

function option(value: unknown): PlainTextOption {
  const shown = cut(reveal(String(value)).replaceAll('\n', ' '), LONGEST_OPTION)
  return { text: plain(shown.trim() === '' ? JSON.stringify(value) : shown), value: JSON.stringify(value) }
}

function plain(words: string): PlainTextElement {
  return { type: 'plain_text', text: words, emoji: false }
}

/** What was filled in as arguments, or what is wrong with it by block. It is not checked against the schema here. */
export function argumentsOf(
  form: Form,
  values: Record<string, unknown>,
): { args: Record<string, unknown> } | { errors: Record<string, string> } {
  if ('json' in form) return readJson(values[JSON_BLOCK])
  const errors: Record<string, string> = {}
  const args: Record<string, unknown> = {}
  for (const field of form.fields) {
    const read = readField(field, values[blockId(field)])
    if ('error' in read) errors[blockId(field)] = read.error
    else if (read.value !== undefined) define(args, field.name, read.value)
  }
  return Object.keys(errors).length > 0 ? { errors } : { args }
}

function readJson(given: unknown): { args: Record<string, unknown> } | { errors: Record<string, string> } {
  try {
    const args: unknown = JSON.parse(String(given ?? ''))
    if (isRecord(args)) return { args }
    return { errors: { [JSON_BLOCK]: 'The arguments must be one JSON object, as {"name": "value"}.' } }
  } catch (error) {
    const why = error instanceof Error ? cut(error.message, 150) : ''
    return { errors: { [JSON_BLOCK]: `This is not valid JSON: ${why}.` } }
  }
}

function readField(field: Field, given: unknown): { value: unknown } | { error: string } {
  const words = typeof given === 'string' ? given : ''
  if (field.kind === 'text') {
    const empty = field.required || field.value === '' ? '' : undefined
    return { value: words === '' ? empty : words }
  }
  if (words.trim() === '') return { value: undefined }
  if (field.kind === 'choice') {
    const value = field.options.find((one) => JSON.stringify(one) === words)
    return value === undefined ? { error: 'Choose one of the values.' } : { value }
  }
  const value = Number(words)
  if (!Number.isFinite(value)) return { error: 'This must be a number.' }
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && value !== field.value)
    return { error: 'This number is too large to be exact.' }
  return { value }
}

/** Sets a member whatever its name; `__proto__` is a name like any other. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isScalar(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

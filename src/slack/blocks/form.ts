/** A form for a JSON Schema object: a field for each property, or all of them as JSON; and what was filled in. */
import { cut } from './text.ts'

/** Slack takes so many characters in a field, and so many in the value of an option. */
export const LONGEST_TEXT = 3_000
const LONGEST_VALUE = 150
/** Options of one menu; with more of them the value is written. */
const MOST_OPTIONS = 100
/** A modal holds 100 blocks, of which some are ours, and 250,000 bytes. */
export const MOST_FIELDS = 90
const MOST_BYTES = 200_000
const LONGEST_HINT = 400

/** A value that may be chosen, and what it is called. */
export type Option = { value: unknown; title?: string | undefined }

/**
 * One property with a field of its own. `choice` and `choices` are made among `options` in a menu; where these are
 * too many or too long, `named` writes one of them, and `lines` several, one on each line.
 */
export type Field = {
  name: string
  title: string
  about: string
  kind: 'text' | 'number' | 'choice' | 'choices' | 'named' | 'lines' | 'date' | 'date-time' | 'email' | 'uri'
  required: boolean
  value: unknown
  options: Option[]
  /** Choices at most. */
  most?: number
}

/** What is filled in: a field for each property, or one text of JSON. */
export type Form = { fields: Field[] } | { json: string }

/** The form for a schema, filled in with `args`; undefined where they are too long for Slack's fields. */
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
  if (!fields.every((field) => field !== undefined)) return undefined
  if (bytesOf(fields) <= MOST_BYTES) return fields
  const light = fields.map(written)
  return light.every((field) => field !== undefined) && bytesOf(light) <= MOST_BYTES ? light : undefined
}

function fieldOf(name: string, property: unknown, required: boolean, value: unknown): Field | undefined {
  if (!isRecord(property) || name === '' || name.length > 200) return undefined
  const title = typeof property.title === 'string' ? cut(property.title, 90) : ''
  const about = cut(aboutOf(property), LONGEST_HINT)
  const field = { name, title, about, required, value, options: [] }
  const options = optionsOf(property)
  if (options) return oneOfThem({ ...field, kind: 'choice', options })
  if (property.type === 'array') return someOfThem({ ...field, kind: 'choices' }, property)
  if (property.type === 'string') {
    const fits = value === undefined || (typeof value === 'string' && value.length <= LONGEST_TEXT)
    return fits ? { ...field, kind: textKind(property.format, value) } : undefined
  }
  if (property.type !== 'number' && property.type !== 'integer') return undefined
  return value === undefined || typeof value === 'number' ? { ...field, kind: 'number' } : undefined
}

/** What the schema says of a property, its bounds included. */
function aboutOf(property: Record<string, unknown>): string {
  const { description, minimum, maximum, minLength, maxLength } = property
  const range = between(minimum, maximum)
  const length = between(minLength, maxLength)
  return [
    typeof description === 'string' ? description : '',
    range && `A number ${range}.`,
    length && `Characters: ${length}.`,
  ]
    .filter(Boolean)
    .join(' ')
}

function between(low: unknown, high: unknown): string {
  const said = (one: unknown) => typeof one === 'number' && Math.abs(one) < Number.MAX_SAFE_INTEGER
  const [from, to] = [low, high].map((one) => (said(one) ? one : undefined))
  if (from !== undefined && to !== undefined) return `from ${from} to ${to}`
  return from !== undefined ? `from ${from} on` : to !== undefined ? `up to ${to}` : ''
}

/** What a property may be, where its schema lists that: `enum` with or without names, or constants with titles. */
function optionsOf(property: Record<string, unknown>): Option[] | undefined {
  if (Array.isArray(property.enum)) {
    const names: unknown[] = Array.isArray(property.enumNames) ? property.enumNames : []
    return property.enum.map((value, i) => ({ value, title: wordsOf(names[i]) }))
  }
  const constants = property.oneOf ?? property.anyOf
  if (Array.isArray(constants) && constants.length > 0) {
    const known = constants.every((one) => isRecord(one) && Object.hasOwn(one, 'const'))
    return known ? constants.map((one) => ({ value: one.const, title: wordsOf(one.title) })) : undefined
  }
  return property.type === 'boolean' ? [{ value: true }, { value: false }] : undefined
}

function oneOfThem(field: Field): Field | undefined {
  const { options, value } = field
  if (!areScalars(options) || !isAmong(options, value)) return undefined
  return fitsMenu(options) ? field : written(field)
}

function someOfThem(field: Field, { items, maxItems }: Record<string, unknown>): Field | undefined {
  const options = isRecord(items) ? optionsOf(items) : undefined
  const chosen: unknown[] | undefined =
    field.value === undefined ? [] : Array.isArray(field.value) ? field.value : undefined
  if (!options || !areScalars(options) || !chosen) return undefined
  if (new Set(chosen).size < chosen.length || !chosen.every((one) => isAmong(options, one))) return undefined
  const most = typeof maxItems === 'number' && maxItems > 0 ? { most: Math.floor(maxItems) } : {}
  const several: Field = { ...field, options, ...most }
  return fitsMenu(options) ? several : written(several)
}

/** The same with its value written instead of chosen. */
function written(field: Field): Field | undefined {
  if (field.kind !== 'choice' && field.kind !== 'choices') return field
  const several = field.kind === 'choices'
  const how = `One of ${field.options.length} values${several ? ' on each line' : ''}.`
  const long =
    shownValue(field).length > LONGEST_TEXT || field.options.some(({ value }) => /\n/.test(String(value)))
  if (long) return undefined
  return { ...field, kind: several ? 'lines' : 'named', about: cut(`${how} ${field.about}`, LONGEST_HINT) }
}

/** A written value as it stands in its field. */
export function shownValue({ value }: Field): string {
  if (value === undefined) return ''
  return Array.isArray(value) ? value.map(String).join('\n') : String(value)
}

function areScalars(options: readonly Option[]): boolean {
  const values = options.map(({ value }) => value)
  const scalar = values.every((one) => ['string', 'number', 'boolean'].includes(typeof one))
  return scalar && values.length > 0 && new Set(values).size === values.length
}

function fitsMenu(options: readonly Option[]): boolean {
  return (
    options.length <= MOST_OPTIONS && options.every(({ value }) => tokenOf(value).length <= LONGEST_VALUE)
  )
}

function isAmong(options: readonly Option[], value: unknown): boolean {
  return value === undefined || options.some((one) => one.value === value)
}

/** What stands for a value in an option. */
export function tokenOf(value: unknown): string {
  return JSON.stringify(value)
}

/** A field for a kind of text, where Slack has one and what is filled in already is of that kind. */
function textKind(format: unknown, value: unknown): Field['kind'] {
  const kind =
    format === 'date' || format === 'date-time' || format === 'email' || format === 'uri' ? format : 'text'
  return kind === 'text' || value === undefined || isOfKind(kind, String(value)) ? kind : 'text'
}

function isOfKind(kind: 'date' | 'date-time' | 'email' | 'uri', value: string): boolean {
  switch (kind) {
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))
    case 'date-time':
      return /^\d{4}-\d\d-\d\dT/.test(value) && isMoment(secondsOf(value))
    case 'email':
      return value.length <= 320 && /^[^\s@]+@[^\s@]+\.[^\s@.]+$/.test(value)
    case 'uri':
      return /^https?:\/\//i.test(value) && URL.canParse(value)
  }
}

/** Slack's picker of times takes seconds of ten digits: from 2001 to 2286. */
function isMoment(seconds: number): boolean {
  return Number.isInteger(seconds) && String(seconds).length === 10
}

/** A moment as Slack's picker holds it. */
export function secondsOf(moment: string): number {
  return Math.floor(Date.parse(moment) / 1000)
}

/** The ids of the blocks of a form, in their order. */
export function blockIds(form: Form): string[] {
  return 'json' in form ? [JSON_BLOCK] : form.fields.map(blockId)
}

export const JSON_BLOCK = 'json'
export const blockId = (field: Pick<Field, 'name'>) => `arg:${field.name}`

/** Slack shows so much of what is wrong with a field. */
const LONGEST_ERROR = 300

/** What a check has against what was filled in, by block: at the properties it is about, else at the first block. */
export function errorsAt(
  form: Form,
  { why, fields }: { why: string; fields?: ReadonlyMap<string, string> | undefined },
): Record<string, string> {
  const ids = blockIds(form)
  const found = [...(fields ?? [])].flatMap(([name, said]): [string, string][] => {
    const id = blockId({ name })
    return ids.includes(id) ? [[id, cut(said, LONGEST_ERROR)]] : []
  })
  return Object.fromEntries(found.length > 0 ? found : [[ids[0] ?? '', cut(why, LONGEST_ERROR)]])
}

type Read = { args: Record<string, unknown> } | { errors: Record<string, string> }

/** What was filled in as arguments, or what is wrong with it by block. It is not checked against the schema here. */
export function argumentsOf(form: Form, values: Record<string, unknown>): Read {
  if ('json' in form) return readJson(values[JSON_BLOCK])
  const errors: [string, string][] = []
  const args: [string, unknown][] = []
  for (const field of form.fields) {
    const read = readField(field, values[blockId(field)])
    if ('error' in read) errors.push([blockId(field), read.error])
    else if (read.value !== undefined) args.push([field.name, read.value])
  }
  // Members are set whatever their name: `__proto__` is a name like any other.
  return errors.length > 0 ? { errors: Object.fromEntries(errors) } : { args: Object.fromEntries(args) }
}

function readJson(given: unknown): Read {
  try {
    const args: unknown = JSON.parse(String(given ?? ''))
    if (isRecord(args)) return { args }
    return { errors: { [JSON_BLOCK]: 'The arguments must be one JSON object, as {"name": "value"}.' } }
  } catch (error) {
    const why = error instanceof Error ? cut(error.message, 150) : ''
    return { errors: { [JSON_BLOCK]: `This is not valid JSON: ${why}.` } }
  }
}

type Value = { value: unknown } | { error: string }

function readField(field: Field, given: unknown): Value {
  if (field.kind === 'choices' || field.kind === 'lines') return readSeveral(field, given)
  const words = typeof given === 'string' ? given : typeof given === 'number' ? String(given) : ''
  if (field.kind === 'text') {
    const empty = field.required || field.value === '' ? '' : undefined
    return { value: words === '' ? empty : words }
  }
  if (words.trim() === '') return { value: undefined }
  switch (field.kind) {
    case 'choice':
    case 'named':
      return readChoice(field, words)
    case 'number':
      return readNumber(field, words)
    case 'date-time':
      return readMoment(field, words)
    default:
      return isOfKind(field.kind, words.trim()) ? { value: words.trim() } : { error: KINDS[field.kind] }
  }
}

const KINDS = {
  date: 'This must be a date, as 2026-11-30.',
  email: 'This must be an address, as name@example.com.',
  uri: 'This must be a web address, as https://example.com.',
}

function readChoice(field: Field, words: string): Value {
  const found = findOption(field, words)
  if (found) return { value: found.value }
  return { error: field.kind === 'choice' ? 'Choose one of the values.' : 'This is not one of the values.' }
}

/** The option that was chosen, or whose value was written, or else its title. */
function findOption({ kind, options }: Field, words: string): Option | undefined {
  if (kind === 'choice' || kind === 'choices') return options.find(({ value }) => tokenOf(value) === words)
  const plain = words.trim()
  return (
    options.find(({ value }) => String(value) === words) ??
    options.find(({ value }) => String(value) === plain) ??
    options.find(({ title }) => title === plain)
  )
}

function readSeveral(field: Field, given: unknown): Value {
  const list = Array.isArray(given) ? given.map(String) : String(given ?? '').split('\n')
  const words = list.filter((one) => one.trim() !== '')
  const values: unknown[] = []
  for (const one of words) {
    const found = findOption(field, one)
    if (!found) return { error: `${cut(one.trim(), 100)} is not one of the values.` }
    if (!values.includes(found.value)) values.push(found.value)
  }
  const before = Array.isArray(field.value) ? field.value : undefined
  // Slack gives them in its own order.
  if (before && before.length === values.length && before.every((one) => values.includes(one)))
    return { value: before }
  return { value: values.length > 0 || field.required || before ? values : undefined }
}

function readNumber(field: Field, words: string): Value {
  const value = Number(words)
  if (!Number.isFinite(value)) return { error: 'This must be a number.' }
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && value !== field.value)
    return { error: 'This number is too large to be exact.' }
  return { value }
}

function readMoment(field: Field, words: string): Value {
  const seconds = Number(words)
  if (!isMoment(seconds)) return { error: 'Choose a day and a time.' }
  // What was not touched stays as it was written, with its zone and its fractions.
  if (typeof field.value === 'string' && secondsOf(field.value) === seconds) return { value: field.value }
  return { value: new Date(seconds * 1000).toISOString().replace('.000Z', 'Z') }
}

/** About how many bytes the blocks of these fields have. */
function bytesOf(fields: readonly Field[]): number {
  return fields.reduce((sum, field) => {
    const { options, ...rest } = field
    const chosen = field.kind === 'choice' || field.kind === 'choices' ? options : []
    return sum + 400 + Buffer.byteLength(JSON.stringify(rest)) * 2 + weightOf(chosen)
  }, 0)
}

function weightOf(options: readonly Option[]): number {
  return options.reduce((sum, one) => sum + 160 + Buffer.byteLength(JSON.stringify(one)) * 2, 0)
}

function wordsOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

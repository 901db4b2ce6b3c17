import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { editView } from '../../../src/slack/blocks/edit.ts'
import { argumentsOf, blockIds, errorsAt, type Form, formOf } from '../../../src/slack/blocks/form.ts'
import { checkArguments } from '../../../src/tools/check.ts'
import { expectHarmlessView, hostileText } from '../../support/slack-blocks.ts'

const whose = { approval: 'a', channel: 'C1', thread: '1.1' }
const schema = {
  type: 'object',
  properties: {
    what: { type: 'string', description: 'What to order.' },
    count: { type: 'integer' },
    price: { type: 'number' },
    urgent: { type: 'boolean' },
    size: { enum: ['s', 'l', 3] },
  },
  required: ['what'],
}

/** What Slack sends back where nobody touches anything: the initial values, and nothing for an empty field. */
function untouched(form: Form): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const block of editView('s__t', form, whose).blocks) {
    if (block.type !== 'input' || !('element' in block)) continue
    const element = block.element as {
      type: string
      initial_value?: string
      initial_option?: { value: string }
      initial_options?: { value: string }[]
      initial_date?: string
      initial_date_time?: number
    }
    const several = /^(checkboxes|multi_)/.test(element.type)
      ? (element.initial_options ?? []).map((one) => one.value)
      : undefined
    const value =
      several ??
      element.initial_value ??
      element.initial_option?.value ??
      element.initial_date ??
      element.initial_date_time
    if (value !== undefined) values[block.block_id ?? ''] = value
  }
  return values
}

describe('the form of a call', () => {
  test('has a field for each argument, filled in', () => {
    const args = { what: 'ropes', count: 2, urgent: false, size: 3 }
    const form = formOf(schema, args)
    if (!form || !('fields' in form)) throw new Error('no fields')
    expect(blockIds(form)).toEqual(['arg:what', 'arg:count', 'arg:price', 'arg:urgent', 'arg:size'])
    expect(untouched(form)).toEqual({
      'arg:what': 'ropes',
      'arg:count': '2',
      'arg:urgent': 'false',
      'arg:size': '3',
    })
    const view = editView('desk__order', form, whose)
    expectHarmlessView(view)
    expect(JSON.parse(view.private_metadata ?? '')).toEqual(whose)
    expect(view.callback_id).toBe('edit')
  })

  test.each([
    ['something nested', { type: 'object', properties: { list: { type: 'array' } } }, { list: [1] }],
    ['a schema that says nothing', { type: 'object' }, { free: 1 }],
    ['an argument that the schema does not name', schema, { what: 'x', more: 1 }],
    ['a value of another kind', schema, { what: 7 }],
    ['a value that is not among the choices', schema, { what: 'x', size: 'xl' }],
    ['a reference', { type: 'object', properties: { a: { $ref: '#/x' } } }, {}],
  ])('is one text of JSON for %s', (_, of, args) => {
    const form = formOf(of, args)
    expect(form).toEqual({ json: JSON.stringify(args, null, 2) })
    if (form) expectHarmlessView(editView('s__t', form, whose))
  })

  test('is none where the arguments are too long for Slack', () => {
    expect(formOf(schema, { what: 'x'.repeat(3000) })).toHaveProperty('fields')
    expect(formOf(schema, { what: 'x'.repeat(3001) })).toBeUndefined()
    expect(formOf({}, { list: Array.from({ length: 1000 }, () => 'abc') })).toBeUndefined()
  })
})

describe('what was filled in', () => {
  const form = formOf(schema, { what: 'ropes', count: 2 }) as Form

  test('is read by kind; an empty field leaves the argument out', () => {
    const values = {
      'arg:what': 'tar',
      'arg:count': '',
      'arg:price': ' 2.5 ',
      'arg:urgent': 'true',
      'arg:size': '"l"',
    }
    expect(argumentsOf(form, values)).toEqual({
      args: { what: 'tar', price: 2.5, urgent: true, size: 'l' },
    })
    expect(argumentsOf(form, {})).toEqual({ args: { what: '' } })
  })

  test('is refused at its field', () => {
    expect(argumentsOf(form, { 'arg:what': 'x', 'arg:count': 'many', 'arg:size': '"xl"' })).toEqual({
      errors: { 'arg:count': 'This must be a number.', 'arg:size': 'Choose one of the values.' },
    })
    expect(argumentsOf(form, { 'arg:what': 'x', 'arg:count': '9007199254740993' })).toMatchObject({
      errors: { 'arg:count': expect.stringContaining('too large') },
    })
  })

  test('as JSON must be one object', () => {
    const json = { json: '{}' }
    expect(argumentsOf(json, { json: '{"a": [1]}' })).toEqual({ args: { a: [1] } })
    expect(argumentsOf(json, { json: '[1]' })).toMatchObject({
      errors: { json: expect.stringContaining('object') },
    })
    expect(argumentsOf(json, { json: '{' })).toMatchObject({
      errors: { json: expect.stringContaining('not valid') },
    })
    expect(argumentsOf(json, {})).toMatchObject({ errors: { json: expect.any(String) } })
  })
})

const kinds = {
  type: 'object',
  properties: {
    day: { type: 'string', format: 'date' },
    when: { type: 'string', format: 'date-time' },
    mail: { type: 'string', format: 'email' },
    page: { type: 'string', format: 'uri' },
    few: { type: 'array', items: { enum: ['a', 'b', 'c'] } },
    many: {
      type: 'array',
      items: { anyOf: Array.from({ length: 40 }, (_, i) => ({ const: i, title: `No ${i}` })) },
    },
    one: { oneOf: [{ const: 'x', title: 'The first' }, { const: 'y' }] },
    old: { type: 'string', enum: ['s', 'l'], enumNames: ['Small', 'Large'] },
  },
}
const kindsOf = (form: Form | undefined) =>
  form && 'fields' in form ? form.fields.map((field) => `${field.name} ${field.kind}`) : form

describe('kinds of fields', () => {
  test('are taken where Slack has them; what is written stays as it is where nobody touches it', () => {
    const args = {
      day: '2026-11-30',
      when: '2026-11-30T10:00:00.250+02:00',
      mail: 'ana@example.com',
      page: 'https://example.com/x',
      few: ['c', 'a'],
      many: [7, 3],
      one: 'y',
      old: 'l',
    }
    const form = formOf(kinds, args) as Form
    expect(kindsOf(form)).toEqual([
      'day date',
      'when date-time',
      'mail email',
      'page uri',
      'few choices',
      'many choices',
      'one choice',
      'old choice',
    ])
    expectHarmlessView(editView('s__t', form, whose))
    expect(argumentsOf(form, untouched(form))).toEqual({ args })
    expect(JSON.stringify(editView('s__t', form, whose))).toContain('"The first"')
  })

  test('are text where what stands there is of another kind: it must not be lost', () => {
    const args = { day: 'tomorrow', when: '1999-01-01T00:00:00Z', mail: 'nobody', page: 'urn:x' }
    const form = formOf(kinds, args) as Form
    expect((kindsOf(form) as string[]).slice(0, 4)).toEqual([
      'day text',
      'when text',
      'mail text',
      'page text',
    ])
    expectHarmlessView(editView('s__t', form, whose))
    expect(argumentsOf(form, untouched(form))).toEqual({ args })
    expect(formOf(kinds, { few: ['a', 'a'] })).toHaveProperty('json')
    expect(formOf(kinds, { few: ['z'] })).toHaveProperty('json')
  })

  test('ten thousand choices are written, not chosen: by value or by title, and held to the list', () => {
    const anyOf = Array.from({ length: 10_000 }, (_, i) => ({ const: `value ${i}`, title: `Title ${i}` }))
    const large = {
      type: 'object',
      properties: { one: { oneOf: anyOf }, some: { type: 'array', items: { anyOf } } },
    }
    const form = formOf(large, { one: 'value 9999', some: ['value 1'] }) as Form
    expect(kindsOf(form)).toEqual(['one named', 'some lines'])
    const view = editView('s__t', form, whose)
    expectHarmlessView(view)
    expect(JSON.stringify(view).length).toBeLessThan(3_000)
    expect(argumentsOf(form, untouched(form))).toEqual({ args: { one: 'value 9999', some: ['value 1'] } })
    expect(argumentsOf(form, { 'arg:one': 'Title 5', 'arg:some': 'value 2\n\nTitle 3 \nvalue 2' })).toEqual({
      args: { one: 'value 5', some: ['value 2', 'value 3'] },
    })
    expect(argumentsOf(form, { 'arg:one': 'value', 'arg:some': 'value 2\nelse' })).toEqual({
      errors: {
        'arg:one': 'This is not one of the values.',
        'arg:some': 'else is not one of the values.',
      },
    })
  })

  test('ninety menus of a hundred long choices are too large for a modal, and are written', () => {
    const options = Array.from({ length: 100 }, (_, i) => `${i} ${'é'.repeat(60)}`)
    const properties = Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`f${i}`, { enum: options }]))
    const form = formOf({ type: 'object', properties }, {}) as Form
    expect(kindsOf(form)).toContain('f0 named')
    expectHarmlessView(editView('s__t', form, whose))
  })

  test('what a check has against single fields stands at them', () => {
    const form = formOf(schema, { what: 'x' }) as Form
    const checked = checkArguments(schema, { what: 1, count: 2.5 })
    if (checked.ok) throw new Error('it fits')
    expect(errorsAt(form, checked)).toEqual({
      'arg:what': 'This must be string.',
      'arg:count': 'This must be integer.',
    })
    expect(errorsAt(form, { why: 'Nothing is different.' })).toEqual({ 'arg:what': 'Nothing is different.' })
    expect(errorsAt({ json: '{}' }, checked)).toEqual({ json: checked.why })
  })
})

const scalars = fc.oneof(
  { withCrossShrink: true },
  fc.record({ type: fc.constant('string'), value: hostileText }),
  fc.record({ type: fc.constant('number'), value: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
  fc.record({ type: fc.constant('boolean'), value: fc.boolean() }),
  fc.record({ type: fc.constant('array'), value: fc.jsonValue() }),
)
const anyCall = fc.dictionary(fc.oneof(hostileText, fc.constantFrom('a', '__proto__', 'toString')), scalars, {
  maxKeys: 6,
  noNullPrototype: true,
})

test('whatever the arguments: the modal is harmless, and untouched it gives back what it shows', () => {
  fc.assert(
    fc.property(anyCall, hostileText, (call, description) => {
      const entries = Object.entries(call)
      const of = (pick: (one: { type: string; value: unknown }) => unknown) =>
        Object.fromEntries(entries.map(([name, one]) => [name, pick(one)]))
      // As the store keeps arguments.
      const args = JSON.parse(JSON.stringify(of(({ value }) => value)))
      const form = formOf({ type: 'object', properties: of(({ type }) => ({ type, description })) }, args)
      if (!form) return
      expectHarmlessView(editView('s__t', form, whose))
      expect(argumentsOf(form, untouched(form))).toEqual({ args })
    }),
    { numRuns: 500 },
  )
})

test('what cannot be right is told by the schema', () => {
  const read = argumentsOf(formOf(schema, { what: 'x' }) as Form, { 'arg:what': 'x', 'arg:count': '2.5' })
  if (!('args' in read)) throw new Error('it was read')
  expect(checkArguments(schema, read.args)).toMatchObject({
    ok: false,
    why: expect.stringContaining('/count'),
  })
})

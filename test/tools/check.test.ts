import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkArguments } from '../../src/tools/check.ts'

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
const why = (schema: Record<string, unknown>, args: unknown) => {
  const checked = checkArguments(schema, args)
  return checked.ok ? 'ok' : checked.why
}

test('arguments that fit are fine, in each dialect', () => {
  const dialects = [
    undefined,
    'http://json-schema.org/draft-07/schema#',
    'https://json-schema.org/draft/2019-09/schema',
    'https://json-schema.org/draft/2020-12/schema',
    'https://example.com/unheard-of',
  ]
  for (const $schema of dialects) {
    const schema = object(
      { path: { type: 'string' } },
      { required: ['path'], ...($schema ? { $schema } : {}) },
    )
    expect(why(schema, { path: 'a' })).toBe('ok')
    expect(why(schema, { path: 1 })).toBe('The arguments do not fit the schema: /path must be string.')
  }
})

test('each dialect has its own words', () => {
  const tuple = (keyword: string) =>
    object({ pair: { type: 'array', [keyword]: [{ type: 'string' }, { type: 'number' }] } })
  const old = { ...tuple('items'), $schema: 'http://json-schema.org/draft-07/schema#' }
  expect(why(old, { pair: [1, 1] })).toContain('/pair/0 must be string')
  expect(why(tuple('prefixItems'), { pair: [1, 1] })).toContain('/pair/0 must be string')
})

test('a complaint says what would be right', () => {
  const schema = object(
    { path: { type: 'string' }, mode: { enum: ['read', 'write'] } },
    { required: ['path'], additionalProperties: false },
  )
  expect(why(schema, {})).toBe('The arguments do not fit the schema: the arguments must have "path".')
  expect(why(schema, { path: 'a', pth: 'b' })).toContain('must not have "pth" (known: path, mode)')
  expect(why(schema, { path: 'a', mode: 'eat' })).toContain('/mode must be one of ["read","write"]')
})

test('what is no object is refused; nothing at all is an empty object', () => {
  const schema = object({})
  expect(why(schema, undefined)).toBe('ok')
  expect(why(schema, '{"path":')).toContain('not valid JSON')
  expect(why(schema, [])).toContain('one JSON object')
  expect(why(schema, 7)).toContain('one JSON object')
})

test('formats nobody knows are passed over, and arguments stay as they are', () => {
  const schema = object({ when: { type: 'string', format: 'moon-phase', default: 'full' } })
  const args = {}
  expect(why(schema, args)).toBe('ok')
  expect(args).toEqual({})
  expect(why(schema, { when: 'full' })).toBe('ok')
})

test.each([
  ['a type that is none', object({ a: { type: 'strnig' } })],
  ['a reference to elsewhere', object({ a: { $ref: 'https://example.com/s.json' } })],
  ['a reference to nowhere', object({ a: { $ref: '#/$defs/none' } })],
  ['a pattern that is none', object({ a: { type: 'string', pattern: '(' } })],
  ['properties that are none', { type: 'object', properties: 'all' }],
])('a schema with %s is refused, or fits nothing, and does not throw', (_, schema) => {
  expect(typeof why(schema as Record<string, unknown>, { a: 'x' })).toBe('string')
})

test('a broken schema makes the tool unusable', () => {
  expect(why(object({ a: { pattern: '(' } }), { a: 'x' })).toContain('is not usable')
  expect(why(object({ a: { $ref: '#/$defs/none' } }), { a: 'x' })).toContain('is not usable')
})

test('two schemas with one $id do not meet', () => {
  const $id = 'https://example.com/same'
  expect(why({ $id, ...object({ a: { type: 'string' } }) }, { a: 1 })).toContain('/a must be string')
  expect(why({ $id, ...object({ a: { type: 'number' } }) }, { a: 1 })).toBe('ok')
})

test('a pattern that would take for ever is cut short', () => {
  const began = performance.now()
  const schema = object({ a: { type: 'string', pattern: '^(a+)+$' } })
  expect(why(schema, { a: `${'a'.repeat(40)}!` })).toContain('too long to check')
  expect(performance.now() - began).toBeLessThan(3_000)
  expect(why(schema, { a: 'aaa' })).toBe('ok')
})

test('a schema that doubles its work at every level is cut short', () => {
  const $defs: Record<string, unknown> = { d0: { type: 'object' } }
  for (let i = 1; i <= 40; i++) {
    $defs[`d${i}`] = { allOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] }
  }
  const began = performance.now()
  expect(why({ type: 'object', $ref: '#/$defs/d40', $defs }, {})).toMatch(/too long|not usable/)
  expect(performance.now() - began).toBeLessThan(5_000)
})

test('arguments of any depth are answered', () => {
  let deep: unknown = {}
  for (let i = 0; i < 100_000; i++) deep = { deep }
  expect(why(object({}), deep)).toContain('nested too deeply')
})

test('no schema and no arguments make it throw', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (schema, args) => {
      expect(typeof checkArguments(schema, args).ok).toBe('boolean')
    }),
    { numRuns: 50 },
  )
})

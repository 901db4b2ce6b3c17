import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonical, tooDeep } from '../../src/core/canonical.ts'

test('as RFC 8785 writes it', () => {
  const value = {
    '\u20ac': 'Euro',
    '\r': 'CR',
    '1': 'One',
    '\u0080': 'Ctl',
    '\u00f6': 'o',
    '\ud83d\ude00': 'Smile',
    '\ufb33': 'D',
  }
  expect(canonical(value)).toBe(
    '{"\\r":"CR","1":"One","\u0080":"Ctl","\u00f6":"o","\u20ac":"Euro","\ud83d\ude00":"Smile","\ufb33":"D"}',
  )
  expect(canonical({ numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 1e-27, -0] })).toBe(
    '{"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0]}',
  )
})

test('it is JSON, means the same, and does not depend on the order of members', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonical(value)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      expect(canonical(JSON.parse(text))).toBe(text)
      expect(canonical(reversed(value))).toBe(text)
    }),
  )
})

test('different values are written differently', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const same = JSON.stringify(JSON.parse(canonical(a))) === JSON.stringify(JSON.parse(canonical(b)))
      expect(canonical(a) === canonical(b)).toBe(same)
    }),
  )
})

test('what is no JSON is refused, and so is endless nesting', () => {
  for (const value of [undefined, Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 1, [undefined]]) {
    expect(() => canonical(value)).toThrow(TypeError)
  }
  expect(canonical({ a: undefined, b: 1 })).toBe('{"b":1}')
  let deep: unknown = 1
  for (let i = 0; i < 64; i++) deep = [deep]
  expect(tooDeep(deep)).toBe(false)
  expect(canonical(deep)).toContain('1')
  expect(tooDeep([deep])).toBe(true)
  expect(() => canonical([deep])).toThrow(RangeError)
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, v]) => [key, reversed(v)]),
  )
}

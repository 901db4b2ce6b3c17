import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hostFits } from '../../src/core/addresses.ts'
import { reachOf } from '../../src/core/reach.ts'
import { PolicyFile, type Rule } from '../../src/core/rules.ts'

const policy = (tools: Record<string, Rule | Rule[]>) => PolicyFile.parse({ tools })

test('nothing is said where no rule covers the whole server', () => {
  const rules = policy({
    linear__create: { egress: ['a.example.com'], env: ['A'], limits: { at_once: 1 } },
    'linear__*e': { egress: ['a.example.com'] },
    'other__*': { egress: ['b.example.com'] },
  })
  expect(reachOf(rules, 'linear')).toEqual({ limits: {} })
})

test.each(['linear__*', 'linear*', '*', '*__*'])('a rule for %s covers linear', (pattern) => {
  expect(reachOf(policy({ [pattern]: { egress: ['a.example.com'], env: ['A'] } }), 'linear')).toEqual({
    egress: ['a.example.com'],
    env: ['A'],
    limits: {},
  })
})

test('of several rules only what all of them name is left, and the smallest limit holds', () => {
  const rules = policy({
    '*': {
      egress: ['*.example.com', 'b.example.org:443'],
      env: ['PATH', 'A', 'B'],
      limits: { timeout: '2m', result_bytes: 1_000, at_once: 8 },
    },
    'linear__*': [
      {
        egress: ['a.example.com:443', 'b.example.org', 'c.example.net'],
        env: ['B', 'C'],
        limits: { at_once: 2 },
      },
      { limits: { timeout: '30s', tools: 5 } },
    ],
  })
  expect(reachOf(rules, 'linear')).toEqual({
    egress: ['a.example.com:443', 'b.example.org:443'],
    env: ['B'],
    limits: { tools: 5, atOnce: 2 },
  })
})

test('rules that name nothing in common leave nothing', () => {
  const rules = policy({ '*': { egress: ['a.example.com'], env: [] }, 'x__*': { egress: ['b.example.com'] } })
  expect(reachOf(rules, 'x')).toEqual({ egress: [], env: [], limits: {} })
})

test('a rule with a condition speaks of single calls, not of the server', () => {
  const rules = policy({ 'x__*': { when: { id: 1 }, egress: ['a.example.com'], limits: { timeout: '1s' } } })
  expect(reachOf(rules, 'x')).toEqual({ limits: {} })
})

test.each<[string, string, number, boolean]>([
  ['a.example.com', 'a.example.com', 443, true],
  ['a.example.com', 'A.Example.com.', 80, true],
  ['A.Example.com', 'a.example.com', 443, true],
  ['a.example.com:443', 'a.example.com', 8443, false],
  ['*.example.com', 'a.b.example.com', 443, true],
  ['*.example.com', 'example.com', 443, false],
  ['*.example.com', 'badexample.com', 443, false],
  ['example.com', 'example.com.evil.com', 443, false],
  ['127.0.0.1:3000', '127.0.0.1', 3000, true],
])('%s and %s:%i: %s', (entry, host, port, fits) => {
  expect(hostFits(entry, { host, port })).toBe(fits)
})

test('a further rule never lets a server reach more', () => {
  const label = fc.constantFrom('a', 'b', 'c')
  const name = fc.tuple(label, label).map(([a, b]) => `${a}.${b}`)
  const entry = fc
    .tuple(fc.constantFrom('', '*.'), fc.oneof(name, label), fc.constantFrom('', ':80', ':443'))
    .map((parts) => parts.join(''))
  const entries = fc.array(entry, { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(
      entries,
      entries,
      fc.tuple(label, name).map(([a, b]) => `${a}.${b}`),
      (one, two, host) => {
        const both = reachOf(policy({ '*': { egress: one }, 's__*': { egress: two } }), 's').egress ?? []
        for (const port of [80, 443, 8080]) {
          const fits = (list: string[]) => list.some((e) => hostFits(e, { host, port }))
          expect(fits(both)).toBe(fits(one) && fits(two))
        }
      },
    ),
  )
})

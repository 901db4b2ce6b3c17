import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressesIn, hostOf, withinHosts } from '../../src/core/addresses.ts'
import { holds } from '../../src/core/condition.ts'

const args = {
  amount: 50,
  currency: 'EUR',
  to: ['a@example.com', 'b@example.com'],
  mixed: ['a@example.com', 'x@evil.test'],
  deep: { url: 'https://docs.example.com/x' },
  none: null,
  empty: [],
}

test('conditions hold, do not hold, or cannot be told', () => {
  expect(holds('EUR', 'currency', args)).toBe('yes')
  expect(holds(['USD', 'EUR'], 'currency', args)).toBe('yes')
  expect(holds('USD', 'currency', args)).toBe('no')
  expect(holds({ min: 50, max: 50 }, 'amount', args)).toBe('yes')
  expect(holds({ max: 49 }, 'amount', args)).toBe('no')
  expect(holds({ not: ['USD'] }, 'currency', args)).toBe('yes')
  expect(holds({ like: '*@example.com' }, 'to', args)).toBe('yes')
  expect(holds({ host: ['*.example.com'] }, 'deep.url', args)).toBe('yes')
  expect(holds({ host: ['example.com'] }, 'deep.url', args)).toBe('no')
  expect(holds({ given: true }, 'currency', args)).toBe('yes')
  expect(holds({ given: false }, 'missing', args)).toBe('yes')
  expect(holds({ given: false, like: '*' }, 'missing', args)).toBe('unclear')
})

test('what is missing, of another kind or mixed cannot be told', () => {
  for (const path of ['missing', 'currency.length', 'none', 'empty', 'constructor', '__proto__.x'])
    expect([path, holds({ like: '*' }, path, args)]).toEqual([path, 'unclear'])
  expect(holds({ like: '*@example.com' }, 'mixed', args)).toBe('unclear')
  expect(holds({ min: 1 }, 'currency', args)).toBe('unclear')
  expect(holds('50', 'amount', args)).toBe('unclear')
  expect(holds('x', 'a', 'text')).toBe('unclear')
})

test('addresses are found wherever they stand, and read as a browser reads them', () => {
  const hosts = (value: unknown) => addressesIn(value).map(({ host }) => host)
  expect(hosts('https:evil.test/x')).toEqual(['evil.test'])
  expect(hosts('see http:/evil.test')).toEqual(['evil.test'])
  expect(hosts('https://good.test\n@evil.test/x')).toEqual(['good.test', 'evil.test'])
  expect(hosts('https://good.te\tst')).toContain('good.test')
  expect(hosts({ note: 'see https://a.test/x and http://b.test:81' })).toEqual(['a.test', 'b.test'])
  expect(hosts({ url: 'www.c.test/path', list: [{ webhook: 'd.test' }] })).toEqual(['www.c.test', 'd.test'])
  expect(hosts({ path: 'notes.txt', mail: 'ana@example.com' })).toEqual([])
  expect(hosts({ x: 'https://good.test@evil.test/' })).toEqual(['evil.test'])
  expect(hosts({ x: 'https:\\\\evil.test\\good.test' })).toEqual(['evil.test'])
  expect(hosts({ url: '//evil.test/x' })).toEqual(['evil.test'])
  expect(hosts({ x: 'http://2130706433/' })).toEqual(['127.0.0.1'])
  expect(hosts({ x: 'HTTPS://EVIL.test.' })).toEqual(['evil.test'])
})

test('a host is itself, with its port where that is named; a star stands for names below', () => {
  const within = (url: string, ...hosts: string[]) => withinHosts(hostOf(url) ?? { host: '', port: 0 }, hosts)
  expect(within('https://example.com/', 'example.com')).toBe(true)
  expect(within('https://a.b.example.com/', '*.example.com')).toBe(true)
  expect(within('https://example.com/', '*.example.com')).toBe(false)
  expect(within('https://evilexample.com/', '*.example.com', 'example.com')).toBe(false)
  expect(within('http://localhost:8080/', 'localhost:8080')).toBe(true)
  expect(within('http://localhost:8081/', 'localhost:8080')).toBe(false)
  expect(within('https://example.com/', 'example.com:443')).toBe(true)
  fc.assert(
    fc.property(fc.webUrl(), (url) => {
      expect(within(url, new URL(url).hostname)).toBe(true)
    }),
    { numRuns: 300 },
  )
})

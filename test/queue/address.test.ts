import { expect, test } from 'vitest'
import { describeAddress, readAddress } from '../../src/queue/address.ts'

test.each([
  [
    'redis://localhost',
    { kind: 'single', nodes: [{ host: 'localhost', port: 6379 }], tls: false, login: {} },
  ],
  ['rediss://:p%40ss@db.example:7000/3', { kind: 'single', tls: true, db: 3, login: { password: 'p@ss' } }],
  [
    'redis://ada:pw@[::1]:6380',
    { nodes: [{ host: '::1', port: 6380 }], login: { username: 'ada', password: 'pw' } },
  ],
  ['/run/valkey.sock', { kind: 'single', nodes: [{ host: '/run/valkey.sock', port: 0 }] }],
  [
    'redis+sentinel://:pw@a:1,b/mymaster/2',
    {
      kind: 'sentinel',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26379 },
      ],
      master: 'mymaster',
      db: 2,
    },
  ],
  [
    'rediss+cluster://a:1,b',
    {
      kind: 'cluster',
      tls: true,
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 6379 },
      ],
    },
  ],
])('%s is understood', (url, address) => {
  expect(readAddress(url)).toMatchObject(address)
})

test.each(['localhost:6379', 'http://localhost', 'redis://', 'redis+sentinel://a:1', ''])(
  '"%s" is refused with an example',
  (url) => {
    expect(() => readAddress(url)).toThrow(/REDIS_URL is not an address such as redis:/)
  },
)

test('in words it has no password', () => {
  expect(describeAddress(readAddress('redis+cluster://ada:geheim@a:1,b:2'))).toBe('the queue at a:1, b:2')
})

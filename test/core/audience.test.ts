import { expect, test } from 'vitest'
import { audienceOf, readersOf } from '../../src/core/audience.ts'

test('a reply is read by whoever can read its channel, in a direct message by the person alone', () => {
  expect(readersOf({ channel: 'C1', dm: false, asker: 'U1' })).toBe('channel:C1')
  expect(readersOf({ channel: 'D1', dm: true, asker: 'U1' })).toBe('user:U1')
})

test('an audience is a set of scopes', () => {
  expect(audienceOf({ audience: 'everyone' })).toEqual(['everyone'])
  expect(audienceOf({ audience: ['C2', 'C1', 'C2'] })).toEqual(['channel:C1', 'channel:C2'])
  expect(audienceOf({ audience: ['U1', 'G1', 'S1', 'W1'] })).toEqual([
    'channel:G1',
    'group:S1',
    'user:U1',
    'user:W1',
  ])
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { audienceOf, scopes } from '../../src/core/audience.ts'

test('a channel of full members reads what is for everyone and what is for the channel', () => {
  expect(scopes({ channel: 'C1', dm: false, external: false, user: 'U1' })).toEqual([
    'everyone',
    'channel:C1',
  ])
})

test('a channel with outsiders reads only what is for the channel', () => {
  expect(scopes({ channel: 'C1', dm: false, external: true, user: 'U1' })).toEqual(['channel:C1'])
})

test('a direct message reads what is for everyone and for the person, unless the person is an outsider', () => {
  expect(scopes({ channel: 'D1', dm: true, external: false, user: 'U1' })).toEqual(['everyone', 'user:U1'])
  expect(scopes({ channel: 'D1', dm: true, external: true, user: 'U1' })).toEqual(['user:U1'])
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

/** A small workspace: who is a full member, which channels there are, who is in them. */
const world = fc.record({
  full: fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
  channels: fc.array(fc.record({ open: fc.boolean(), members: fc.array(fc.nat(4), { maxLength: 4 }) }), {
    minLength: 1,
    maxLength: 4,
  }),
  sources: fc.array(
    fc.oneof(fc.constant('everyone' as const), fc.array(fc.nat(3), { minLength: 1, maxLength: 3 })),
    { maxLength: 5 },
  ),
  thread: fc.record({ dm: fc.boolean(), channel: fc.nat(3), person: fc.nat(4) }),
})

test('nobody in a thread is shown a source they could not read themselves, in any workspace', () => {
  let shown = 0
  fc.assert(
    fc.property(world, ({ full, channels, sources, thread }) => {
      const people = full.map((_, person) => person)
      // The slow truth, person by person.
      const readsChannel = (person: number, at: number) => {
        const channel = channels[at % channels.length]
        return channel?.members.includes(person) || (channel?.open === true && full[person] === true)
      }
      const readsSource = (person: number, source: 'everyone' | number[]) =>
        source === 'everyone' ? full[person] === true : source.some((at) => readsChannel(person, at))
      const asker = thread.person % people.length
      const readers = thread.dm ? [asker] : people.filter((person) => readsChannel(person, thread.channel))

      const granted = scopes({
        channel: `C${thread.channel % channels.length}`,
        dm: thread.dm,
        external: readers.some((person) => full[person] !== true),
        user: `U${asker}`,
      })
      for (const source of sources) {
        const audience = audienceOf({
          audience: source === 'everyone' ? source : source.map((at) => `C${at % channels.length}`),
        })
        if (!audience.some((scope) => granted.includes(scope))) continue
        shown += 1
        for (const reader of readers) expect(readsSource(reader, source)).toBe(true)
      }
    }),
    { numRuns: 2000 },
  )
  expect(shown).toBeGreaterThan(100)
})

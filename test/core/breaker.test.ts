import fc from 'fast-check'
import { expect, test } from 'vitest'
import { admits, type Breaker, begin, FRESH, type Outcome, settle } from '../../src/core/breaker.ts'

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constantFrom<Outcome>('worked', 'failed', 'nothing'),
  fc.record({ busyMs: fc.integer({ min: 0, max: 100_000 }) }),
)
/** Time passes, a call begins if it may, or the n-th call under way ends. */
type Event = { wait: number } | 'begin' | { end: number; outcome: Outcome }
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ wait: fc.integer({ min: 0, max: 5_000 }) }),
  fc.constant('begin' as const),
  fc.record({ end: fc.nat(5), outcome }),
)

type Call = { tried: boolean }

/** Plays events against a breaker; `see` looks at it after each. */
function play(events: Event[], see: (breaker: Breaker, now: number, calls: Call[]) => void) {
  let breaker = FRESH
  let now = 0
  const calls: Call[] = []
  for (const one of events) {
    if (one === 'begin') {
      if (!admits(breaker, now)) continue
      calls.push({ tried: breaker.state === 'open' })
      breaker = begin(breaker)
    } else if ('wait' in one) now += one.wait
    else {
      const [call] = calls.splice(one.end % Math.max(1, calls.length), 1)
      if (call) breaker = settle(breaker, one.outcome, now, call.tried)
    }
    see(breaker, now, calls)
  }
  return { breaker, now, calls }
}

test('half-open admits one: never two calls find out at once', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      play(events, (breaker, now, calls) => {
        if (breaker.state === 'trying') expect(admits(breaker, now)).toBe(false)
        expect(calls.filter(({ tried }) => tried).length).toBeLessThanOrEqual(
          breaker.state === 'trying' ? 1 : calls.length,
        )
      })
    }),
    { numRuns: 500 },
  )
})

test('it never locks: once all calls have ended and time has passed, a call is admitted', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let { breaker, now, calls } = play(events, () => {})
      for (const { tried } of calls) breaker = settle(breaker, 'nothing', now, tried)
      now += 60_001
      expect(admits(breaker, now)).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('what says nothing about the server never opens it', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom<Outcome>('nothing', 'worked'), { maxLength: 40 }), (outcomes) => {
      const breaker = outcomes.reduce<Breaker>((at, one) => settle(at, one, 0, false), FRESH)
      expect(breaker.state).toBe('closed')
    }),
  )
})

test('three failures in a row open it, one that works in between does not', () => {
  const after = (...outcomes: Outcome[]) =>
    outcomes.reduce<Breaker>((at, one) => settle(at, one, 100, false), FRESH)
  expect(after('failed', 'failed').state).toBe('closed')
  expect(after('failed', 'failed', 'worked', 'failed', 'failed').state).toBe('closed')
  expect(after('failed', 'failed', 'nothing', 'failed')).toMatchObject({ state: 'open', until: 1_100 })
})

test('each time the one call fails it stays open twice as long, up to a minute', () => {
  let breaker: Breaker = { state: 'open', until: 0, times: 1, busyUntil: 0 }
  let now = 0
  const waits: number[] = []
  for (let i = 0; i < 8; i += 1) {
    breaker = settle(begin(breaker), 'failed', now, true)
    if (breaker.state !== 'open') throw new Error('open')
    waits.push(breaker.until - now)
    now = breaker.until
  }
  expect(waits).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  expect(settle(begin(breaker), 'worked', now, true)).toMatchObject({ state: 'closed', fails: 0 })
})

test('a call that began before it opened says nothing to it', () => {
  const trying = begin({ state: 'open', until: 0, times: 2, busyUntil: 0 })
  expect(settle(trying, 'worked', 10, false)).toBe(trying)
  expect(settle(trying, 'failed', 10, false)).toBe(trying)
})

test('a server that asks for patience is left alone so long, and is alive', () => {
  const busy = settle(
    begin({ state: 'open', until: 0, times: 3, busyUntil: 0 }),
    { busyMs: 700 },
    1_000,
    true,
  )
  expect(busy).toEqual({ state: 'closed', fails: 0, busyUntil: 1_700 })
  expect(admits(busy, 1_699)).toBe(false)
  expect(admits(busy, 1_700)).toBe(true)
})

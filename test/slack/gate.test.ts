/** The gate before a method: never more than its limit, the most important first, nobody forgotten. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CHAT_METHODS } from '../../src/demo/workspace/chat-methods.ts'
import { CONVERSATION_METHODS } from '../../src/demo/workspace/conversation-methods.ts'
import { FILE_METHODS } from '../../src/demo/workspace/file-methods.ts'
import { GROUP_METHODS } from '../../src/demo/workspace/group-methods.ts'
import { SESSION_METHODS } from '../../src/demo/workspace/sessions.ts'
import { STREAM_METHODS } from '../../src/demo/workspace/stream.ts'
import { TEAM_METHODS } from '../../src/demo/workspace/team-methods.ts'
import { VIEW_METHODS } from '../../src/demo/workspace/view-methods.ts'
import { METHODS } from '../../src/slack/call.ts'
import { type Clock, LIMITS, openGate } from '../../src/slack/gate.ts'

/** A clock that goes only when it is told to. */
function handClock() {
  let at = 0
  const timers = new Map<object, { at: number; then: () => void }>()
  const clock: Clock = {
    now: () => at,
    after(ms, then) {
      const timer = { [Symbol.dispose]() {}, [Symbol.toPrimitive]: () => 0 } as unknown as NodeJS.Timeout
      timers.set(timer, { at: at + Math.max(0, ms), then })
      return timer
    },
  }
  return {
    clock,
    /** Every timer until then, in order. */
    async go(ms: number) {
      const until = at + ms
      for (;;) {
        const next = [...timers].filter(([, one]) => one.at <= until).sort(([, a], [, b]) => a.at - b.at)[0]
        if (!next) break
        timers.delete(next[0])
        at = Math.max(at, next[1].at)
        next[1].then()
        await Promise.resolve()
      }
      at = until
    },
  }
}

const never = new AbortController().signal
const forever = Number.POSITIVE_INFINITY
const RANKS = [1, 0.96, 0.92, 0.6, 0.8]

describe('whatever is asked for', () => {
  const deeds = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ ask: fc.nat(4) }) },
      { weight: 3, arbitrary: fc.record({ pass: fc.nat(20_000) }) },
      { weight: 1, arbitrary: fc.record({ hit: fc.integer({ min: 1_000, max: 60_000 }) }) },
    ),
    { maxLength: 250 },
  )

  test.each(['post', '1', '2', '3'] as const)(
    'the limit of %s is kept, and everybody has their turn',
    async (tier) => {
      const limit = LIMITS[tier]
      await fc.assert(
        fc.asyncProperty(deeds, async (all) => {
          const { clock, go } = handClock()
          const gate = openGate(limit, clock)
          const went: number[] = []
          let closedUntil = 0
          let asked = 0
          for (const deed of all) {
            if ('pass' in deed) await go(deed.pass)
            else if ('hit' in deed) {
              gate.hit(deed.hit)
              closedUntil = Math.max(closedUntil, clock.now() + deed.hit)
            } else {
              asked += 1
              const until = closedUntil
              void gate.turn(RANKS[deed.ask] ?? 1, deed.ask, forever, never).then(() => {
                went.push(clock.now())
                gate.leave()
                expect(clock.now()).toBeGreaterThanOrEqual(until)
              })
            }
            await Promise.resolve()
          }
          for (let i = 0; went.length < asked && i < 10_000; i++) await go(60_000)
          expect(went).toHaveLength(asked)
          went.forEach((at, i) => {
            expect(went.filter((other, j) => j >= i && other < at + limit.ms).length).toBeLessThanOrEqual(
              limit.calls,
            )
          })
        }),
        { numRuns: 60 },
      )
    },
  )
})

test('of those who wait the most important goes first, and of equals who came first', async () => {
  const { clock, go } = handClock()
  const gate = openGate(LIMITS.post, clock)
  const went: string[] = []
  for (let i = 0; i < 3; i++) await gate.turn(1, 0, forever, never)
  for (const name of ['progress 1', 'error', 'progress 2', 'answer', 'approval']) {
    const rank = ['approval', 'answer', 'error', 'progress'].findIndex((one) => name.startsWith(one))
    void gate.turn(1, rank, forever, never).then(() => went.push(name))
  }
  await go(20_000)
  expect(went).toEqual(['approval', 'answer', 'error', 'progress 1', 'progress 2'])
})

test('progress leaves room: when it has used its share, an answer still goes at once', async () => {
  const { clock } = handClock()
  const gate = openGate(LIMITS[3], clock)
  let went = 0
  for (let i = 0; i < 60; i++) void gate.turn(0.6, 3, forever, never).then(() => (went += 1))
  await Promise.resolve()
  expect(went).toBe(30)
  expect(gate.calm(0.96)).toBe(false)
  expect(await gate.turn(0.96, 1, 0, never)).toBe('now')
})

test('after a limit half of it is used, for others use it too; then the whole again', async () => {
  const { clock, go } = handClock()
  const gate = openGate(LIMITS[2], clock)
  const inAMinute = async () => {
    let went = 0
    const stop = new AbortController()
    for (let i = 0; i < 40; i++)
      void gate.turn(1, 0, forever, stop.signal).then((how) => {
        if (how !== 'now') return
        went += 1
        gate.leave()
      })
    await go(60_000)
    stop.abort()
    await go(600_000)
    return went
  }
  expect(await inAMinute()).toBe(20)
  gate.hit(1_000)
  expect(await inAMinute()).toBe(10)
  expect(await inAMinute()).toBe(20)
})

test('who does not want to wait longer goes, and leaves their place', async () => {
  const { clock, go } = handClock()
  const gate = openGate(LIMITS[1], clock)
  await gate.turn(1, 0, forever, never)
  const impatient = gate.turn(1, 0, 5_000, never)
  const patient = gate.turn(1, 1, forever, never)
  await go(5_000)
  expect(await impatient).toBe('late')
  await go(60_000)
  expect(await patient).toBe('now')
  expect(await gate.turn(1, 0, forever, AbortSignal.abort())).toBe('closed')
})

test('every method that is called has the tier that Slack gives it', () => {
  const methods = {
    ...CHAT_METHODS,
    ...CONVERSATION_METHODS,
    ...FILE_METHODS,
    ...GROUP_METHODS,
    ...SESSION_METHODS,
    ...STREAM_METHODS,
    ...TEAM_METHODS,
    ...VIEW_METHODS,
  }
  for (const [name, { tier }] of Object.entries(METHODS))
    expect([name, methods[name]?.tier]).toEqual([name, tier === 'free' ? 'none' : tier])
})

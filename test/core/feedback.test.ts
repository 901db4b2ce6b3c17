import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isRephrased, ratingValue, readRating, signalsIn } from '../../src/core/feedback.ts'
import type { Step } from '../../src/core/run.ts'

test('the same question in other words is known as such, another question is not', () => {
  const same = [
    ['how do we roll back a deploy?', 'how to roll a deployment back'],
    ['wer hat heute Bereitschaft?', 'Bereitschaft heute'],
    ['ロールバックの手順は？', 'ロールバックの方法'],
    ['who is on call', 'who is on call'],
    ['SEV2?', 'what is a SEV2'],
  ] as const
  const other = [
    ['how do we roll back a deploy?', 'how do we order a cake?'],
    ['who is on call?', 'thanks'],
    ['', 'anything'],
  ] as const
  for (const [before, now] of same) expect(isRephrased(before, now), `${before} / ${now}`).toBe(true)
  for (const [before, now] of other) expect(isRephrased(before, now), `${before} / ${now}`).toBe(false)
})

test('whatever is asked: the same again is a rephrasing where it has words, and the order does not matter', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
      expect(isRephrased(a, b)).toBe(isRephrased(b, a))
      if (/[a-z]/.test(a)) expect(isRephrased(a, a)).toBe(true)
    }),
  )
})

test('what people did in a run: edited, denied, gave up; what others stopped is no sign of theirs', () => {
  const at = '2026-11-02T10:00:00.000Z'
  const asked: Step = { kind: 'asked', at, user: 'U1', text: 'q', ts: '1.1' }
  const decided = (outcome: 'edited' | 'rejected' | 'expired' | 'approved', by?: string): Step => ({
    kind: 'decided',
    at,
    approval: 'a',
    outcome,
    ...(by ? { by } : {}),
  })
  const stopped = (by: string): Step => ({ kind: 'stopped', at, by, why: '' })
  const of = (...steps: Step[]) =>
    signalsIn([asked, ...steps]).map(({ person, signal }) => `${person} ${signal}`)
  expect(of(decided('edited', 'U2'), decided('rejected', 'U3'), decided('approved', 'U4'))).toEqual([
    'U2 edited',
    'U3 denied',
  ])
  expect(of(decided('expired'))).toEqual(['U1 abandoned'])
  expect(of(stopped('U1'))).toEqual(['U1 abandoned'])
  expect(of(stopped('U9'))).toEqual([])
  expect(signalsIn([])).toEqual([])
})

test('a thumb holds its run, and nothing else is one', () => {
  const run = '0f0e0d0c-0000-4000-8000-000000000001'
  expect(readRating(ratingValue('down', run))).toEqual({ rating: 'down', run })
  for (const wrong of ['', 'up', `left ${run}`, `up ${run} `, `up ${run.slice(1)}`])
    expect(readRating(wrong)).toBeUndefined()
})

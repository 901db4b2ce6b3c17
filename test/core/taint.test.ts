import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Step, StepOf } from '../../src/core/run.ts'
import { taintOf, taintOfPast, tellTaint } from '../../src/core/taint.ts'

const at = '2026-11-24T10:00:00.000Z'
const asked: Step = { kind: 'asked', at, user: 'UANA', text: 'q', ts: '1.1' }
const passage = { n: 1, passage: 'p', title: 't', heading: '', text: 'x' }
const recalled = (passages = [passage]): Step => ({
  kind: 'recalled',
  at,
  query: 'q',
  passages,
  sources: 1,
  ms: 1,
})
const proposed: Step = {
  kind: 'proposed',
  at,
  call: { id: 'c1', tool: 'mail__search', args: {} },
  verdict: 'allow',
  why: '',
}
const returned = (trusted?: boolean): Step => ({
  kind: 'returned',
  at,
  call: 'c1',
  outcome: 'succeeded',
  text: 'r',
  ms: 1,
  ...(trusted === undefined ? {} : { trusted }),
})
const steered = (user: string): Step => ({ kind: 'steered', at, user, text: 'x', ts: '1.2' })

test('passages, results and other people taint; the requester, empty recalls and trusted results do not', () => {
  expect(taintOf([asked, recalled([]), steered('UANA'), proposed, returned(true)])).toEqual([])
  expect(taintOf([asked, recalled()])).toEqual([{ from: 'passages' }])
  expect(taintOf([asked, steered('UBEN')])).toEqual([{ from: 'people' }])
  expect(taintOf([asked, proposed, returned()])).toEqual([{ from: 'tool', what: 'mail__search' }])
})

test('the past of a thread and whatever started a run pass their taint on', () => {
  expect(taintOfPast([], 'UANA')).toEqual([])
  expect(taintOfPast([{ user: 'UANA', tainted: false }], 'UANA')).toEqual([])
  expect(taintOfPast([{ user: 'UBEN', tainted: false }], 'UANA')).toEqual([{ from: 'people' }])
  expect(taintOfPast([{ user: 'UANA', tainted: true }], 'UANA')).toEqual([{ from: 'thread' }])
  const parent = taintOf([asked, recalled()])
  expect(taintOf([asked], parent)).toEqual(parent)
})

test('taint never clears, whatever comes after', () => {
  const called = (trusted?: boolean) => [proposed, returned(trusted)]
  const any = fc.constantFrom(
    [recalled()],
    [recalled([])],
    called(),
    called(true),
    [steered('UBEN')],
    [steered('UANA')],
  )
  fc.assert(
    fc.property(fc.array(any), fc.array(any), (before, after) => {
      const had = taintOf([asked, ...before.flat()])
      const has = taintOf([asked, ...before.flat(), ...after.flat()])
      for (const one of had) expect(has).toContainEqual(one)
    }),
  )
})

test('in words', () => {
  expect(tellTaint([{ from: 'passages' }])).toBe('pages of the team')
  expect(tellTaint([{ from: 'passages' }, { from: 'tool', what: 'mail__search' }, { from: 'people' }])).toBe(
    'pages of the team, the result of search and messages of other people',
  )
})

test('what others said before, what is quoted, and files taint; what the asker said themself does not', () => {
  const said = (from: string, quotes?: boolean) =>
    ({ from, by: 'person', ts: '1.0', text: 'x', ...(quotes ? { quotes } : {}) }) as const
  const read = (more: Partial<StepOf<'read'>>): Step => ({
    kind: 'read',
    at,
    of: 1,
    files: [],
    ms: 1,
    ...more,
  })
  expect(taintOf([asked, read({ said: [said('UANA')] })])).toEqual([])
  expect(taintOf([asked, read({ said: [said('UANA'), said('UBEN')] })])).toEqual([{ from: 'people' }])
  expect(taintOf([asked, read({ said: [said('UANA', true)] })])).toEqual([{ from: 'people' }])
  expect(taintOf([asked, read({ files: [{ name: 'a', from: 'UANA', why: 'it is empty' }] })])).toEqual([])
  expect(taintOf([asked, read({ files: [{ name: 'a', from: 'UANA', text: 'x' }] })])).toEqual([
    { from: 'files' },
  ])
  expect(taintOf([{ ...asked, quoted: 'x' } as Step])).toEqual([{ from: 'people' }])
})

test('a question that a server asked in vain taints, also where the result is empty', () => {
  const empty = { ...(returned() as StepOf<'returned'>), text: '' }
  expect(taintOf([asked, proposed, empty])).toEqual([])
  expect(taintOf([asked, proposed, { ...empty, asked: '“Which branch?”' }])).toEqual([
    { from: 'tool', what: 'mail__search' },
  ])
})

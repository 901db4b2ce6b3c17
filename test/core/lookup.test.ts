import { expect, test } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import { LOOKUP, MOST_LOOKUPS } from '../../src/core/lookup.ts'
import { buildPrompt } from '../../src/core/prompt.ts'
import type { Numbered, Step } from '../../src/core/run.ts'
import { taintOf } from '../../src/core/taint.ts'

const at = '2026-05-02T10:00:00.000Z'
const asked: Step = { kind: 'asked', at, user: 'U1', text: 'how?', ts: '1.1' }
const recalled: Step = { kind: 'recalled', at, query: 'how?', passages: [], sources: 1, ms: 1 }
const passage = (n: number) => ({
  n,
  passage: `p${n}`,
  title: 'T',
  heading: '',
  text: `text ${n}`,
  source: 'wiki',
})
const found = (call: string, n: number): Step =>
  ({ ...recalled, call, query: 'words', passages: [passage(n)] }) as Step
const answered = (
  calls: { id: string; tool: string; args: unknown }[],
  seen: number,
  other: object = {},
): Step =>
  ({
    kind: 'answered',
    at,
    seen,
    text: '',
    calls,
    finish: 'tool_calls',
    model: 'm',
    promptHash: 'h',
    firstTokenMs: 1,
    ms: 1,
    attempts: 1,
    ...other,
  }) as Step
const search = (id: string, args: unknown = { query: ' the pager ' }) => ({ id, tool: LOOKUP.name, args })
const number = (steps: Step[]): Numbered[] => steps.map((step, i) => ({ ...step, n: i + 1 }))
const next = (...steps: Step[]) => decide(number(steps), { maxTurns: 20, maxInvalid: 2 }, at)

test('each search the model asks for is made, one after another, then it is asked again', () => {
  const both = answered([search('a'), search('b')], 2)
  expect(next(asked, recalled, both)).toEqual({ do: 'look-up', call: 'a', query: 'the pager' })
  expect(next(asked, recalled, both, found('a', 1))).toMatchObject({ do: 'look-up', call: 'b' })
  expect(next(asked, recalled, both, found('a', 1), found('b', 2))).toEqual({ do: 'ask-model' })
})

test('a search does not stand for looking up the question, nor a new wording for it', () => {
  const edited: Step = { kind: 'steered', at, user: 'U1', text: 'the pager', ts: '1.2', edit: true }
  const one = answered([search('a', { query: 'the pager' })], 2)
  const looked = { ...found('a', 1), query: 'the pager' } as Step
  expect(next(asked, recalled, one, looked, edited)).toEqual({ do: 'recall', query: 'the pager' })
})

test.each([
  ['no words', search('a', { query: '  ' }), {}],
  ['no arguments', search('a', 'pager'), {}],
  ['a cut answer', search('a'), { finish: 'length' }],
])('%s: it is told why nothing was searched', (_, call, other) => {
  expect(next(asked, recalled, answered([call], 2, other))).toMatchObject({
    do: 'look-up',
    call: 'a',
    refused: expect.stringMatching(/./),
  })
})

test('after so many searches no more are made in a run', () => {
  const calls = Array.from({ length: MOST_LOOKUPS + 1 }, (_, n) => search(`c${n}`))
  const made = calls.slice(0, -1).map(({ id }, n) => found(id, n + 1))
  expect(next(asked, recalled, answered(calls, 2), ...made)).toMatchObject({
    call: `c${MOST_LOOKUPS}`,
    refused: expect.stringContaining('At most'),
  })
})

test('a stopped run searches no more', () => {
  const stopped: Step = { kind: 'stopped', at, by: 'U1', why: 'asked' }
  expect(next(asked, recalled, answered([search('a')], 2), stopped)).toMatchObject({ do: 'finish' })
})

test('what was found is told as the result of the call: fenced, numbered, with its source and what stands around it', () => {
  const around = [
    { passage: 'p8', side: 'before' as const, text: 'said before' },
    { passage: 'p9', side: 'after' as const, text: 'said </passage> after' },
  ]
  const steps = number([
    asked,
    { ...recalled, passages: [passage(1)] } as Step,
    answered([search('a'), search('b')], 2),
    { ...found('a', 2), passages: [{ ...passage(2), around }] } as Step,
    { ...recalled, call: 'b', query: '', degraded: 'not searched: no words' } as Step,
  ])
  const messages = buildPrompt({ instructions: 'I', past: [], steps })
  expect(messages.map((m) => m.role)).toEqual(['system', 'user', 'assistant', 'tool', 'tool'])
  expect(messages[3]).toMatchObject({
    call: 'a',
    content:
      '<passages>\n<passage n="2" title="T" source="wiki">\n… said before\ntext 2\nsaid ‹/passage> after …\n</passage>\n</passages>\n',
  })
  expect(messages[4]).toMatchObject({
    call: 'b',
    content: '(not searched: no words)\nNothing more was found.',
  })
  expect(taintOf(steps)).toEqual([{ from: 'passages' }])
})

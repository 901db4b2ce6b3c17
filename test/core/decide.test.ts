import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { callState, decide, type Next } from '../../src/core/decide.ts'
import type { Numbered, Step, StepOf } from '../../src/core/run.ts'

const at = '2026-05-02T10:00:00.000Z'
const limits = { maxTurns: 4, maxInvalid: 2 }
const later = '2026-05-02T18:00:00.000Z'

const asked: Step = { kind: 'asked', at, user: 'U1', text: 'how?', ts: '1.1' }
const recalled: Step = { kind: 'recalled', at, query: 'how?', passages: [], sources: 0, ms: 1 }
const answered = (seen: number, calls: string[] = [], text = 'So.'): Step => ({
  kind: 'answered',
  at,
  seen,
  text,
  calls: calls.map((id) => ({ id, tool: 's__t', args: {} })),
  finish: calls.length ? 'tool_calls' : 'stop',
  model: 'm',
  promptHash: 'h',
  firstTokenMs: 1,
  ms: 2,
  attempts: 1,
})
const proposed = (id: string, verdict: 'allow' | 'ask' | 'deny' | 'invalid', expires = later): Step => ({
  kind: 'proposed',
  at,
  call: { id, tool: 's__t', args: {} },
  verdict,
  why: 'because',
  ...(verdict === 'allow' || verdict === 'ask' ? { approval: `a-${id}`, expires } : {}),
})
const shown = (id: string): Step => ({ kind: 'shown', at, approval: `a-${id}`, ts: '2.1' })
const decided = (id: string, outcome: StepOf<'decided'>['outcome']): Step => ({
  kind: 'decided',
  at,
  approval: `a-${id}`,
  outcome,
})
const started = (id: string): Step => ({ kind: 'started', at, call: id, tool: 's__t' })
const returned = (id: string, outcome: 'succeeded' | 'failed' | 'unknown' | 'input' = 'succeeded'): Step => ({
  kind: 'returned',
  at,
  call: id,
  outcome,
  text: 'ok',
  ms: 1,
})
/** Proposed in the place of another. */
const instead = (id: string, of: string, other: object = {}): Step =>
  ({ ...proposed(id, 'ask'), replaces: of, ...other }) as Step
const steered: Step = { kind: 'steered', at, user: 'U2', text: 'also', ts: '1.2' }
const edited: Step = { kind: 'steered', at, user: 'U1', text: 'how long?', ts: '1.3', edit: true }
const stopped: Step = { kind: 'stopped', at, by: 'U1', why: 'asked' }
const finished: Step = { kind: 'finished', at, outcome: 'answered', text: 'So.' }

const number = (steps: Step[]): Numbered[] => steps.map((step, i) => ({ ...step, n: i + 1 }))
const next = (...steps: Step[]) => decide(number(steps), limits, '2026-05-02T11:00:00.000Z')

describe('what comes next', () => {
  const asking = [asked, recalled, answered(2, ['c'])]
  const table: [string, Step[], Partial<Next>][] = [
    ['a question is looked up first', [asked], { do: 'recall', query: 'how?' }],
    ['then the model is asked', [asked, recalled], { do: 'ask-model' }],
    [
      'an answer without calls ends it',
      [asked, recalled, answered(2)],
      { do: 'finish', outcome: 'answered', text: 'So.' },
    ],
    ['nothing follows the end', [asked, recalled, answered(2), finished], { do: 'nothing' }],
    [
      'a word the answer did not see is answered',
      [asked, recalled, steered, answered(2)],
      { do: 'ask-model' },
    ],
    [
      'a word the answer saw is not',
      [asked, recalled, steered, answered(3)],
      { do: 'finish', outcome: 'answered' },
    ],
    ['a new wording is looked up too', [asked, recalled, edited], { do: 'recall', query: 'how long?' }],
    [
      'once looked up, the model is asked',
      [asked, recalled, edited, { ...recalled, query: 'how long?' } as Step],
      { do: 'ask-model' },
    ],
    ['an allowed call runs', [...asking, proposed('c', 'allow')], { do: 'run-tool', approval: 'a-c' }],
    [
      'a call to ask about is shown and waited for',
      [...asking, proposed('c', 'ask')],
      { do: 'wait', until: later },
    ],
    [
      'once shown it is only waited for',
      [...asking, proposed('c', 'ask'), shown('c')],
      { do: 'wait', show: [] },
    ],
    [
      'its time over, it expires',
      [...asking, proposed('c', 'ask', at), shown('c')],
      { do: 'expire', approval: 'a-c' },
    ],
    [
      'approved, it runs',
      [...asking, proposed('c', 'ask'), shown('c'), decided('c', 'approved')],
      { do: 'run-tool' },
    ],
    [
      'rejected, the model is told',
      [...asking, proposed('c', 'ask'), decided('c', 'rejected')],
      { do: 'ask-model' },
    ],
    [
      'expired, the model is told',
      [...asking, proposed('c', 'ask'), decided('c', 'expired')],
      { do: 'ask-model' },
    ],
    [
      'void after approval, the model is told',
      [...asking, proposed('c', 'ask'), decided('c', 'approved'), decided('c', 'void')],
      { do: 'ask-model' },
    ],
    ['denied, the model is told', [...asking, proposed('c', 'deny')], { do: 'ask-model' }],
    [
      'begun and not come back, it is unknown',
      [...asking, proposed('c', 'allow'), started('c')],
      { do: 'settle-unknown' },
    ],
    [
      'come back, the model is asked',
      [...asking, proposed('c', 'allow'), started('c'), returned('c')],
      { do: 'ask-model' },
    ],
    [
      'what may run does not wait for what may not yet',
      [asked, recalled, answered(2, ['c', 'd']), proposed('c', 'ask'), proposed('d', 'allow')],
      { do: 'run-tool', approval: 'a-d' },
    ],
    [
      'a stop ends it, whatever waits',
      [...asking, proposed('c', 'ask'), stopped],
      { do: 'finish', outcome: 'stopped' },
    ],
    ['a stop before anything ends it', [asked, stopped], { do: 'finish', outcome: 'stopped' }],
    [
      'a stop does not hide an unknown call',
      [...asking, proposed('c', 'allow'), started('c'), stopped],
      { do: 'settle-unknown' },
    ],
    [
      'one of several yeses is not enough',
      [...asking, proposed('c', 'ask'), shown('c'), decided('c', 'counted')],
      { do: 'wait', show: [], until: later },
    ],
    [
      'the last yes is',
      [...asking, proposed('c', 'ask'), decided('c', 'counted'), decided('c', 'approved')],
      { do: 'run-tool', approval: 'a-c' },
    ],
    [
      'edited, the new call waits in its place',
      [...asking, proposed('c', 'ask'), shown('c'), decided('c', 'edited'), instead('d', 'c')],
      { do: 'wait', show: [{ call: { id: 'd' } }] as never },
    ],
    [
      'a lost call waits for a person, on a card',
      [...asking, proposed('c', 'allow'), started('c'), returned('c', 'unknown')],
      { do: 'wait', show: [{ call: { id: 'c' } }] as never, until: later },
    ],
    [
      'a person says what became of it, and the model is told',
      [...asking, proposed('c', 'allow'), started('c'), returned('c', 'unknown'), decided('c', 'done')],
      { do: 'ask-model' },
    ],
    [
      'nobody says anything in time, and the model is told that',
      [...asking, proposed('c', 'allow'), started('c'), returned('c', 'unknown'), decided('c', 'expired')],
      { do: 'ask-model' },
    ],
    [
      'run again, it waits for a new yes',
      [
        ...[
          ...asking,
          proposed('c', 'ask'),
          decided('c', 'approved'),
          started('c'),
          returned('c', 'unknown'),
        ],
        ...[shown('c'), decided('c', 'again'), instead('d', 'c', { attempt: 2 })],
      ],
      { do: 'wait', show: [{ call: { id: 'd' } }] as never },
    ],
    ['an invalid call goes back', [...asking, proposed('c', 'invalid')], { do: 'ask-model' }],
  ]
  test.each(table)('%s', (_, steps, expected) => expect(next(...steps)).toMatchObject(expected))

  test('a call that does not fit goes back twice, then the run is refused', () => {
    const bad = (id: string, seen: number) => [answered(seen, [id]), proposed(id, 'invalid')]
    expect(next(asked, recalled, ...bad('c', 2), ...bad('d', 4))).toMatchObject({ do: 'ask-model' })
    expect(next(asked, recalled, ...bad('c', 2), ...bad('d', 4), ...bad('e', 6))).toMatchObject({
      do: 'refuse',
      code: 'invalid-calls',
    })
  })

  test('rounds are limited', () => {
    const round = (id: string, seen: number) => [answered(seen, [id]), proposed(id, 'deny')]
    const steps = [asked, recalled, ...round('a', 2), ...round('b', 4), ...round('c', 6), ...round('d', 8)]
    expect(next(...steps)).toMatchObject({ do: 'refuse', code: 'too-many-turns' })
  })

  test('a stop tells what was done and what was not', () => {
    const steps = [
      asked,
      recalled,
      answered(2, ['c', 'd']),
      proposed('c', 'allow'),
      proposed('d', 'ask'),
      started('c'),
      returned('c'),
      stopped,
    ]
    const end = next(...steps)
    expect(end).toMatchObject({ do: 'finish', text: 'Stopped. Done before that: t. Not done: t.' })
  })

  test('the wait for word about a lost call ends after hours, not never', () => {
    const lost = [asked, recalled, answered(2, ['c']), proposed('c', 'allow'), started('c')]
    const steps = number([...lost, returned('c', 'unknown'), shown('c')])
    expect(decide(steps, limits, '2026-05-02T17:59:59.000Z')).toMatchObject({ do: 'wait', show: [] })
    expect(decide(steps, limits, later)).toEqual({ do: 'expire', approval: 'a-c' })
  })

  test('what is said of a call that takes the place of a lost one does not hide that', () => {
    const lost = [proposed('c', 'ask'), decided('c', 'approved'), started('c'), returned('c', 'unknown')]
    const again = [...lost, decided('c', 'again'), instead('d', 'c', { attempt: 2 })]
    const end = next(asked, recalled, answered(2, ['c']), ...again, stopped)
    expect(end).toMatchObject({ text: 'Stopped. Not done: t (an earlier try may have run; please check).' })
    const direct = { ...asked, call: { id: 'c', tool: 's__t', args: {} } } as Step
    expect(next(direct, ...again, decided('d', 'rejected'))).toMatchObject({
      do: 'finish',
      text: 'Not run: it was denied. An earlier try may have run; please check.',
    })
    const edited = [proposed('c', 'ask'), decided('c', 'edited'), instead('d', 'c'), decided('d', 'rejected')]
    expect(next(direct, ...edited)).toMatchObject({ text: 'Not run: it was denied.' })
  })

  test('a call whose server asked and was not answered is never told as not run', () => {
    const began = [proposed('c', 'ask'), decided('c', 'approved'), started('c'), returned('c', 'input')]
    const direct = { ...asked, call: { id: 'c', tool: 's__t', args: {} } } as Step
    expect(next(direct, ...began, decided('c', 'expired'))).toMatchObject({
      text: 't on s did not finish: it wanted to know something, and nobody answered in time.',
    })
    expect(next(asked, recalled, answered(2, ['c']), ...began, stopped)).toMatchObject({
      text: 'Stopped. Not done: t (it had begun, and wanted to know something).',
    })
  })

  test('what was still open when a run ended can no longer be approved', () => {
    const finished: Step = { kind: 'finished', at, outcome: 'stopped', text: 'Stopped.' }
    const open = [asked, recalled, answered(2, ['c', 'd']), proposed('c', 'ask'), proposed('d', 'ask')]
    const steps = number([...open, decided('d', 'approved'), stopped])
    const states = (all: Numbered[]) => all.flatMap((s) => (s.kind === 'proposed' ? [callState(all, s)] : []))
    expect(states(steps)).toEqual(['pending', 'runnable'])
    expect(states(number([...steps, finished]))).toEqual(['void', 'void'])
  })
})

describe('whatever the steps', () => {
  const ids = fc.constantFrom('c', 'd')
  const anyStep = fc.oneof(
    fc.constant(recalled),
    fc.constant(steered),
    fc.constant(stopped),
    fc.tuple(fc.nat(8), fc.subarray(['c', 'd'])).map(([seen, calls]) => answered(seen, calls)),
    fc
      .tuple(ids, fc.constantFrom('allow', 'ask', 'deny', 'invalid'))
      .map(([id, v]) => proposed(id, v as 'ask')),
    fc
      .tuple(ids, fc.constantFrom('approved', 'rejected', 'expired', 'void', 'counted', 'edited', 'again'))
      .map(([id, o]) => decided(id, o as 'void')),
    ids.map(started),
    ids.map((id) => returned(id)),
  )

  /** The runtime gives each call of a run an id of its own. */
  const onceProposed = (steps: Step[]) =>
    steps.filter((step, i) => {
      if (step.kind !== 'proposed') return true
      return !steps.slice(0, i).some((s) => s.kind === 'proposed' && s.call.id === step.call.id)
    })

  test('a tool runs only where it was allowed or approved, was not begun, and nobody said stop', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 14 }), (rest) => {
        const steps = number([asked, ...onceProposed(rest)])
        const found = decide(steps, limits, at)
        if (found.do !== 'run-tool') return
        expect(steps.some((s) => s.kind === 'stopped')).toBe(false)
        expect(steps.some((s) => s.kind === 'started' && s.call === found.call.id)).toBe(false)
        const step = steps.findLast((s) => s.kind === 'proposed' && s.call.id === found.call.id)
        if (step?.kind !== 'proposed') throw new Error('ran what was never proposed')
        const outcomes = steps.flatMap((s) =>
          s.kind === 'decided' && s.approval === step.approval && s.outcome !== 'counted' ? [s.outcome] : [],
        )
        expect(step.verdict === 'allow' ? (outcomes.at(-1) ?? 'approved') : outcomes.at(-1)).toBe('approved')
        expect(callState(steps, step)).toBe('runnable')
      }),
      { numRuns: 3000 },
    )
  })

  test('it is the same question, the same answer', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 10 }), (rest) => {
        const steps = number([asked, ...rest])
        expect(decide(steps, limits, at)).toEqual(decide(structuredClone(steps), limits, at))
      }),
    )
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isQuiet, plan, toolName } from '../../src/core/plan.ts'
import type { Step, StepOf } from '../../src/core/run.ts'

const at = '2026-11-02T10:00:00.000Z'
const asked: Step = { kind: 'asked', at, user: 'U1', text: 'q', ts: '1.1' }
const recalled = (sources: number, found = true): Step => ({
  kind: 'recalled',
  at,
  query: 'q',
  sources,
  ms: 3,
  passages: found ? [{ n: 1, passage: 'p', title: 't', heading: '', text: 'x' }] : [],
})
const proposed = (
  id: string,
  verdict: 'allow' | 'ask' | 'deny' | 'invalid',
  tool = 'filesystem__write_file',
): Step => ({
  kind: 'proposed',
  at,
  call: { id, tool, args: { secret: 'SECRET' } },
  verdict,
  why: 'because',
  ...(verdict === 'ask' ? { approval: `a-${id}` } : {}),
})
const decided = (id: string, outcome: StepOf<'decided'>['outcome']): Step => ({
  kind: 'decided',
  at,
  approval: `a-${id}`,
  outcome,
})
const started = (id: string): Step => ({ kind: 'started', at, call: id, tool: 'filesystem__write_file' })
const returned = (id: string, outcome: 'succeeded' | 'failed' | 'unknown'): Step => ({
  kind: 'returned',
  at,
  call: id,
  outcome,
  text: 'SECRET',
  ms: 5,
})
const finished = (outcome: 'answered' | 'stopped' | 'failed' | 'refused'): Step => ({
  kind: 'finished',
  at,
  outcome,
  text: 'SECRET',
})
const shape = (...steps: Step[]) => plan(steps).rows.map((row) => `${row.status}: ${row.title}`)

test.each<[string, Step[], string[]]>([
  ['asked', [asked], ['in_progress: Thinking']],
  ['recalled', [asked, recalled(3)], ['complete: Searched 3 sources', 'in_progress: Thinking']],
  [
    'found nothing',
    [asked, recalled(1, false)],
    ['complete: Searched 1 source, found nothing', 'in_progress: Thinking'],
  ],
  ['waiting', [proposed('1', 'ask')], ['in_progress: Waiting for approval: Write file on filesystem']],
  [
    'one yes of several',
    [proposed('1', 'ask'), decided('1', 'counted')],
    ['in_progress: Waiting for approval: Write file on filesystem'],
  ],
  [
    'one yes of several, then denied',
    [proposed('1', 'ask'), decided('1', 'counted'), decided('1', 'rejected'), finished('answered')],
    ['error: Denied: Write file'],
  ],
  ['approved', [proposed('1', 'ask'), decided('1', 'approved')], ['in_progress: Approved: Write file']],
  ['running', [proposed('1', 'ask'), decided('1', 'approved'), started('1')], ['in_progress: Write file']],
  [
    'ran',
    [proposed('1', 'allow'), started('1'), returned('1', 'succeeded'), finished('answered')],
    ['complete: Write file'],
  ],
  [
    'failed',
    [proposed('1', 'allow'), returned('1', 'failed'), finished('answered')],
    ['error: Failed: Write file'],
  ],
  [
    'unknown',
    [proposed('1', 'allow'), returned('1', 'unknown'), finished('failed')],
    ['error: Outcome unknown: Write file'],
  ],
  [
    'denied',
    [proposed('1', 'ask'), decided('1', 'rejected'), finished('answered')],
    ['error: Denied: Write file'],
  ],
  [
    'expired',
    [proposed('1', 'ask'), decided('1', 'expired'), finished('answered')],
    ['error: Expired: Write file'],
  ],
  [
    'void',
    [proposed('1', 'ask'), decided('1', 'void'), finished('answered')],
    ['error: No longer valid: Write file'],
  ],
  ['forbidden', [proposed('1', 'deny'), finished('answered')], ['error: Not allowed: Write file']],
  ['stopped while waiting', [proposed('1', 'ask'), finished('stopped')], ['error: Not run: Write file']],
  [
    'died while running',
    [proposed('1', 'allow'), started('1'), finished('failed')],
    ['error: Outcome unknown: Write file'],
  ],
])('%s', (_name, steps, rows) => {
  expect(shape(...steps)).toEqual(rows)
})

test('who wants one line sees what is going on now, and the usual line at the end', () => {
  const brief: Step = { ...asked, show: 'line' }
  const steps = [brief, recalled(2), proposed('c1', 'ask')]
  expect(plan([brief])).toEqual({ title: 'Thinking', rows: [], done: false })
  expect(plan(steps)).toEqual({
    title: expect.stringContaining('Waiting for approval'),
    rows: [],
    done: false,
  })
  expect(plan(steps, new Map(), 'No budget until noon.')).toEqual({
    title: 'No budget until noon.',
    rows: [],
    done: false,
  })
  const end: Step = { kind: 'finished', at, outcome: 'answered', text: 'x' }
  expect(plan([...steps, end])).toEqual(plan([asked, ...steps.slice(1), end]))
  expect(isQuiet(steps)).toBe(false)
  expect(isQuiet([{ ...brief, show: 'none' }, recalled(2)])).toBe(true)
})

test('repeated calls are one row, and its id stays', () => {
  const one = [asked, proposed('1', 'allow'), returned('1', 'succeeded')]
  const three = [
    ...one,
    proposed('2', 'allow'),
    returned('2', 'succeeded'),
    proposed('3', 'allow'),
    returned('3', 'succeeded'),
  ]
  expect(shape(...three, finished('answered'))).toEqual(['complete: Write file x3'])
  expect(plan(three).rows[0]?.id).toBe(plan(one).rows[0]?.id)
})

test('calls of one tool fold while they run: one row that counts them and tells how far the last has come', () => {
  const calls = (id: string, ...more: Step[]) => [proposed(id, 'allow', 'db__query'), ...more]
  const done = ['1', '2', '3', '4', '5'].flatMap((id) => calls(id, returned(id, 'succeeded')))
  const steps = [asked, ...done, ...calls('6', started('6')), ...calls('7')]
  expect(shape(...steps)).toEqual(['in_progress: Query x7'])
  expect(plan(steps, new Map([['6', '2 of 4']])).rows[0]?.title).toBe('Query x7: 2 of 4')
  expect(shape(...steps, returned('6', 'failed'))).toEqual([
    'complete: Query x5',
    'error: Failed: Query',
    'pending: Query',
  ])
})

test.each([
  ['files__write_file', undefined, 'Write file'],
  ['gh__list-open.issues', undefined, 'List open issues'],
  ['gh__listOpenPRs', undefined, 'List open PRs'],
  ['gh__APIKeys', undefined, 'APIKeys'],
  ['x____', undefined, 'A tool'],
  ['gh__issues', 'Open issues of a repository', 'Open issues of a repository'],
  ['gh__issues', '<!channel> *Approved*\u202e', '!channel Approved'],
  ['gh__issues', ' \u0000 ', 'Issues'],
])('%s with the title %j is told as %s', (tool, title, told) => {
  const step = { ...proposed('1', 'allow', tool), ...(title === undefined ? {} : { title }) } as Step
  expect(plan([asked, step]).rows[0]?.title).toBe(told)
})

test('done says what was done, in one line', () => {
  const { title, done } = plan([
    asked,
    recalled(3),
    proposed('1', 'allow'),
    returned('1', 'succeeded'),
    finished('answered'),
  ])
  expect({ title, done }).toEqual({ title: 'Done: searched 3 sources, write file', done: true })
})

test('a long run keeps few rows, the newest', () => {
  const steps = Array.from({ length: 40 }, (_, i) => proposed(String(i), 'deny', `s__tool_${i}`))
  const { rows } = plan([asked, ...steps])
  expect(rows.length).toBeLessThanOrEqual(12)
  expect(rows[0]?.title).toMatch(/^\d+ earlier steps$/)
  expect(rows.at(-1)?.title).toBe('Thinking')
})

test('no argument, result or markup ever shows, whatever the model calls its tools', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (name) => {
      const shown = JSON.stringify(plan([asked, proposed('1', 'invalid', name), proposed('2', 'ask', name)]))
      expect(shown).not.toContain('SECRET')
      expect(shown).not.toMatch(/[<>&\u202e]/)
      expect(toolName(name, true)).toMatch(/^[\w.\- ]{1,110}$/)
    }),
  )
})

test('a wait for something that is not a person is said in place of thinking', () => {
  expect(plan([asked], new Map(), 'The models are busy.')).toEqual({
    title: 'Waiting',
    rows: [{ id: 'waiting', title: 'The models are busy.', status: 'in_progress' }],
    done: false,
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Plan } from '../../../src/core/plan.ts'
import { draftMessage } from '../../../src/slack/blocks/draft.ts'
import { planChunks } from '../../../src/slack/blocks/plan.ts'
import { expectHarmless, hostileText } from '../../support/slack-blocks.ts'

const working: Plan = {
  title: 'Working on it',
  rows: [{ id: 'step-2', title: 'Query', status: 'in_progress' }],
  done: false,
}

test('whatever has been written so far, as an edit it fits and can do nothing', () => {
  fc.assert(
    fc.property(hostileText, hostileText, fc.nat(400), (a, b, times) => {
      const message = draftMessage(
        working,
        `${a}\n\n${`${b} `.repeat(times)}`,
        'run-1',
        'This is not finished.',
      )
      expectHarmless(message)
      expect(message.text.length).toBeLessThanOrEqual(4000)
      expect(message.blocks?.some(({ type }) => type === 'rich_text')).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('of a long text its end is shown', () => {
  const shown = JSON.stringify(
    draftMessage(working, `first\n\n${'word '.repeat(4000)}\n\nlast`, 'run-1').blocks,
  )
  expect(shown).toContain('last')
  expect(shown).not.toContain('first')
})

test('a stream is told what changed of a plan; a row that is gone is done, and none is left running at the end', () => {
  const first = planChunks(working, { tasks: new Map() })
  expect(first.chunks).toEqual([
    { type: 'plan_update', title: 'Working on it' },
    { type: 'task_update', id: 'step-2', title: 'Query', status: 'in_progress' },
  ])
  expect(planChunks(working, first.shown).chunks).toEqual([])
  const next: Plan = { ...working, rows: [{ id: 'thinking', title: 'Thinking', status: 'in_progress' }] }
  const second = planChunks(next, first.shown)
  expect(second.chunks).toEqual([
    { type: 'task_update', id: 'thinking', title: 'Thinking', status: 'in_progress' },
    { type: 'task_update', id: 'step-2', title: 'Query', status: 'complete' },
  ])
  const end = planChunks({ title: 'Done', rows: [], done: true }, second.shown)
  expect([...end.shown.tasks.values()].map(({ status }) => status)).toEqual(['complete', 'complete'])
  expect(planChunks({ title: '', rows: [], done: false }, { tasks: new Map() }).chunks).toEqual([])
})

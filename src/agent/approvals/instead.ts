/** A call that takes the place of another: edited by a person, or run again. It always has to wait for a yes of its own. */
import { randomUUID } from 'node:crypto'
import type { Numbered, ToolCall } from '../../core/run.ts'
import { narrowingOf, tighten } from '../../core/settings.ts'
import { taintOf } from '../../core/taint.ts'
import type { Known, Opened } from './deciding.ts'
import { type Instead, type Weighed, weigh, wordsOf } from './weigh.ts'

/**
 * Weighs a call in the place of an earlier one, with the terms of that one where the policy alone would allow it.
 * A sentence where it cannot be asked about at all: then nothing should be changed.
 */
export function weighInstead(
  { tool, policy }: Known,
  { run, first }: Opened,
  steps: readonly Numbered[],
  how: { args: unknown } & Omit<Instead, 'terms' | 'replaces'>,
): Required<Weighed> | string {
  if (!tool) return 'The tool is not there just now, so nothing was changed. Try again in a moment.'
  const { args, ...rest } = how
  const call: ToolCall = { id: randomUUID(), tool: first.tool, args }
  const { need, selfApprove } = first
  const approvers = first.approvers.length > 0 ? first.approvers : [['requester']]
  const instead = { ...rest, replaces: first.call, terms: { approvers, need, selfApprove } }
  const at = new Date().toISOString()
  const read = { taint: taintOf(steps), words: wordsOf(steps, run.asker), steps }
  const held = tighten(policy, narrowingOf(steps))
  const weighed = weigh(held, run, { tool, call, at, ...read, instead })
  const { step, approval } = weighed
  if (step.verdict === 'ask' && approval) return { step, approval }
  return step.why
}

import type { KnownBlock } from '@slack/types'
import type { Plan } from '../../core/plan.ts'
import type { Message } from '../message.ts'
import { openButton, rich, section, text } from './elements.ts'
import { clean, cut, escapeMarkup } from './text.ts'

/** A plan while it runs: its rows, or one line where it has none. When done: one line and the button that opens the trace. */
export function planMessage(plan: Plan, run: string): Message {
  const title = cut(clean(plan.title).replaceAll('\n', ' '), 150) || 'Working on it'
  const current = plan.rows.findLast((row) => row.status === 'in_progress')?.title
  const line = plan.done || !current ? title : current.startsWith(title) ? current : `${title}: ${current}`
  return {
    text: escapeMarkup(cut(clean(line).replaceAll('\n', ' '), 300)),
    blocks: plan.done ? [doneBlock(title, run)] : [runningBlock(plan, title)],
    metadata: { run, part: 'plan' },
  }
}

function runningBlock(plan: Plan, title: string): KnownBlock {
  if (plan.rows.length === 0) return rich(section(text(title)))
  return {
    type: 'plan',
    title,
    tasks: plan.rows.slice(-20).map((row) => ({
      type: 'task_card',
      task_id: row.id.replace(/[^\w-]/g, '_').slice(0, 100) || 'row',
      title: cut(clean(row.title).replaceAll('\n', ' '), 150) || ' ',
      status: row.status,
    })),
  }
}

function doneBlock(title: string, run: string): KnownBlock {
  return openButton(title, 'trace', run, 'How I got here')
}

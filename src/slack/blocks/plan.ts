import type { AnyChunk, KnownBlock } from '@slack/types'
import type { Plan, PlanRow } from '../../core/plan.ts'
import type { Message } from '../message.ts'
import { openButton, rich, section, text } from './elements.ts'
import { clean, cut, escapeMarkup } from './text.ts'

/** A plan while it runs: its rows, or one line where it has none. When done: one line and the button that opens the trace. */
export function planMessage(plan: Plan, run: string): Message {
  const title = titleOf(plan)
  const current = plan.rows.findLast((row) => row.status === 'in_progress')?.title
  const line = plan.done || !current ? title : current.startsWith(title) ? current : `${title}: ${current}`
  return {
    text: escapeMarkup(cut(clean(line).replaceAll('\n', ' '), 300)),
    blocks: [planBlock(plan, run)],
    metadata: { run, part: 'plan' },
  }
}

/** The plan as a block of its own: its rows while it runs, one line when done. */
export function planBlock(plan: Plan, run: string): KnownBlock {
  const title = titleOf(plan)
  return plan.done ? doneBlock(title, run) : runningBlock(plan, title)
}

function titleOf(plan: Plan): string {
  return cut(clean(plan.title).replaceAll('\n', ' '), 150) || 'Working on it'
}

function runningBlock(plan: Plan, title: string): KnownBlock {
  if (plan.rows.length === 0) return rich(section(text(title)))
  return { type: 'plan', title, tasks: tasksOf(plan).map((task) => ({ type: 'task_card', ...task })) }
}

function tasksOf(plan: Plan): { task_id: string; title: string; status: PlanRow['status'] }[] {
  return plan.rows.slice(-20).map((row) => ({
    task_id: row.id.replace(/[^\w-]/g, '_').slice(0, 100) || 'row',
    title: cut(clean(row.title).replaceAll('\n', ' '), 150) || ' ',
    status: row.status,
  }))
}

/** What of a plan a stream shows: its title, and its rows by their ids. */
export type Shown = { title?: string; tasks: Map<string, { title: string; status: PlanRow['status'] }> }

/**
 * What a stream is told so that it shows a plan, and what it shows then. A row cannot be taken out of a stream: one
 * that is gone is done.
 */
export function planChunks(plan: Plan, shown: Shown): { chunks: AnyChunk[]; shown: Shown } {
  const title = titleOf(plan)
  const rows = tasksOf(plan)
  if (rows.length === 0 && shown.tasks.size === 0) {
    if (plan.title === '') return { chunks: [], shown }
    rows.push({ task_id: 'work', title, status: 'in_progress' })
  }
  const tasks = new Map(rows.map(({ task_id, ...task }) => [task_id, task]))
  for (const [id, task] of shown.tasks)
    if (!tasks.has(id)) tasks.set(id, task.status === 'error' ? task : { ...task, status: 'complete' })
  if (plan.done)
    for (const [id, task] of tasks)
      if (task.status !== 'error') tasks.set(id, { ...task, status: 'complete' })
  const changed = [...tasks].filter(([id, task]) => {
    const before = shown.tasks.get(id)
    return before?.title !== task.title || before.status !== task.status
  })
  return {
    chunks: [
      ...(title === shown.title ? [] : [{ type: 'plan_update' as const, title }]),
      ...changed.map(([id, task]) => ({ type: 'task_update' as const, id, ...task })),
    ],
    shown: { title, tasks },
  }
}

function doneBlock(title: string, run: string): KnownBlock {
  return openButton(title, 'trace', run, 'How I got here')
}

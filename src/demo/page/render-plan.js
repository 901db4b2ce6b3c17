/** The plan of a run: what the agent did, does and will do, one row for each task. */
import { el, icon, link } from './dom.js'
import { withEmoji } from './emoji.js'
import { richText } from './render-rich-text.js'

const WORDS = new Map([
  ['pending', 'waiting'],
  ['in_progress', 'in progress'],
  ['complete', 'done'],
  ['error', 'failed'],
])

/** A plan block. It folds to one line when every task has ended, unless the person opened it. */
export function plan(block, hands, place) {
  const tasks = (block.tasks ?? []).map((task) => ({ status: 'pending', ...task }))
  const ended = tasks.filter((task) => task.status === 'complete' || task.status === 'error').length
  const done = tasks.length > 0 && ended === tasks.length
  const failed = tasks.some((task) => task.status === 'error')
  const state = failed && done ? 'error' : done ? 'complete' : 'in_progress'
  const key = `plan:${place.key}:${done}`
  const open = hands.state.folds.get(key) ?? !done
  const counted = done
    ? `${tasks.length} ${tasks.length === 1 ? 'step' : 'steps'}`
    : `${ended} of ${tasks.length}`
  return el(
    'details',
    {
      class: 'plan-box',
      open,
      data: { testid: 'plan', status: state },
      on: { toggle: (event) => hands.state.folds.set(key, event.currentTarget.open) },
    },
    el(
      'summary',
      {},
      statusSign(state),
      el('span', { class: 'plan-title' }, withEmoji(textOf(block.title))),
      el('span', { class: 'plan-count' }, counted),
      icon('down', 'turn'),
    ),
    el(
      'ol',
      { class: 'tasks' },
      tasks.map((task) => row(task, hands)),
    ),
  )
}

/** A task card on its own. */
export function taskCard(task, hands) {
  return el('ol', { class: 'tasks alone' }, row(task, hands))
}

function row(task, hands) {
  const status = task.status ?? 'pending'
  const sources = (task.sources ?? []).map((source) =>
    el('li', {}, link(source.url, source.text || source.url)),
  )
  return el(
    'li',
    { class: `task ${status}`, data: { status } },
    statusSign(status),
    el(
      'div',
      { class: 'task-body' },
      el('div', { class: 'task-title' }, withEmoji(textOf(task.title))),
      task.details && el('div', { class: 'task-details' }, words(task.details, hands)),
      task.output && el('div', { class: 'task-output' }, words(task.output, hands)),
      sources.length > 0 && el('ul', { class: 'task-sources' }, sources),
    ),
  )
}

/** Blocks carry rich text here; chunks of a stream carry plain words. */
const words = (value, hands) => (typeof value === 'string' ? value : richText(value, hands))
const textOf = (title) => (typeof title === 'string' ? title : (title?.text ?? ''))

function statusSign(status) {
  const label = WORDS.get(status) ?? status
  const drawing = status === 'complete' ? icon('check') : status === 'error' ? icon('cross') : undefined
  return el('span', { class: `sign-of ${status}`, role: 'img', 'aria-label': label, title: label }, drawing)
}

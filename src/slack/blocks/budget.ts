/** Budgets as people see them: what is used, held and left, and the button by which an admin raises one. */
import type { KnownBlock, RichTextElement } from '@slack/types'
import { type Scope, tellAmount, tellBudget, tellPart, type Unit } from '../../core/budget.ts'
import type { Message } from '../message.ts'
import { moment, person, rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut } from './text.ts'

/** One window. `name` is what people call its holder. `raise`: what the button says of itself, where there is one. */
export type BudgetRow = {
  scope: Scope
  holder: string
  name: string
  unit: Unit
  every: 'day' | 'month'
  /** What may be used in all, raises included. */
  total: number
  used: number
  held: number
  ends: string
  raise?: { value: string; amount: number } | undefined
}

/** Rows of one message at most: Slack takes 50 blocks, and a row may have a button. */
const MOST_ROWS = 20

/** What the budgets hold that concern a person; `others` are those that only admins see. */
export function budgetsMessage(rows: readonly BudgetRow[], others: readonly BudgetRow[]): Message {
  const shown = others.slice(0, Math.max(0, MOST_ROWS - rows.length))
  const more = others.length - shown.length
  const blocks = [
    ...(rows.length === 0 ? [rich(section(text(NONE)))] : rows.slice(0, MOST_ROWS).flatMap(budgetRow)),
    ...(shown.length > 0 ? [rich(section(text('Others, the fullest first:', { bold: true })))] : []),
    ...shown.flatMap(budgetRow),
    ...(more > 0 ? [rich(section(text(`and ${more} more`)))] : []),
  ]
  return { text: fallbackText(blocks) || NONE, blocks }
}

const NONE = 'No budget limits what you ask here.'

/** One window as a line, with its button where it has one. */
export function budgetRow(row: BudgetRow): KnownBlock[] {
  const left = row.total - row.used - row.held
  const held = row.held > 0 ? `, ${tellAmount(row.unit, row.held)} held` : ''
  const rest = left < 0 ? `over by ${tellAmount(row.unit, -left)}` : `${tellAmount(row.unit, left)} left`
  const said = `: ${tellPart(row.unit, row.used, row.total)} used${held}, ${rest}, resets `
  return [rich(section(...whose(row), text(said), moment(row.ends))), ...button(row)]
}

/** That a window was used so far, in percent of what it allows. */
export function alertMessage(row: BudgetRow, percent: number): Message {
  const left = row.total - row.used
  const amounts = tellPart(row.unit, row.used, row.total)
  const state =
    percent < 100
      ? ` is used to ${percent} %: ${amounts}. It resets `
      : left > 0
        ? ` has too little left for another answer: ${amounts} are used. What is asked waits until it resets, `
        : ` is used up: ${amounts}. What is asked waits until it resets, `
  const tail = percent < 100 ? text('.') : text(', or until an admin raises it.')
  const line = rich(section(...whose(row), text(state), moment(row.ends), tail))
  return { text: fallbackText([line]) || ' ', blocks: [line, ...button(row)] }
}

/** What is left of an alert whose button was pressed. */
export function raisedMessage(row: BudgetRow, by: string): Message {
  const line = rich(
    section(
      ...whose(row),
      text(' was raised to '),
      text(tellAmount(row.unit, row.total)),
      text(' by '),
      person(by),
      text('.'),
    ),
  )
  return { text: fallbackText([line]) || ' ', blocks: [line] }
}

function whose(row: BudgetRow): RichTextElement[] {
  if (row.scope === 'channel' && /^[CGD][A-Z0-9]+$/.test(row.holder))
    return [
      text(`The ${row.every === 'day' ? 'daily' : 'monthly'} budget of `),
      { type: 'channel', channel_id: row.holder },
    ]
  return [text(tellBudget(row, cut(clean(row.name).replaceAll('\n', ' '), 80)))]
}

function button({ raise, unit }: BudgetRow): KnownBlock[] {
  if (!raise) return []
  const label = {
    type: 'plain_text' as const,
    text: `Raise by ${tellAmount(unit, raise.amount)}`,
    emoji: false,
  }
  return [
    { type: 'actions', elements: [{ type: 'button', action_id: 'raise', value: raise.value, text: label }] },
  ]
}

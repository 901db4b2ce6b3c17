/** The approval card: what would be called, with exactly which arguments, at what risk, and who may say yes. */
import type { KnownBlock, RichTextBlockElement, RichTextElement } from '@slack/types'
import { toolName } from '../../core/plan.ts'
import type { Message } from '../message.ts'
import { moment, people, person, rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { weigh } from './pack.ts'
import { clean, cut, reveal } from './text.ts'

export type CardState =
  | 'pending'
  | 'running'
  | 'rejected'
  | 'expired'
  | 'void'
  | 'edited'
  | 'again'
  | 'succeeded'
  | 'failed'
  /** It may have run, and a person is asked what became of it. */
  | 'unknown'
  | 'unresolved'
  | 'done'
  | 'not-done'

/** Arguments that stand in a file of the thread, because they are too long for a card. */
export type ArgumentFile = { name: string; bytes: number; sha256: string }

/** One call on a card. */
export type Card = {
  approval: string
  run: string
  /** Calls of one batch stand on one card and can be decided on together. */
  batch?: string | undefined
  /** Catalogue name, `server__tool`. */
  tool: string
  server: string
  args: unknown
  /** Hash of exactly what would be executed, hex. */
  hash?: string | undefined
  file?: ArgumentFile | undefined
  /** User ids. */
  asker: string
  /** Whoever approves must stand in each list: user ids, and names of groups as words. */
  approvers: readonly (readonly string[])[]
  /** How many different people must approve, and who has. */
  need: number
  votes: readonly string[]
  /** Whether whoever asked may be one of them. */
  selfApprove: boolean
  /** ISO date. */
  expires: string
  state: CardState
  /** Who decided or found out: user ids. */
  by: readonly string[]
  /** Nobody was asked: the policy allowed it, or it was approved before. */
  unasked?: boolean | undefined
  /** What it does and why it is asked about. */
  risk?: string | undefined
  /** The how-manieth try it is, and what came of the one before. */
  attempt?: number | undefined
  previous?: string | undefined
  /** Who edited the arguments: a user id. */
  editedBy?: string | undefined
  /** One sentence below the state. */
  note?: string | undefined
}

/** How much of a message the arguments may take; what is longer goes into a file. */
const MOST_SHOWN = 7000
/** How much of arguments in a file is shown on the card, in characters. */
const BEGINNING = 600
/** Calls on one card. */
const MOST_CALLS = 6

/** Whether one card can show these arguments in full, of one call or of several. */
export function fitsCard(...calls: unknown[]): boolean {
  const weight = calls.reduce((sum: number, args) => sum + weigh(showArguments(args)), 0)
  return calls.length <= MOST_CALLS && weight <= MOST_SHOWN
}

/** One call, or all of a batch, each in its state. There are buttons only for what can still be decided. */
export function cardMessage(card: Card, ...more: Card[]): Message {
  const cards = [card, ...more]
  const alone = cards.length === 1
  const pending = cards.filter((one) => one.state === 'pending')
  const blocks: KnownBlock[] = []
  if (!alone) blocks.push(rich(section(...batchHeading(cards, pending))))
  for (const [i, one] of cards.entries()) blocks.push(...callBlocks(one, alone ? undefined : i + 1))
  if (!alone && pending.length > 1) blocks.push(allButtons(card, pending.length))
  const [waiting] = pending
  if (waiting) blocks.push(rich(section(...whoMayDecide(waiting))))
  const words = `run ${oneLine(card.run, 60)}`
  blocks.push({ type: 'context', elements: [{ type: 'plain_text', text: words, emoji: false }] })
  const head = alone ? [...heading(card), text(' '), ...whatOf(card)] : batchHeading(cards, pending)
  return {
    text: fallbackText([rich(section(...head))]),
    blocks,
    metadata: { run: card.run, part: `card-${(!alone && card.batch) || card.approval}` },
  }
}

function batchHeading(cards: readonly Card[], pending: readonly Card[]): RichTextElement[] {
  const words = pending.length === 0 ? `${cards.length} calls` : `May I run these ${cards.length} calls?`
  return [
    text(words, { bold: true }),
    text(' Asked for by '),
    person(cards[0]?.asker ?? ''),
    text('. Each is decided by itself, or all at once below.'),
  ]
}

function callBlocks(card: Card, number: number | undefined): KnownBlock[] {
  const first = number === undefined ? [] : [text(`${number}. `, { bold: true })]
  const elements: RichTextBlockElement[] = [
    section(...first, ...heading(card), text('\n'), ...whatOf(card)),
    { type: 'rich_text_preformatted', elements: [text(shownArguments(card))] },
  ]
  const below = remarks(card)
  const blocks: KnownBlock[] = [rich(...elements, ...(below.length > 0 ? [section(...below)] : []))]
  if (card.state === 'pending') blocks.push(decisionButtons(card))
  if (card.state === 'unknown') blocks.push(outcomeButtons(card))
  return blocks
}

function whatOf(card: Card): RichTextElement[] {
  return [
    text(toolName(card.tool), { code: true }),
    text(' on '),
    text(oneLine(card.server, 60), { code: true }),
    text(', asked for by '),
    person(card.asker),
    ...(card.editedBy ? [text(', edited by '), person(card.editedBy)] : []),
  ]
}

function heading(card: Card): RichTextElement[] {
  const strong = (words: string) => text(words, { bold: true })
  const yes = card.unasked ? [strong('Run without asking')] : [strong('Approved by '), ...named(card)]
  switch (card.state) {
    case 'pending':
      return [strong('May I run this?')]
    case 'running':
      return [...yes, strong('. Running…')]
    case 'rejected':
      return [strong('Denied by '), ...named(card), strong(`. ${notRun(card)}`)]
    case 'expired':
      return [strong(`Expired: nobody decided in time. ${notRun(card)}`)]
    case 'void':
      return [strong(`No longer valid. ${notRun(card)}`)]
    case 'edited':
      return [strong('Edited by '), ...named(card), strong('. This version was not run.')]
    case 'again':
      return [strong('The outcome is unknown. '), ...named(card), strong(' wants it run again.')]
    case 'succeeded':
      return [...yes, strong('. Done.')]
    case 'failed':
      return [...yes, strong('. It failed.')]
    case 'unknown':
      return [...yes, strong('. The outcome is unknown: it may have run. What became of it?')]
    case 'unresolved':
      return [...yes, strong('. The outcome is unknown: it may have run. Check before you ask again.')]
    case 'done':
      return [strong('The outcome was unknown. '), ...named(card), strong(' checked: it ran.')]
    case 'not-done':
      return [strong('The outcome was unknown. '), ...named(card), strong(' checked: it did not run.')]
  }
}

/** Of an earlier try nobody knows whether it ran. */
function notRun({ attempt = 1 }: Card): string {
  return attempt > 1 ? 'It was not run again.' : 'Nothing was run.'
}

function named({ by }: Card): RichTextElement[] {
  if (by.length === 0) return [text('nobody')]
  return by.flatMap((one, i) => [...(i > 0 ? [text(i === by.length - 1 ? ' and ' : ', ')] : []), person(one)])
}

/** Below the arguments: their file, the risk, the time before, a note. A line each. */
function remarks(card: Card): RichTextElement[] {
  const lines: string[] = []
  if (card.file) {
    const { name, bytes, sha256 } = card.file
    lines.push(`All arguments stand in ${name} above: ${bytes} bytes, SHA-256 ${sha256}.`)
  }
  const open = card.state === 'pending'
  if (card.attempt !== undefined && card.attempt > 1) {
    lines.push(`Attempt ${card.attempt}. Before: ${flat(card.previous ?? 'the outcome is unknown', 300)}`)
  }
  if (open && card.risk) lines.push(flat(card.risk, 500))
  if (card.note) lines.push(flat(card.note, 500))
  if (open && card.hash) lines.push(`What is decided on: ${card.hash.slice(0, 12)}`)
  return lines.length > 0 ? [text(lines.join('\n'))] : []
}

function whoMayDecide(card: Card): RichTextElement[] {
  const lists = card.approvers.map((list) => people(list.slice(0, 20)))
  const who = lists.flatMap((list, i) => [...(i > 0 ? [text(', and also one of ')] : []), ...list])
  const self = card.selfApprove ? [] : [text(', not '), person(card.asker)]
  const have =
    card.votes.length > 0 ? [text(': '), ...card.votes.flatMap((one) => [text(' '), person(one)])] : []
  const votes = card.need > 1 ? [text(` · ${card.votes.length} of ${card.need} said yes`), ...have] : []
  return [text('May decide: '), ...who, ...self, ...votes, text(' · until '), moment(card.expires)]
}

type Button = { action: string; label: string; style?: 'primary' | 'danger' }

function decisionButtons(card: Card): KnownBlock {
  return actions(card.approval, `approval-${card.approval}`, [
    { action: 'approve', label: 'Approve', style: 'primary' },
    { action: 'deny', label: 'Deny', style: 'danger' },
    ...(card.file ? [] : [{ action: 'edit', label: 'Edit' }]),
  ])
}

function outcomeButtons(card: Card): KnownBlock {
  return actions(card.approval, `outcome-${card.approval}`, [
    { action: 'done', label: 'It ran' },
    { action: 'not-done', label: 'It did not run' },
    { action: 'again', label: 'Run it again' },
  ])
}

function allButtons(card: Card, count: number): KnownBlock {
  const batch = card.batch ?? card.approval
  return actions(batch, `batch-${batch}`, [
    { action: 'approve-all', label: `Approve all ${count}`, style: 'primary' },
    { action: 'deny-all', label: `Deny all ${count}`, style: 'danger' },
  ])
}

function actions(value: string, block: string, buttons: readonly Button[]): KnownBlock {
  return {
    type: 'actions',
    block_id: block.slice(0, 255),
    elements: buttons.map(({ action, label, style }) => ({
      type: 'button' as const,
      action_id: action,
      value,
      ...(style ? { style } : {}),
      text: { type: 'plain_text' as const, text: label, emoji: false },
    })),
  }
}

function shownArguments(card: Card): string {
  const all = showArguments(card.args)
  return fitsCard(card.args) ? all : cut(all, BEGINNING)
}

/** The arguments as JSON, hidden characters shown as escapes; it reads back as what is run. */
export function showArguments(args: unknown): string {
  return reveal(JSON.stringify(args, null, 2) ?? 'no arguments')
}

function flat(words: string, most: number): string {
  return cut(clean(words).replaceAll('\n', ' '), most)
}

function oneLine(words: string, most: number): string {
  return cut(reveal(words).replaceAll('\n', ' '), most) || '?'
}

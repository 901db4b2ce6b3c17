/** The approval card: what would be called, with exactly which arguments, and who may say yes. */
import type { KnownBlock, RichTextBlockElement, RichTextElement } from '@slack/types'
import { toolName } from '../../core/plan.ts'
import type { Message } from '../message.ts'
import { moment, people, person, rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { weigh } from './pack.ts'
import { clean, cut, reveal } from './text.ts'

export type CardState =
  | 'pending'
  | 'approved-running'
  | 'rejected'
  | 'expired'
  | 'void'
  | 'succeeded'
  | 'failed'
  | 'unknown'

export type Card = {
  approval: string
  run: string
  /** Catalogue name, `server__tool`. */
  tool: string
  server: string
  args: unknown
  /** User ids. */
  asker: string
  approvers: readonly string[]
  /** ISO date. */
  expires: string
  state: CardState
  /** Who decided: a user id. */
  by?: string | undefined
  /** One sentence below the state. */
  note?: string | undefined
}

/** How much of a message the arguments may take: what cannot be shown in full cannot be approved. */
const MOST_SHOWN = 7000

/** Whether a card can show these arguments in full. */
export function fitsCard(args: unknown): boolean {
  return weigh(showArguments(args)) <= MOST_SHOWN
}

/** The card in one of its states. The buttons are there only while it is pending. */
export function cardMessage(card: Card): Message {
  const what = [
    text(toolName(card.tool), { code: true }),
    text(' on '),
    text(oneLine(card.server, 60), { code: true }),
    text(', asked for by '),
    person(card.asker),
  ]
  const elements: RichTextBlockElement[] = [
    section(...heading(card), text('\n'), ...what),
    { type: 'rich_text_preformatted', elements: [text(showArguments(card.args))] },
  ]
  const below: RichTextElement[] = []
  if (card.note)
    below.push(
      text(`${cut(clean(card.note).replaceAll('\n', ' '), 500)}${card.state === 'pending' ? '\n' : ''}`),
    )
  if (card.state === 'pending') {
    below.push(
      text('May decide: '),
      ...people(card.approvers.slice(0, 20)),
      text(' · until '),
      moment(card.expires),
    )
  }
  const blocks: KnownBlock[] = [rich(...elements)]
  if (below.length > 0) blocks.push(rich(section(...below)))
  if (card.state === 'pending') blocks.push(buttons(card))
  const words = `run ${oneLine(card.run, 60)}`
  blocks.push({ type: 'context', elements: [{ type: 'plain_text', text: words, emoji: false }] })
  return {
    text: `${fallbackText([rich(section(...heading(card), text(' '), ...what))])}`,
    blocks,
    metadata: { run: card.run, part: `card-${card.approval}` },
  }
}

function heading(card: Card): RichTextElement[] {
  const who = card.by ? [person(card.by)] : [text('nobody')]
  const strong = (words: string) => text(words, { bold: true })
  switch (card.state) {
    case 'pending':
      return [strong('May I run this?')]
    case 'approved-running':
      return [strong('Approved by '), ...who, strong('. Running…')]
    case 'rejected':
      return [strong('Denied by '), ...who, strong('. Nothing was run.')]
    case 'expired':
      return [strong('Expired: nobody decided in time. Nothing was run.')]
    case 'void':
      return [strong('No longer valid. Nothing was run.')]
    case 'succeeded':
      return [strong('Approved by '), ...who, strong('. Done.')]
    case 'failed':
      return [strong('Approved by '), ...who, strong('. It failed.')]
    case 'unknown':
      return [
        strong('Approved by '),
        ...who,
        strong('. The outcome is unknown: it may have run. Check before you ask again.'),
      ]
  }
}

/** The arguments as JSON, hidden characters shown as escapes. */
function showArguments(args: unknown): string {
  return reveal(JSON.stringify(args, null, 2) ?? 'no arguments')
}

function buttons(card: Card): KnownBlock {
  const button = (action: 'approve' | 'deny', label: string, style: 'primary' | 'danger') => ({
    type: 'button' as const,
    action_id: action,
    value: card.approval,
    style,
    text: { type: 'plain_text' as const, text: label, emoji: false },
  })
  return {
    type: 'actions',
    block_id: `approval-${card.approval}`.slice(0, 255),
    elements: [button('approve', 'Approve', 'primary'), button('deny', 'Deny', 'danger')],
  }
}

function oneLine(words: string, most: number): string {
  return cut(reveal(words).replaceAll('\n', ' '), most) || '?'
}

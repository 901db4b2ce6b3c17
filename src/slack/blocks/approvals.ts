/** Approvals that wait, as a person sees them: theirs to decide, and what they asked for that waits for others. */
import type { KnownBlock, RichTextElement } from '@slack/types'
import { toolName } from '../../core/plan.ts'
import type { Message } from '../message.ts'
import { moment, person, rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { webAddress } from './text.ts'

/** `link` leads to the card, where everybody sees the decision. */
export type ApprovalRow = { tool: string; asker: string; expires: string; link?: string | undefined }

/** Rows of one part at most. */
const MOST = 15

const NONE = 'No approval waits for you.'

export function approvalsMessage(mine: readonly ApprovalRow[], asked: readonly ApprovalRow[]): Message {
  const blocks = [
    rich(section(mine.length === 0 ? text(NONE) : text('Waiting for your decision:', { bold: true }))),
    ...rowsOf(mine),
    ...(asked.length > 0 ? [rich(section(text('You asked for, and others decide:', { bold: true })))] : []),
    ...rowsOf(asked),
  ]
  return { text: fallbackText(blocks) || NONE, blocks }
}

function rowsOf(rows: readonly ApprovalRow[]): KnownBlock[] {
  const more = rows.length - MOST
  return [
    ...rows.slice(0, MOST).flatMap(approvalRow),
    ...(more > 0 ? [rich(section(text(`and ${more} more`)))] : []),
  ]
}

export function approvalRow({ tool, asker, expires, link }: ApprovalRow): KnownBlock[] {
  const elements: RichTextElement[] = [
    text(toolName(tool, true), { code: true }),
    text(', asked for by '),
    person(asker),
    text(' · until '),
    moment(expires),
  ]
  return [rich(section(...elements, ...openAt(link, 'Open the card')))]
}

export function openAt(link: string | undefined, words: string): RichTextElement[] {
  const url = link && webAddress(link)
  return url ? [text(' · '), { type: 'link', url, text: words }] : []
}

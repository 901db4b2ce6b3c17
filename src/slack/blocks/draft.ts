/** What a model has written so far, in a message that is edited: the plan, then its words. */
import { openFence } from '../../core/fence.ts'
import type { Plan } from '../../core/plan.ts'
import type { Message } from '../message.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { linksOf } from './links.ts'
import { pack } from './pack.ts'
import { planBlock, planMessage } from './plan.ts'
import { unitsOf } from './rich.ts'
import { cut } from './text.ts'

/** More Markdown than this does not fit one message; of more its end is shown. */
const MOST = 6000
/** Slack takes 4,000 characters in an edit. */
const LONGEST_TEXT = 3900

/**
 * @param written Markdown that may end anywhere; untrusted
 * @param remark  a sentence of ours below it
 */
export function draftMessage(plan: Plan, written: string, run: string, remark?: string): Message {
  const { text: line, metadata } = planMessage(plan, run)
  const units = unitsOf(endOf(written), linksOf([]))
  if (remark) units.push({ elements: [section(text(remark, { italic: true }))] })
  const words = pack(units, 'columns').at(-1) ?? []
  // Text that streamed gives way to text only.
  const shown = words.length > 0 ? words : [rich(section(text(' ')))]
  const told = fallbackText(words)
  return {
    text: told === '' ? line : cut(`${line}\n${told}`, LONGEST_TEXT),
    blocks: [planBlock(plan, run), ...shown],
    ...(metadata ? { metadata } : {}),
  }
}

function endOf(written: string): string {
  if (written.length <= MOST) return written
  const end = written.slice(-MOST)
  const paragraph = end.indexOf('\n\n')
  const shown = end.slice(paragraph >= 0 && paragraph < MOST / 2 ? paragraph : 0)
  const fence = openFence(written.slice(0, -shown.length))
  return `…\n\n${fence ? `${fence.open}\n` : ''}${shown}`
}

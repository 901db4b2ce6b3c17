/** A word to those who may decide, once, while an approval waits. */
import { toolName } from '../../core/plan.ts'
import type { Message } from '../message.ts'
import { moment, people, rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'

/** Names who may decide about a call, and until when. User ids ping, words do not. */
export function reminderMessage(of: {
  tool: string
  calls: number
  who: readonly string[]
  expires: string
}): Message {
  const what = of.calls > 1 ? `${of.calls} calls wait` : 'a call waits'
  const line = section(
    text(`Still open: ${what} for a decision above, `),
    text(toolName(of.tool), { code: true }),
    text('. May decide: '),
    ...people(of.who.slice(0, 20)),
    text(' · until '),
    moment(of.expires),
  )
  return { text: fallbackText([rich(line)]), blocks: [rich(line)] }
}

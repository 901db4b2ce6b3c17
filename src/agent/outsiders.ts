/** People of other organisations in shared channels: whether they may ask, and what they are told where not. */
import { type Budgets, mayAsk } from '../core/budget.ts'
import type { Heard } from '../core/heard.ts'
import type { Speak } from '../slack/speak.ts'

const NOT_YOURS =
  'Only members of this workspace can ask me here, unless budgets.yaml has a line for people of other organisations. Somebody who runs me can add it.'
const UNTOLD = 'Slack did not tell me just now who you are, so I did nothing. Please ask again in a moment.'

/**
 * Why what somebody wrote is not taken up, a sentence for them alone; `ignored` where it was not for us in so many words.
 * Undefined where it is taken up. Nobody is looked up in channels that are not shared.
 */
export async function turnAway(
  { speak, budgets }: { speak: Pick<Speak, 'decider'>; budgets: Budgets },
  heard: Heard,
): Promise<string | 'ignored' | undefined> {
  if ((heard.kind !== 'message' && heard.kind !== 'edited') || !heard.shared) return undefined
  const { barred } = await speak.decider(heard.user, [])
  if (barred !== 'outsider' && barred !== 'unknown') return undefined
  if (barred === 'outsider' && mayAsk(budgets, heard.user, true)) return undefined
  if (!heard.mention) return 'ignored'
  return barred === 'unknown' ? UNTOLD : NOT_YOURS
}

/** Questions that servers of the older protocol ask while a call is open: nobody is asked, and the call tells so. */
import { oneLine } from './progress.ts'

/** Questions of one call that are kept in words. */
const MOST = 3

/** What the server asked while a call was open; `times` counts also what is not kept. */
export type Unanswered = { questions: string[]; times: number }

/**
 * Notes a question with every call that is open at this server. The older protocol does not say which call a
 * question belongs to: where several people's are open, its words stay out of all of them.
 */
export function noteAsked(calls: ReadonlySet<Unanswered>, message: string): void {
  for (const call of calls) {
    call.times += 1
    if (calls.size === 1 && call.questions.length < MOST) call.questions.push(oneLine(message) || '…')
  }
}

/** What was asked, on one line of at most some hundred characters; undefined where nothing was. */
export function tellAsked({ questions, times }: Unanswered): string | undefined {
  if (times === 0) return undefined
  const more = times - questions.length
  const said = questions.map((one) => `“${one}”`).join(', ')
  if (said === '') return 'something, while several calls were open'
  return more > 0 ? `${said} and ${more} more` : said
}

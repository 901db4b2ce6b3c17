/** What the stand-in answers: a pure function of the prompt and the day. */
import { askFor, complete, type Deed, didAsk, nextCalls, planDeeds } from './act.ts'
import { quote } from './quote.ts'
import { readSituation, type Situation, type WireRequest } from './read.ts'
import { filesIn } from './request.ts'
import { succeeded, tellResults } from './tell.ts'

export type Reply = { text: string; calls: { name: string; args: unknown }[] }

export const NOTICE = '_(I am a stand-in model: scripted, no AI. Connect a real one in models.yaml.)_'

const NOTHING = "I found nothing about that in the team's knowledge."
const LEAVE_IT = /^\W*(never ?mind|cancel( (it|that))?|forget it|leave it|don'?t( bother)?|stop)\W*$/i
const AGAIN = /^\W*(please\W+)?((try|do|ask|run)( (it|that|me))? )?again\b/i
/** Verbs that ask for knowledge as often as for a tool. */
const LOOKS_UP = /^(show|list|find|search|get|read|open|print|display|view|recall|query|lookup)$/
const GREETING = /^\W*(hi|hello|hey|good (morning|afternoon|evening)|moin|hallo)\b\W*$/i
const THANKS = /^\W*(thanks?|thank you|cheers|great|perfect|nice|ok(ay)?)\b[^?]{0,30}$/i
const ABILITIES = /^\W*(help|what can you do|what do you do|who are you|what are you)\b/i

/** Answers a request. `today` is an ISO date, for questions about this week. */
export function reply(request: WireRequest, today: string): Reply {
  const situation = readSituation(request)
  const { text, calls } = think(situation, today)
  const first = situation.history.length === 0
  return { text: calls.length === 0 && first ? `${NOTICE}\n\n${text}` : text, calls }
}

function think(situation: Situation, today: string): Reply {
  const { said, tools, calls: made } = situation
  const last = said.at(-1) ?? ''
  if (made.length === 0 && LEAVE_IT.test(last)) return words('All right, I leave it.')
  const deeds = wanted(situation)
  const calls = made.every(succeeded) ? nextCalls(deeds, made) : nextCalls(since(situation), made)
  if (calls.length > 0) return { text: '', calls }
  const incomplete = deeds.find((deed) => deed.tool && deed.filled.missing.length > 0)
  if (made.length > 0) {
    const later = said.length > 1 ? quote(last, situation.passages, today) : undefined
    return words(
      [tellResults(made), incomplete ? askFor(incomplete) : '', later ?? ''].filter(Boolean).join('\n\n'),
    )
  }
  if (incomplete) return words(askFor(incomplete))
  const talk = smallTalk(last, situation)
  if (talk) return words(talk)
  const found = quote(last, situation.passages, today)
  if (found) return words(found)
  const shared = situation.passages.find(({ n }) => n === 0)
  if (shared) return words(beginningOf(shared))
  const deed = deeds[0]
  if (deed && !deed.tool && !LOOKS_UP.test(deed.clause.verb)) return words(noTool(deed, tools))
  return words(
    situation.passages.length > 0 ? `${NOTHING} The pages I was given speak of other things.` : NOTHING,
  )
}

/** Where a question names nothing in a file or a thread it is about, that is shown as it begins. */
function beginningOf({ title, text }: Situation['passages'][number]): string {
  const start = text.slice(0, 400).replace(/\s+\S*$/, '')
  return `From **${title}**:\n\n${start}${start.length < text.length ? ' …' : ''}`
}

/** What the turn asks for; an answer to our question, or `again`, reaches back into the thread. */
function wanted({ said, history, tools }: Situation): Deed[] {
  const [first = '', ...later] = said
  const named = history.flatMap(({ asked }) => asked.flatMap(filesIn)).at(-1)
  const own = planDeeds(first, tools, named)
  const more = later.flatMap((text) => planDeeds(text, tools))
  if (AGAIN.test(first) && own.length === 0) {
    const before = history.toReversed().map(({ asked }) => asked.flatMap((text) => planDeeds(text, tools)))
    return before.find((deeds) => deeds.length > 0) ?? []
  }
  if (own.length > 0 || /\?\s*$/.test(first)) return [...own, ...more]
  return [...answered(first, history, tools), ...more]
}

/** Follows the thread back through our questions to what they were asked about, and fills it with the answers. */
function answered(answer: string, history: Situation['history'], tools: Situation['tools']): Deed[] {
  const answers = [answer]
  for (const { asked, answered: said } of history.toReversed()) {
    if (!didAsk(said)) return []
    const deeds = asked.flatMap((text) => planDeeds(text, tools))
    const open = deeds.find((deed) => deed.tool && deed.filled.missing.length > 0)
    if (open) return [answers.reduceRight(complete, open)]
    answers.push(asked.join(' '))
  }
  return []
}

/** What people asked for after the first message: it may be done even where something earlier failed. */
function since({ said, tools }: Situation): Deed[] {
  return said.slice(1).flatMap((text) => planDeeds(text, tools))
}

function smallTalk(text: string, { tools }: Situation): string | undefined {
  if (GREETING.test(text))
    return 'Hello. Ask me about what the team has written down, or ask me to do something.'
  if (THANKS.test(text)) return 'You are welcome.'
  if (!ABILITIES.test(text)) return undefined
  const names = serversOf(tools)
  const can =
    names.length > 0 ? ` I also turn requests into calls of the tools of ${names.join(' and ')}.` : ''
  return `I answer questions with sentences from the team's knowledge, and say where they come from.${can}`
}

function noTool({ clause }: Deed, tools: Situation['tools']): string {
  const names = serversOf(tools)
  const have = names.length > 0 ? ` The tools I have belong to: ${names.join(', ')}.` : ''
  return `I have no tool that can do that ("${clause.text.slice(0, 80)}").${have}`
}

function serversOf(tools: Situation['tools']): string[] {
  return [...new Set(tools.map(({ name }) => name.split('__')[0] ?? name))]
}

function words(text: string): Reply {
  return { text, calls: [] }
}

/** Searching by the model's own wish: a tool of the runtime itself, which reads what was recalled anyway. Pure. */
import { z } from 'zod'
import type { ChatTool } from './chat.ts'
import type { Step, StepOf, ToolCall } from './run.ts'

/** Searches one run may ask for, beside the first. */
export const MOST_LOOKUPS = 6

/** What the model is offered. It needs no approval: it finds only what everyone in the thread may read. */
export const LOOKUP: ChatTool = {
  name: 'knowledge__search',
  description:
    "Searches the team's knowledge with words of your own, when the passages at hand do not answer the question. " +
    'Ask for one thing at a time, in the language the pages are likely written in. Returns numbered passages to cite.',
  parameters: {
    type: 'object',
    properties: {
      query: { type: 'string', description: 'What to look for, in a few words or one question.' },
    },
    required: ['query'],
  },
}

const Arguments = z.object({ query: z.string().trim().min(1).max(2_000) })

/** The first search that the last answer asks for and that was not made; calls that were weighed are other tools'. */
export function openLookup(
  steps: readonly Step[],
  answer: StepOf<'answered'> | undefined,
): { call: string; query: string; refused?: string } | undefined {
  const open = answer?.calls.find((call) => call.tool === LOOKUP.name && !isTaken(steps, call))
  if (!answer || !open) return undefined
  const asked = Arguments.safeParse(open.args)
  const query = asked.success ? asked.data.query : ''
  const made = steps.filter((s) => s.kind === 'recalled' && s.call !== undefined).length
  if (answer.finish === 'length') return { call: open.id, query, refused: 'The answer was cut off.' }
  if (!asked.success) return { call: open.id, query, refused: 'It takes {"query": "…"}, with words in it.' }
  if (made >= MOST_LOOKUPS)
    return {
      call: open.id,
      query,
      refused: `At most ${MOST_LOOKUPS} searches in one run. Answer from what there is.`,
    }
  return { call: open.id, query }
}

function isTaken(steps: readonly Step[], { id }: ToolCall): boolean {
  return steps.some(
    (s) => (s.kind === 'recalled' && s.call === id) || (s.kind === 'proposed' && s.call.id === id),
  )
}

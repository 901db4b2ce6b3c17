/**
 * What a run has read that others wrote. Taint never clears: it stays with the run, passes to the runs after it in the
 * thread, and to whatever a run starts.
 */
import { z } from 'zod'
import { toolName } from './plan.ts'
import type { Step, StepOf } from './run.ts'

/** One reason why a run is tainted. `what` names it for people. */
export const Taint = z.object({
  from: z.enum(['passages', 'tool', 'thread', 'people', 'files']),
  what: z.string().optional(),
})
export type Taint = z.infer<typeof Taint>

/** What a run begins with: taint of whatever started it, and an earlier exchange of the thread as far as it taints. */
export type Inherited = readonly Taint[]

/**
 * Everything that taints a run: what it began with, what earlier prompts held, and what its steps have read since.
 * Each reason once, in the order in which it came.
 */
export function taintOf(steps: readonly Step[], inherited: Inherited = []): Taint[] {
  const asked = steps[0]
  const asker = asked?.kind === 'asked' ? asked.user : ''
  const tools = new Map(steps.flatMap((s) => (s.kind === 'proposed' ? [[s.call.id, s.call.tool]] : [])))
  const found = steps.flatMap((step): Taint[] => {
    switch (step.kind) {
      case 'asked':
        return [
          ...(step.prompt === undefined ? [] : [{ from: 'tool', what: step.prompt } as const]),
          ...(step.quoted ? [{ from: 'people' } as const] : []),
        ]
      case 'read':
        return taintOfRead(step, asker)
      case 'recalled':
        return step.passages.length > 0 ? [{ from: 'passages' }] : []
      case 'returned':
        // What its server asked is read as well, whatever came of the call.
        return step.trusted || (step.text === '' && !step.asked)
          ? []
          : [{ from: 'tool', what: tools.get(step.call) ?? 'a tool' }]
      case 'steered':
        return step.user === asker && !step.quoted ? [] : [{ from: 'people' }]
      case 'answered':
        return step.taint ?? []
      default:
        return []
    }
  })
  return [...new Map([...inherited, ...found].map((one) => [`${one.from} ${one.what ?? ''}`, one])).values()]
}

/** Files are nobody's own word: whoever shares one need not have written it. */
function taintOfRead({ said = [], files }: StepOf<'read'>, asker: string): Taint[] {
  const others = said.some((one) => one.from !== asker || one.quotes)
  const texts = files.some((file) => file.text)
  return [...(others ? [{ from: 'people' } as const] : []), ...(texts ? [{ from: 'files' } as const] : [])]
}

/** An earlier run of the thread, as far as it matters here. */
export type Earlier = { user: string; tainted: boolean }

/** What the thread's past taints a run of `asker` with: what others asked, and answers made of what others wrote. */
export function taintOfPast(past: readonly Earlier[], asker: string): Taint[] {
  const others = past.some((one) => one.user !== asker)
  const read = past.some((one) => one.tainted)
  return [...(others ? [{ from: 'people' } as const] : []), ...(read ? [{ from: 'thread' } as const] : [])]
}

/** The reasons in words: "pages of the team, the result of search_emails and messages of other people". */
export function tellTaint(taint: readonly Taint[]): string {
  const words = taint.map(({ from, what }) => {
    if (from === 'passages') return 'pages of the team'
    if (from === 'people') return 'messages of other people'
    if (from === 'files') return 'files that were shared'
    if (from === 'thread') return 'earlier answers of this thread that rest on such'
    return `the result of ${toolName(what ?? 'a tool')}`
  })
  const shown = words.length > 4 ? [...words.slice(0, 3), `${words.length - 3} more`] : words
  const last = shown.pop() ?? 'nothing'
  return shown.length > 0 ? `${shown.join(', ')} and ${last}` : last
}

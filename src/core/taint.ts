/**
 * What a run has read that others wrote. Taint never clears: it stays with the run, passes to the runs after it in the
 * thread, and to whatever a run starts.
 */
import { z } from 'zod'

/** One reason why a run is tainted. `what` names it for people: a tool, a page, a person. */
export const Taint = z.object({
  from: z.enum(['passages', 'tool', 'thread', 'people']),
  what: z.string().optional(),
})
export type Taint = z.infer<typeof Taint>

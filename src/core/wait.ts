/** Waiting for something that is not a person: a budget's window, room on a pool, a server that asks us to slow down. */
import { z } from 'zod'

/**
 * Why a run waits though nobody has to decide anything. It is parked with this, so that whatever ends the wait finds
 * it: nothing polls. `key` names what is waited for (a budget's window, a pool). `until`: looked at again then even if
 * nothing was heard. `text` is one sentence for the thread.
 */
export const Wait = z.object({
  for: z.enum(['budget', 'capacity', 'rate']),
  key: z.string(),
  until: z.iso.datetime(),
  text: z.string(),
  /** When it was first waited for room without an answer in between. */
  since: z.iso.datetime().optional(),
  /** What was read of it when the wait began: where it is different by the time the run is parked, it goes on at once. */
  seen: z.string().optional(),
})
export type Wait = z.infer<typeof Wait>

/** The key of a wait for what only a change of the deployment brings: money for a cloud model. Nothing else ends it. */
export const CLOSED = 'closed'

/** The work of a run in a channel: one message that everybody sees, edited at Slack's pace. */
import type { Plan } from '../core/plan.ts'
import { planMessage } from '../slack/blocks/plan.ts'
import { openLive } from '../slack/live.ts'
import type { Message } from '../slack/message.ts'
import type { Speak } from '../slack/speak.ts'
import type { Run } from '../store/runs.ts'
import { PROGRESS, placed, unlessLimited } from './begin.ts'
import { type Mouth, sayForSure, sayOnce } from './say.ts'
import type { Talk } from './talk.ts'

/** At most one edit of the plan in this many milliseconds. */
const EDIT_MS = 1500

/** What the model writes is not shown before it is whole. */
export function openBoard(context: Mouth & { speak: Pick<Speak, 'update'> }, run: Run): Talk {
  let begun = Date.now()
  let ts: string | undefined
  const live = openLive<Message>(
    async (message, { last }) => {
      if (!ts) {
        const saying = { ...placed(run, 'plan', message), ...PROGRESS }
        const said = await (last ? sayForSure(context, saying) : sayOnce(context, saying)).catch(
          unlessLimited,
        )
        if (said === 'busy') return 'dropped'
        ts = said.ts
        if (said.new) begun = Date.now()
        if (said.new) return
      }
      if (!last && Date.now() - begun < EDIT_MS) return 'dropped'
      return context.speak.update(run.channel, ts, message, { priority: 'progress', droppable: !last })
    },
    { everyMs: EDIT_MS },
  )
  const show = (plan: Plan) => live.show(planMessage(plan, run.id))
  return {
    show,
    write: () => {},
    park: () => live.flush(),
    release: async () => ({ messages: [], text: '' }),
    async close(plan) {
      show(plan)
      await live.close()
    },
    leave: () => live.leave(),
  }
}

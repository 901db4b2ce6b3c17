/** Short-lived handles the app gets with an interaction: trigger ids and response URLs. */
import { newId, newSecret } from './ids.ts'

/** What a response URL may answer: where the person acted, and on which message. */
export type ResponseTarget = {
  channel: string
  user: string
  thread?: string
  ts?: string
  ephemeral: boolean
}

export type Hooks = {
  newTrigger(user: string): string
  /** Uses a trigger up: the person it belongs to, or the error Slack gives. */
  takeTrigger(id: string): { user: string } | { error: string }
  newResponse(target: ResponseTarget): string
  takeResponse(id: string): ResponseTarget | { error: string }
  hasResponse(id: string): boolean
}

const RESPONSE_MS = 30 * 60_000
const RESPONSE_USES = 5
const KEPT = 5_000

/** @param triggerMs how long a trigger id is good; Slack's three seconds by default */
export function createHooks(triggerMs = 3_000): Hooks {
  const triggers = new Map<string, { user: string; until: number; used: boolean }>()
  const responses = new Map<string, { target: ResponseTarget; until: number; uses: number }>()
  return {
    newTrigger(user) {
      const id = `${Date.now()}.${newId('', 6)}.${newSecret()}`
      triggers.set(id, { user, until: Date.now() + triggerMs, used: false })
      dropOldest(triggers)
      return id
    },
    takeTrigger(id) {
      const trigger = triggers.get(id)
      if (!trigger) return { error: 'invalid_trigger_id' }
      if (trigger.until < Date.now()) return { error: 'expired_trigger_id' }
      if (trigger.used) return { error: 'exchanged_trigger_id' }
      trigger.used = true
      return { user: trigger.user }
    },
    newResponse(target) {
      const id = newSecret()
      responses.set(id, { target, until: Date.now() + RESPONSE_MS, uses: RESPONSE_USES })
      dropOldest(responses)
      return id
    },
    hasResponse: (id) => responses.has(id),
    takeResponse(id) {
      const response = responses.get(id)
      if (!response || response.until < Date.now()) return { error: 'expired_url' }
      if (response.uses === 0) return { error: 'used_url' }
      response.uses -= 1
      return response.target
    },
  }
}

function dropOldest(map: Map<string, unknown>): void {
  if (map.size <= KEPT) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

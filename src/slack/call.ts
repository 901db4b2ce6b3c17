/** Calls of Slack's Web API: in order of importance, at the pace Slack allows, repeated only where that is safe. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type WebAPICallResult, WebAPIRateLimitedError, type WebClient } from '@slack/web-api'
import { Fault } from '../core/fault.ts'
import { mayHaveArrived, slackFault } from './faults.ts'

const everywhere = (what: 'history' | 'read') => [
  `channels:${what}`,
  `groups:${what}`,
  `im:${what}`,
  `mpim:${what}`,
]

/** Every method the product calls with the bot token, and the scopes it needs. The manifests are held against this. */
export const METHODS = {
  'auth.test': { scopes: [], safe: true },
  'chat.postMessage': { scopes: ['chat:write'], safe: false },
  'chat.update': { scopes: ['chat:write'], safe: true },
  'chat.postEphemeral': { scopes: ['chat:write'], safe: false },
  'conversations.info': { scopes: everywhere('read'), safe: true },
  'conversations.members': { scopes: everywhere('read'), safe: true },
  'conversations.replies': { scopes: everywhere('history'), safe: true },
  'conversations.history': { scopes: everywhere('history'), safe: true },
  'users.info': { scopes: ['users:read'], safe: true },
  'users.list': { scopes: ['users:read'], safe: true },
  'views.open': { scopes: [], safe: false },
  'views.publish': { scopes: [], safe: true },
  'agents.sessions.setStatus': { scopes: ['chat:write', 'assistant:write'], safe: true },
} as const satisfies Record<string, { scopes: readonly string[]; safe: boolean }>
export type Method = keyof typeof METHODS

/** From the most important down. `progress` is dropped rather than waited for. */
export const PRIORITIES = ['approval', 'answer', 'error', 'progress'] as const
export type Priority = (typeof PRIORITIES)[number]

export type Call = (
  method: Method,
  args: Record<string, unknown>,
  options?: { priority?: Priority; droppable?: boolean },
) => Promise<WebAPICallResult | 'dropped'>

/** How long a call may wait for its turn and for Slack's limits, all in all. */
const LONGEST_WAIT_MS = 60_000
/** After a limit, progress stays quiet for at least this long, so that answers and approvals find room. */
const QUIET_MS = 10_000
/** Calls of one channel under way at once; one, a second apart, after Slack has limited the channel. */
const AT_ONCE = 8
const PACED_FOR_MS = 30_000
const PACE_MS = 1000

type Waiting = { rank: number; go: () => void }
type Lane = {
  waiting: Waiting[]
  active: number
  pacedUntil: number
  nextAt: number
  timer?: NodeJS.Timeout | undefined
}

/**
 * @param client a WebClient that rejects rate-limited calls and retries nothing itself
 * @returns `call`, which throws only a `Fault`, and `close`, after which waiting calls fail
 */
export function openCalls(
  client: WebClient,
  options: { longestWaitMs?: number } = {},
): { call: Call; close(): void } {
  const longest = options.longestWaitMs ?? LONGEST_WAIT_MS
  const lanes = new Map<string, Lane>()
  const limitedUntil = new Map<string, number>()
  const quietUntil = new Map<string, number>()
  const closed = new AbortController()

  async function call(
    method: Method,
    args: Record<string, unknown>,
    { priority = 'answer', droppable = false }: { priority?: Priority; droppable?: boolean } = {},
  ): Promise<WebAPICallResult | 'dropped'> {
    const channel = typeof args.channel === 'string' ? args.channel : undefined
    // Slack counts posts by channel, everything else by method.
    const limit = method === 'chat.postMessage' ? `${method} ${channel}` : method
    const rank = PRIORITIES.indexOf(priority)
    const deadline = performance.now() + longest
    const lane = channel && method.startsWith('chat.') ? laneOf(channel) : undefined
    for (let attempt = 1; ; attempt++) {
      const now = performance.now()
      if (droppable && (now < (quietUntil.get(limit) ?? 0) || now < (lane?.pacedUntil ?? 0))) return 'dropped'
      const limited = (limitedUntil.get(limit) ?? 0) - now
      // A little later by rank, so that of those who waited the most important is first in line.
      if (limited > 0) await pause(limited + rank * 10, deadline, method)
      if (lane) await turn(lane, rank)
      let wait: number
      try {
        if (performance.now() > deadline) throw tooLong(method)
        // Another call may have met the limit while this one waited for its turn.
        if (performance.now() < (limitedUntil.get(limit) ?? 0)) continue
        return await client.apiCall(method, args)
      } catch (error) {
        wait = after(error, { method, limit, lane, attempt })
      } finally {
        if (lane) leave(lane)
      }
      if (droppable) return 'dropped'
      await pause(wait, deadline, method)
    }
  }

  /** How long to wait before the next attempt; throws where there should be none. */
  function after(
    error: unknown,
    at: { method: Method; limit: string; lane: Lane | undefined; attempt: number },
  ): number {
    if (error instanceof Fault) throw error
    const now = performance.now()
    if (error instanceof WebAPIRateLimitedError) {
      const wait = Math.max(error.retryAfter, 1) * 1000
      limitedUntil.set(at.limit, now + wait)
      quietUntil.set(at.limit, now + Math.max(2 * wait, QUIET_MS))
      if (at.lane) at.lane.pacedUntil = now + wait + PACED_FOR_MS
      return wait
    }
    const fault = slackFault(error, at.method)
    const again = fault.retry && (METHODS[at.method].safe || !mayHaveArrived(error)) && at.attempt < 3
    if (!again) throw fault
    return 200 * 2 ** at.attempt * (0.75 + Math.random() / 2)
  }

  async function pause(ms: number, deadline: number, method: string): Promise<void> {
    if (closed.signal.aborted)
      throw new Fault('slack-unreachable', 'The connection to Slack was closed.', { retry: true })
    if (ms <= 0) return
    if (performance.now() + ms > deadline) throw tooLong(method)
    await sleep(ms, undefined, { signal: closed.signal }).catch((cause) => {
      throw new Fault('slack-unreachable', 'The connection to Slack was closed.', { retry: true, cause })
    })
  }

  function tooLong(method: string): Fault {
    const sentence = `Slack asks us to wait longer than ${Math.round(longest / 1000)} s before ${method}.`
    return new Fault('slack-limited', sentence, { retry: true })
  }

  function laneOf(channel: string): Lane {
    const lane = lanes.get(channel) ?? { waiting: [], active: 0, pacedUntil: 0, nextAt: 0 }
    if (lanes.size > 10_000) lanes.clear() // Only forgets who was limited; calls under way keep their lane.
    lanes.set(channel, lane)
    return lane
  }

  function turn(lane: Lane, rank: number): Promise<void> {
    return new Promise((go) => {
      const at = lane.waiting.findIndex((other) => other.rank > rank)
      lane.waiting.splice(at < 0 ? lane.waiting.length : at, 0, { rank, go })
      admit(lane)
    })
  }

  function admit(lane: Lane): void {
    const now = performance.now()
    const paced = now < lane.pacedUntil
    while (lane.waiting.length > 0 && lane.active < (paced ? 1 : AT_ONCE)) {
      if (paced && now < lane.nextAt) {
        lane.timer ??= setTimeout(() => {
          lane.timer = undefined
          admit(lane)
        }, lane.nextAt - now)
        return
      }
      lane.active += 1
      lane.nextAt = now + PACE_MS
      lane.waiting.shift()?.go()
    }
  }

  function leave(lane: Lane): void {
    lane.active -= 1
    admit(lane)
  }

  return { call, close: () => closed.abort() }
}

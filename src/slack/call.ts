/** Calls of Slack's Web API: in order of importance, at the pace Slack allows, repeated only where that is safe. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type WebAPICallResult, WebAPIRateLimitedError, type WebClient } from '@slack/web-api'
import { Fault } from '../core/fault.ts'
import { mayHaveArrived, slackFault } from './faults.ts'
import { type Lane, openLane, openLimits, openPace, type Pace } from './lane.ts'

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
  'chat.getPermalink': { scopes: [], safe: true },
  'chat.postEphemeral': { scopes: ['chat:write'], safe: false },
  'files.getUploadURLExternal': { scopes: ['files:write'], safe: true },
  'files.completeUploadExternal': { scopes: ['files:write'], safe: false },
  'files.info': { scopes: ['files:read'], safe: true },
  'conversations.info': { scopes: everywhere('read'), safe: true },
  'conversations.open': { scopes: ['im:write'], safe: true },
  'conversations.members': { scopes: everywhere('read'), safe: true },
  'conversations.replies': { scopes: everywhere('history'), safe: true },
  'conversations.history': { scopes: everywhere('history'), safe: true },
  'users.conversations': { scopes: ['channels:read', 'groups:read'], safe: true },
  'users.info': { scopes: ['users:read'], safe: true },
  'users.list': { scopes: ['users:read'], safe: true },
  'usergroups.list': { scopes: ['usergroups:read'], safe: true },
  'usergroups.users.list': { scopes: ['usergroups:read'], safe: true },
  'views.open': { scopes: [], safe: false },
  'views.publish': { scopes: [], safe: true },
  'agents.sessions.setStatus': { scopes: ['chat:write', 'assistant:write'], safe: true },
} as const satisfies Record<string, { scopes: readonly string[]; safe: boolean }>
type Method = keyof typeof METHODS

/**
 * From the most important down. `progress` is dropped rather than waited for; `background` waits as long as it takes,
 * and leaves room: one call of a method at a time, at a pace below what Slack allows.
 */
const PRIORITIES = ['approval', 'answer', 'error', 'progress', 'background'] as const
export type Priority = (typeof PRIORITIES)[number]

export type Call = (
  method: Method,
  args: Record<string, unknown>,
  options?: { priority?: Priority; droppable?: boolean; signal?: AbortSignal },
) => Promise<WebAPICallResult | 'dropped'>

/** How long a call may wait for its turn and for Slack's limits, all in all. */
const LONGEST_WAIT_MS = 60_000

/**
 * @param client a WebClient that rejects rate-limited calls and retries nothing itself
 * @returns `call`, which throws only a `Fault`, and `close`, after which calls that wait out a limit fail
 */
export function openCalls(client: WebClient): { call: Call; close(): void } {
  const lanes = new Map<string, Lane>()
  const limits = openLimits()
  const closed = new AbortController()

  function laneOf(channel: string): Lane {
    const lane = lanes.get(channel) ?? openLane()
    if (lanes.size > 10_000) lanes.clear() // Only forgets who was limited; calls under way keep their lane.
    lanes.set(channel, lane)
    return lane
  }

  const paces = new Map<string, Pace>()
  function paceOf(method: string): Pace {
    const pace = paces.get(method) ?? openPace()
    paces.set(method, pace)
    return pace
  }

  const call: Call = async (method, args, { priority = 'answer', droppable = false, signal } = {}) => {
    const ends = signal ? AbortSignal.any([signal, closed.signal]) : closed.signal
    const pace = priority === 'background' ? paceOf(method) : undefined
    const channel = typeof args.channel === 'string' ? args.channel : undefined
    // Slack counts posts by channel, everything else by method.
    const limit = method === 'chat.postMessage' ? `${method} ${channel}` : method
    const lane = channel && method.startsWith('chat.') ? laneOf(channel) : undefined
    const rank = PRIORITIES.indexOf(priority)
    const deadline = pace ? Number.POSITIVE_INFINITY : performance.now() + LONGEST_WAIT_MS
    for (let attempt = 1; ; attempt++) {
      if (droppable && (limits.quiet(limit) || lane?.paced())) return 'dropped'
      const left = limits.left(limit)
      // A little later by rank, so that of those who waited the most important is first in line.
      if (left > 0) await pause(left + rank * 10, deadline, method, ends)
      if (pace) await pause(pace.next(), deadline, method, ends)
      await lane?.turn(rank)
      let wait: number
      try {
        if (performance.now() > deadline) throw tooLong(method)
        if (limits.left(limit) > 0) continue // Another call met the limit while this one waited for its turn.
        return await client.apiCall(method, args)
      } catch (error) {
        wait = waitAfter(error, method, attempt)
        if (error instanceof WebAPIRateLimitedError) {
          limits.hit(limit, wait)
          lane?.slow(wait)
          pace?.slow(wait)
        }
      } finally {
        lane?.leave()
      }
      if (droppable) return 'dropped'
      await pause(wait, deadline, method, ends)
    }
  }

  return { call, close: () => closed.abort() }
}

/** Milliseconds to wait before the next attempt; throws where there should be none. */
function waitAfter(error: unknown, method: Method, attempt: number): number {
  if (error instanceof WebAPIRateLimitedError) return Math.max(error.retryAfter, 1) * 1000
  const fault = slackFault(error, method)
  const again = fault.code !== 'slack-limited' && fault.retry && attempt < 3
  if (!again || (!METHODS[method].safe && mayHaveArrived(error))) throw fault
  return 200 * 2 ** attempt * (0.75 + Math.random() / 2)
}

async function pause(ms: number, deadline: number, method: string, signal: AbortSignal): Promise<void> {
  if (performance.now() + ms > deadline) throw tooLong(method)
  await sleep(ms, undefined, { signal }).catch((cause) => {
    throw new Fault('slack-unreachable', 'The connection to Slack was closed.', { retry: true, cause })
  })
}

function tooLong(method: string): Fault {
  const sentence = `Slack asks us to wait longer than ${LONGEST_WAIT_MS / 1000} s before ${method}.`
  return new Fault('slack-limited', sentence, { retry: true })
}

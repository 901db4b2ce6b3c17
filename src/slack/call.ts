/** Calls of Slack's Web API: in order of importance, at the pace Slack allows, repeated only where that is safe. */
import { type WebAPICallResult, WebAPIRateLimitedError, type WebClient } from '@slack/web-api'
import { Fault } from '../core/fault.ts'
import { isTokenWord, mayHaveArrived, slackFault, slackWord } from './faults.ts'
import {
  type Clock,
  type Gate,
  LIMITS,
  type Limit,
  openClock,
  openGate,
  openPace,
  type Pace,
  type Tier,
} from './gate.ts'
import type { Log } from './message.ts'
import type { Tokens } from './token.ts'

const everywhere = (what: 'history' | 'read') => [
  `channels:${what}`,
  `groups:${what}`,
  `im:${what}`,
  `mpim:${what}`,
]

/** Every method the product calls with the bot token, the scopes it needs and its limit. The manifests are held against this. */
export const METHODS = {
  'auth.test': { scopes: [], safe: true, tier: 'free' },
  'chat.postMessage': { scopes: ['chat:write'], safe: false, tier: 'post' },
  'chat.update': { scopes: ['chat:write'], safe: true, tier: 3 },
  'chat.delete': { scopes: ['chat:write'], safe: true, tier: 3 },
  'chat.startStream': { scopes: ['chat:write'], safe: false, tier: 2 },
  'chat.appendStream': { scopes: ['chat:write'], safe: false, tier: 4 },
  'chat.stopStream': { scopes: ['chat:write'], safe: true, tier: 2 },
  'chat.getPermalink': { scopes: [], safe: true, tier: 'free' },
  'chat.postEphemeral': { scopes: ['chat:write'], safe: false, tier: 4 },
  'files.info': { scopes: ['files:read'], safe: true, tier: 4 },
  'files.getUploadURLExternal': { scopes: ['files:write'], safe: true, tier: 4 },
  'files.completeUploadExternal': { scopes: ['files:write'], safe: false, tier: 4 },
  'conversations.info': { scopes: everywhere('read'), safe: true, tier: 3 },
  'conversations.open': { scopes: ['im:write'], safe: true, tier: 3 },
  'conversations.members': { scopes: everywhere('read'), safe: true, tier: 4 },
  'conversations.replies': { scopes: everywhere('history'), safe: true, tier: 3 },
  'conversations.history': { scopes: everywhere('history'), safe: true, tier: 3 },
  'users.conversations': { scopes: everywhere('read'), safe: true, tier: 3 },
  'users.info': { scopes: ['users:read'], safe: true, tier: 4 },
  'users.list': { scopes: ['users:read'], safe: true, tier: 2 },
  'usergroups.list': { scopes: ['usergroups:read'], safe: true, tier: 2 },
  'usergroups.users.list': { scopes: ['usergroups:read'], safe: true, tier: 2 },
  'views.open': { scopes: [], safe: false, tier: 4 },
  'views.publish': { scopes: [], safe: true, tier: 4 },
  'agents.sessions.setStatus': { scopes: ['chat:write', 'assistant:write'], safe: true, tier: 3 },
} as const satisfies Record<string, { scopes: readonly string[]; safe: boolean; tier: Tier }>
type Method = keyof typeof METHODS

/**
 * From the most important down, and how much of a limit each may use. `progress` is dropped rather than waited for;
 * `background` waits as long as it takes, and leaves room: one call of a method at a time.
 */
const SHARES = { approval: 1, answer: 0.96, error: 0.92, progress: 0.6, background: 0.8 }
const PRIORITIES = ['approval', 'answer', 'error', 'progress', 'background'] as const
export type Priority = (typeof PRIORITIES)[number]

export type CallOptions = {
  priority?: Priority
  /** Dropped where it cannot go: at once, or after so many ms. */
  droppable?: boolean | number
  signal?: AbortSignal
}
export type Call = (
  method: Method,
  args: Record<string, unknown>,
  options?: CallOptions,
) => Promise<WebAPICallResult | 'dropped'>

/** How long a call may wait for its turn and for Slack's limits, all in all. */
const LONGEST_WAIT_MS = 60_000

/**
 * @param client a WebClient that rejects rate-limited calls and retries nothing itself
 * @param tokens where its token comes from
 * @param options.speed how fast the clock of Slack's published limits goes, which are kept; absent: limits are those
 * that we are told of
 * @returns `call`, which throws only a `Fault`, and `close`, after which calls that wait out a limit fail
 */
export function openCalls(
  client: WebClient,
  tokens: Tokens,
  { speed, log }: { speed?: number | undefined; log?: Log | undefined } = {},
): { call: Call; close(): void } {
  const clock = openClock(speed)
  const limitOf = (tier: keyof typeof LIMITS): Limit =>
    speed === undefined ? { ...LIMITS[tier], calls: Number.POSITIVE_INFINITY } : LIMITS[tier]
  const gates = new Map<string, Gate>()
  const paces = new Map<string, Pace>()
  const closed = new AbortController()

  /** Slack counts posts by channel, everything else by method. */
  function gateOf(method: Method, channel: unknown): Gate | undefined {
    const { tier } = METHODS[method]
    if (tier === 'free') return undefined
    const key = tier === 'post' ? `${method} ${channel}` : method
    const gate = gates.get(key) ?? openGate(limitOf(tier), clock)
    if (gates.size > 10_000) gates.clear() // Only forgets what was sent; calls that wait keep their gate.
    gates.set(key, gate)
    return gate
  }
  function paceOf(method: string): Pace {
    const pace = paces.get(method) ?? openPace(clock)
    paces.set(method, pace)
    return pace
  }

  const call: Call = async (method, args, { priority = 'answer', droppable = false, signal } = {}) => {
    const ends = signal ? AbortSignal.any([signal, closed.signal]) : closed.signal
    const gate = gateOf(method, args.channel)
    const pace = priority === 'background' ? paceOf(method) : undefined
    const [share, rank] = [SHARES[priority], PRIORITIES.indexOf(priority)]
    const begun = clock.now()
    const longest = pace ? Number.POSITIVE_INFINITY : LONGEST_WAIT_MS
    const patience = typeof droppable === 'number' ? droppable : longest
    const drop = (): 'dropped' => {
      log?.('debug', 'A call to Slack was dropped', { method })
      return 'dropped'
    }
    for (let attempt = 1; ; attempt++) {
      if (droppable === true && gate && !gate.calm(share)) return drop()
      if (pace) await pause(pace.next(), ends, clock)
      const turn = await gate?.turn(share, rank, patience - (clock.now() - begun), ends)
      if (turn === 'closed') throw hungUp()
      if (turn === 'late') {
        if (droppable !== false) return drop()
        throw tooLong(method)
      }
      let wait: number
      try {
        return await client.apiCall(method, args)
      } catch (error) {
        const word = slackWord(error) ?? ''
        if (attempt < 3 && isTokenWord(word) && (await tokens.refused(word))) continue
        wait = waitAfter(error, method, attempt)
        if (error instanceof WebAPIRateLimitedError) {
          gate?.hit(wait)
          pace?.slow(wait)
          if (gate) wait = 0 // It waits at the gate.
          if (clock.now() - begun + error.retryAfter * 1000 > longest && !droppable) throw tooLong(method)
        }
      } finally {
        gate?.leave()
      }
      if (droppable) return drop()
      if (wait > 0) await pause(wait, ends, clock)
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

async function pause(ms: number, signal: AbortSignal, clock: Clock): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = clock.after(ms, end)
    function end() {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
  if (signal.aborted) throw hungUp()
}

function hungUp(): Fault {
  return new Fault('slack-unreachable', 'The connection to Slack was closed.', { retry: true })
}

function tooLong(method: string): Fault {
  const sentence = `Slack asks us to wait longer than ${LONGEST_WAIT_MS / 1000} s before ${method}.`
  return new Fault('slack-limited', sentence, { retry: true })
}

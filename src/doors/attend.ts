/** One workspace, attended to by this process: heard, worked for, or both. */
import type { ConnectContext } from '../agent/accounts/connect.ts'
import { tellAlerts } from '../agent/budgets/alerts.ts'
import { type Follower, openFollower } from '../agent/knowledge/follower.ts'
import { repeat } from '../agent/repeat.ts'
import type { Slots } from '../agent/slots.ts'
import type { Worker } from '../agent/work.ts'
import type { Desk } from '../slack/listen.ts'
import type { Speak, Speaker } from '../slack/speak.ts'
import type { Engines } from './engines.ts'
import { openHearing, type Poke } from './hearing.ts'
import { startWorker } from './working.ts'

/** What this process does. */
export type Part = 'all' | 'slack' | 'worker'

export type Attended = {
  workspace: string
  speak: Speak
  /** Where the line brings what comes from the workspace; absent in a process that only works. */
  desk?: Desk
  /** The line is open. */
  begin(): void
  /** Throws where the queue does not answer. */
  ping(): Promise<void>
  /**
   * Finishes or hands back what is under way within `graceMs`, everything at once. Where that is done, and the line has
   * `ended`, nobody speaks any more: what waits out a limit of Slack ends.
   */
  close(graceMs: number, ended?: Promise<unknown>): Promise<void>
}

export type Attending = {
  part: Part
  connecting: ConnectContext
  /** Whether Slack can reach us now. */
  listening: () => boolean
  slots: Slots
  /** What else is done for a workspace that is worked for here. */
  beside?: ((workspace: string) => { close(): Promise<void> }) | undefined
}

/** Alerts of budgets are said this often, in ms. */
const ALERTS_MS = 3_000

/** Opens all that a workspace needs here; the speaker is closed with it. */
export async function attend(
  engines: Engines,
  speaker: Speaker,
  { part, connecting, listening, slots, beside }: Attending,
): Promise<Attended> {
  const { home, store, log } = engines
  const { identity, speak, channels } = speaker
  const { workspace } = identity
  await using opened = new AsyncDisposableStack()
  opened.defer(async () => speaker.close())
  const ends: ((graceMs: number) => Promise<void>)[] = []
  let ping = async () => {}
  let worker: Worker | undefined
  let follower: Follower | undefined
  if (part !== 'slack') {
    const queue = opened.use(await engines.openQueue(workspace))
    ping = () => queue.ping()
    const working = await startWorker(engines, workspace, speaker, queue, connecting, slots)
    worker = working
    ends.push(working.close)
    const sources = () => home.sources
    const following = openFollower({ pool: store.pool, workspace, sources, log, speak, channels })
    follower = following
    ends.push(() => following.close())
    const telling = { pool: store.pool, workspace, policy: home.policy, speak, log }
    const alerts = repeat(ALERTS_MS, () => tellAlerts(telling), log)
    ends.push(() => alerts.close())
    const also = beside?.(workspace)
    if (also) ends.push(() => also.close())
  }
  const poke: Poke = { worker: () => worker?.poke(), follower: (what) => follower?.poke(what) }
  const hearing = part === 'worker' ? undefined : openHearing(engines, speaker, connecting, poke, listening)
  if (hearing) ends.push(() => hearing.close())
  const rest = opened.move()
  return {
    workspace,
    speak,
    ...(hearing ? { desk: { identity, speak, on: hearing.on } } : {}),
    begin: () => hearing?.begin(),
    ping: () => ping(),
    async close(graceMs, ended) {
      const quiet = Promise.all([worker?.idle, ended]).then(() => speaker.close())
      await Promise.all([quiet, ...ends.map((end) => end(graceMs))]).finally(() => rest.disposeAsync())
    },
  }
}

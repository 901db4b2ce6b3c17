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
  /** Finishes or hands back what is under way within `graceMs`. */
  close(graceMs: number): Promise<void>
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
  let graceMs = 0
  let ping = async () => {}
  let worker: Worker | undefined
  let follower: Follower | undefined
  if (part !== 'slack') {
    const queue = opened.use(await engines.openQueue(workspace))
    ping = () => queue.ping()
    const working = await startWorker(engines, workspace, speaker, queue, connecting, slots)
    worker = working
    opened.defer(() => working.close(graceMs))
    const sources = () => home.sources
    const following = openFollower({ pool: store.pool, workspace, sources, log, speak, channels })
    follower = following
    opened.defer(() => following.close())
    const telling = { pool: store.pool, workspace, policy: home.policy, speak, log }
    const alerts = repeat(ALERTS_MS, () => tellAlerts(telling), log)
    opened.defer(() => alerts.close())
    const also = beside?.(workspace)
    if (also) opened.defer(() => also.close())
  }
  const poke: Poke = { worker: () => worker?.poke(), follower: (what) => follower?.poke(what) }
  const hearing = part === 'worker' ? undefined : openHearing(engines, speaker, connecting, poke, listening)
  if (hearing) opened.defer(() => hearing.close())
  const rest = opened.move()
  return {
    workspace,
    speak,
    ...(hearing ? { desk: { identity, speak, on: hearing.on } } : {}),
    begin: () => hearing?.begin(),
    ping: () => ping(),
    close(grace) {
      graceMs = grace
      return rest.disposeAsync()
    },
  }
}

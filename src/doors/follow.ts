/** Following the channels of Slack that sources.yaml names, and embedding what is found in them. */
import { type Follower, openFollower } from '../agent/knowledge/follower.ts'
import { repeat } from '../agent/repeat.ts'
import type { Speaker } from '../slack/speak.ts'
import type { Engines } from './engines.ts'
import { makeVectors } from './learn.ts'

/** Passages without a vector are looked for this often, in ms, and whenever some were written. */
const VECTORS_MS = 60_000

/** Opened in processes that work; also where no source is a channel, for there may be some to forget. */
export function openFollowing(
  engines: Engines,
  speaker: Pick<Speaker, 'identity' | 'speak' | 'channels'>,
): Follower {
  const { store, home, log } = engines
  const { workspace } = speaker.identity
  const stop = new AbortController()
  const vectors = repeat(VECTORS_MS, () => makeVectors(engines, workspace, stop.signal), log)
  const follower = openFollower({
    ...{ pool: store.pool, workspace, sources: home.sources, log },
    ...{ speak: speaker.speak, channels: speaker.channels },
    embed: vectors.poke,
  })
  return {
    poke: follower.poke,
    async close() {
      stop.abort()
      await Promise.all([follower.close(), vectors.close()])
    },
  }
}

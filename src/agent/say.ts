/** Saying things in Slack exactly once, across crashes: an intent first, the post, its ts after. */

import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { Fault } from '../core/fault.ts'
import type { Message } from '../slack/message.ts'
import type { SayOptions } from '../slack/post.ts'
import type { Speak } from '../slack/speak.ts'
import type { File } from '../slack/upload.ts'
import { adoptPost, beginPost, dropPost, endPost, findPost } from '../store/posts.ts'

/** What saying needs. */
export type Mouth = { pool: pg.Pool; speak: Pick<Speak, 'post' | 'find'> }

/** What names a thing that is said for ever: `owner` is a run or an inbox key. */
type Named = { owner: string; part: string; channel: string; thread?: string }
/** One thing to say. What is droppable and was dropped throws `slack-limited`, and can be said later. */
export type Saying = Named & { message: Message } & SayOptions

/** After this long an author who announced a post and has not come back is taken for dead, in ms. */
const AUTHOR_LOST_MS = 15_000

/**
 * Says it, or finds out where it was said. `busy`: somebody else is saying it right now.
 * Throws the `Fault` of Slack's refusal; then it can be tried again.
 */
export function sayOnce(
  mouth: Mouth,
  saying: Saying,
  lostMs = AUTHOR_LOST_MS,
): Promise<{ ts: string; new: boolean } | 'busy'> {
  const { owner, part, channel, thread, priority, droppable } = saying
  const options = { ...(priority ? { priority } : {}), ...(droppable ? { droppable } : {}) }
  const message = { ...saying.message, metadata: { run: owner, part } }
  const deed: Deed = {
    find: () => mouth.speak.find(channel, thread, owner, part),
    make: async () => (await mouth.speak.post(channel, thread, message, options)).ts,
  }
  return doOnce(mouth.pool, saying, deed, lostMs)
}

/** Shares files in a thread once, waiting for whoever is doing it. Their names must be theirs alone. */
export async function shareForSure(
  mouth: { pool: pg.Pool; speak: Pick<Speak, 'upload' | 'findFile'> },
  named: Named & { thread: string },
  files: readonly File[],
  comment: string,
): Promise<void> {
  const { channel, thread } = named
  const deed: Deed = {
    find: () => mouth.speak.findFile(channel, thread, files[0]?.name ?? ''),
    make: async () => (await mouth.speak.upload(channel, thread, files, comment)).file,
  }
  while ((await doOnce(mouth.pool, named, deed)) === 'busy') await sleep(100)
}

/** What is done once: both give where it stands now. */
type Deed = { find: () => Promise<string | undefined>; make: () => Promise<string> }

/** Does it, or finds what came of it. `busy`: somebody else is doing it right now. */
export async function doOnce(
  pool: pg.Pool,
  { owner, part, channel }: Named,
  deed: Deed,
  lostMs = AUTHOR_LOST_MS,
): Promise<{ ts: string; new: boolean } | 'busy'> {
  const post = await beginPost(pool, owner, part, channel)
  if (post.state === 'posted') return { ts: post.ts, new: false }
  if (post.state === 'posting' && !(await adoptPost(pool, owner, part, lostMs))) return 'busy'
  // Slack may have us wait for longer than an author may be silent.
  const beat = setInterval(() => void adoptPost(pool, owner, part, 0).catch(() => false), lostMs / 3)
  try {
    const found = post.state === 'posting' ? await deed.find() : undefined
    const ts = found ?? (await makeOrDrop(pool, owner, part, deed))
    await endPost(pool, owner, part, ts)
    return { ts, new: found === undefined }
  } finally {
    clearInterval(beat)
  }
}

/** Takes the announcement back where Slack surely did not do it. */
async function makeOrDrop(pool: pg.Pool, owner: string, part: string, deed: Deed): Promise<string> {
  try {
    return await deed.make()
  } catch (error) {
    if (error instanceof Fault && error.code !== 'slack-unreachable') await dropPost(pool, owner, part)
    throw error
  }
}

/** As {@link sayOnce}, waiting for whoever is saying it. */
export async function sayForSure(
  mouth: Mouth,
  saying: Saying,
  lostMs = AUTHOR_LOST_MS,
): Promise<{ ts: string; new: boolean }> {
  for (;;) {
    const said = await sayOnce(mouth, saying, lostMs)
    if (said !== 'busy') return said
    await sleep(100)
  }
}

/** Where it was said, also where whoever said it died before recording that; undefined where it was not. */
export async function findSaid(mouth: Mouth, saying: Omit<Saying, 'message'>): Promise<string | undefined> {
  const { owner, part } = saying
  const post = await findPost(mouth.pool, owner, part)
  if (!post || post.ts) return post?.ts
  const said = await mouth.speak.find(saying.channel, saying.thread, owner, part)
  if (said) await endPost(mouth.pool, owner, part, said)
  return said
}

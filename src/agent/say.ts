/** Saying things in Slack exactly once, across crashes: an intent first, the post, its ts after. */

import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { Fault } from '../core/fault.ts'
import type { Message } from '../slack/message.ts'
import type { Speak } from '../slack/speak.ts'
import { adoptPost, beginPost, dropPost, endPost, findPost } from '../store/posts.ts'

/** What saying needs. */
export type Mouth = { pool: pg.Pool; speak: Pick<Speak, 'post' | 'find'> }

/** One thing to say: `owner` (a run or an inbox key) and `part` name it for ever. */
export type Saying = { owner: string; part: string; channel: string; thread?: string; message: Message }

/** After this long an author who announced a post and has not come back is taken for dead, in ms. */
const AUTHOR_LOST_MS = 15_000

/**
 * Says it, or finds out where it was said. `busy`: somebody else is saying it right now.
 * Throws the `Fault` of Slack's refusal; then it can be tried again.
 */
export async function sayOnce(
  mouth: Mouth,
  saying: Saying,
  lostMs = AUTHOR_LOST_MS,
): Promise<{ ts: string; new: boolean } | 'busy'> {
  const { owner, part } = saying
  const post = await beginPost(mouth.pool, owner, part, saying.channel)
  if (post.state === 'posted') return { ts: post.ts, new: false }
  if (post.state === 'posting' && !(await adoptPost(mouth.pool, owner, part, lostMs))) return 'busy'
  // Slack may have us wait for longer than an author may be silent.
  const beat = setInterval(() => void adoptPost(mouth.pool, owner, part, 0).catch(() => false), lostMs / 3)
  try {
    return await sayNow(mouth, saying, post.state === 'posting')
  } finally {
    clearInterval(beat)
  }
}

async function sayNow(mouth: Mouth, saying: Saying, adopted: boolean): Promise<{ ts: string; new: boolean }> {
  const { owner, part } = saying
  if (adopted) {
    const said = await mouth.speak.find(saying.channel, saying.thread, owner, part)
    if (said) {
      await endPost(mouth.pool, owner, part, said)
      return { ts: said, new: false }
    }
  }
  const message = { ...saying.message, metadata: { run: owner, part } }
  try {
    const { ts } = await mouth.speak.post(saying.channel, saying.thread, message)
    await endPost(mouth.pool, owner, part, ts)
    return { ts, new: true }
  } catch (error) {
    if (error instanceof Fault && error.code !== 'slack-unreachable') await dropPost(mouth.pool, owner, part)
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

/** Messages in which a run shows its work: streams in direct conversations, edited messages elsewhere. */
import type { AnyChunk } from '@slack/types'
import type pg from 'pg'
import { Fault } from '../core/fault.ts'
import type { Message } from '../slack/message.ts'
import type { Speak } from '../slack/speak.ts'
import { readParts } from '../store/posts.ts'
import type { Run } from '../store/runs.ts'
import { doOnce } from './say.ts'

export const PROGRESS = { priority: 'progress', droppable: true } as const

/** What a run says as one of its messages, named for ever. */
export function placed(run: Run, part: string, message: Message) {
  return { owner: run.id, part, channel: run.channel, thread: run.thread, message }
}

/** A plan that finds no room is left out: what follows it says more. */
export function unlessLimited(error: unknown): 'busy' {
  if (error instanceof Fault && error.code === 'slack-limited') return 'busy'
  throw error
}

export type Beginning = { pool: pg.Pool; speak: Pick<Speak, 'streams'> }

/** The n-th stream of a run, from 1, as it is announced. */
export const streamPart = (n: number): string => `live:${n}`

/** Of this the announcement is taken back: nothing was begun. */
const NONE = new Fault('slack-refused', 'no stream')

/** Begins a stream once, or finds it. `unavailable`: there is none to be had. `busy`: somebody else is at it. */
export async function startOnce(
  { pool, speak }: Beginning,
  run: Run,
  part: string,
  chunks: AnyChunk[],
): Promise<{ ts: string; new: boolean } | 'busy' | 'unavailable'> {
  const { channel, thread, asker: user } = run
  const make = async () => {
    const started = await speak.streams.start({ channel, thread, user }, chunks)
    if (started === 'unavailable') throw NONE
    return started.ts
  }
  const find = async () => (await speak.streams.findOpen(channel, thread)).at(-1)
  try {
    return await doOnce(pool, { owner: run.id, part, channel }, { find, make })
  } catch (error) {
    if (error === NONE) return 'unavailable'
    throw error
  }
}

/** A message that shows work: a stream, or what was posted instead. */
export type Recorded = { part: string; ts: string; begunAt: Date }

/**
 * What a run has put into the thread to show its work, the oldest first, without what has become part of an answer;
 * `next` is the number of its next stream. `answers`: of these messages, those that are answers by now.
 */
export async function readShown(
  pool: pg.Pool,
  run: string,
): Promise<{ shown: Recorded[]; next: number; answers: Set<string> }> {
  const parts = await readParts(pool, run)
  const said = new Set(parts.flatMap((one) => (one.part.startsWith('end:') && one.ts ? [one.ts] : [])))
  const all = parts.flatMap(({ ts, ...one }) =>
    ts && (one.part === 'plan' || one.part.startsWith('live:')) ? [{ ...one, ts }] : [],
  )
  const numbers = parts.flatMap(({ part }) => (part.startsWith('live:') ? [Number(part.slice(5))] : []))
  return {
    shown: all.filter(({ ts }) => !said.has(ts)),
    next: Math.max(0, ...numbers) + 1,
    answers: new Set(all.flatMap(({ ts }) => (said.has(ts) ? [ts] : []))),
  }
}

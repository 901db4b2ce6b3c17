/** History: what was said in a channel before, or while nobody listened, page by page and thread by thread. */
import type pg from 'pg'
import type { Turn } from '../../core/overheard.ts'
import { millisOf } from '../../core/overheard.ts'
import type { Channels, Root } from '../../slack/channels.ts'
import { type Followed, leaveChannel, moveWalk, type Walk } from '../../store/followed.ts'
import { inTransaction, type Tx } from '../../store/transaction.ts'
import {
  type ChannelPlace,
  claimThread,
  type DueThread,
  dropUnseen,
  endThread,
  holdThread,
  keepTurn,
  lockChannel,
  noteThreads,
  storeTime,
} from '../../store/turns.ts'
import { repeat } from '../repeat.ts'

export type HistoryContext = {
  pool: pg.Pool
  workspace: string
  channels: Pick<Channels, 'page' | 'thread'>
  signal?: AbortSignal | undefined
}

/** Messages kept in one transaction: what is said meanwhile waits for it. */
const SLICE = 50
/** Whoever reads a thread holds it for so long, in ms, and renews that while Slack makes it wait. */
const HOLD_MS = 30_000
/** Threads in which somebody wrote lately are read again with every walk: history does not tell of edited replies. */
const LIVELY_MS = 7 * 24 * 3_600_000

/**
 * Reads one page of a channel's history and what it says of its threads, and notes how far that has come. Ended at any
 * point and done again it comes to the same.
 */
export async function readHistory(context: HistoryContext, channel: Followed, walk: Walk): Promise<void> {
  const { pool, signal } = context
  const began = await storeTime(pool)
  const range = { before: walk.at ?? undefined, after: walk.floor }
  const page = await context.channels.page(channel.channel, range, signal)
  if (page === 'not-ours') return leaveChannel(pool, channel)
  const turns = page.roots.flatMap(({ turn, replies }) =>
    turn ? [{ turn, threaded: Boolean(replies) }] : [],
  )
  await keepTurns(pool, channel, turns)
  await inTransaction(pool, async (tx) => {
    await lockChannel(tx, channel)
    const seen = turns.map(({ turn }) => turn.ts)
    const until = walk.at ?? undefined
    await dropUnseen(tx, channel, { after: page.reached ?? walk.floor, until }, seen, began)
    await noteThreads(tx, channel, threadsOf(page.roots, began))
    await moveWalk(tx, channel, walk.floor, page.reached)
  })
}

function threadsOf(roots: Root[], now: Date) {
  return roots.flatMap(({ ts, replies }) =>
    replies ? [{ ts, ...replies, again: now.getTime() - millisOf(replies.latest || ts) < LIVELY_MS }] : [],
  )
}

/** Reads one thread that waits to be read; false where none does. */
export async function readOneThread(context: HistoryContext): Promise<boolean> {
  const { pool, workspace, channels, signal } = context
  let due = await claimThread(pool, workspace, HOLD_MS)
  if (!due) return false
  const began = await storeTime(pool)
  const holding = repeat(
    HOLD_MS / 3,
    async () => {
      if (due) due = await holdThread(pool, due, HOLD_MS)
    },
    () => {},
  )
  const read = await channels.thread(due.channel, due.thread, signal).finally(() => holding.close())
  if (read === 'not-ours') await leaveChannel(pool, due)
  else await keepThread(pool, due, read === 'not-there' ? { turns: [], whole: true } : read, began)
  return true
}

async function keepThread(
  pool: pg.Pool,
  due: DueThread,
  { turns, whole }: { turns: Turn[]; whole: boolean },
  began: Date,
): Promise<void> {
  await keepTurns(
    pool,
    due,
    turns.map((turn) => ({ turn, threaded: true })),
  )
  await inTransaction(pool, async (tx) => {
    await lockChannel(tx, due)
    const seen = turns.map((turn) => turn.ts)
    if (whole) await dropUnseen(tx, due, { thread: due.thread }, seen, began)
    await endThread(tx, due)
  })
}

async function keepTurns(
  pool: pg.Pool,
  place: ChannelPlace,
  turns: { turn: Turn; threaded: boolean }[],
): Promise<void> {
  for (let at = 0; at < turns.length; at += SLICE) {
    await inTransaction(pool, async (tx: Tx) => {
      await lockChannel(tx, place)
      for (const { turn, threaded } of turns.slice(at, at + SLICE)) await keepTurn(tx, place, turn, threaded)
    })
  }
}

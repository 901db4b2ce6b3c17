/** Overhear: what is said in a channel that is a source is kept, edited and forgotten as it happens. */
import type pg from 'pg'
import type { Overheard } from '../../core/overheard.ts'
import { isFollowed, leaveChannel } from '../../store/followed.ts'
import { inTransaction } from '../../store/transaction.ts'
import { dropTurn, keepTurn, lockChannel, noteUnknownThread } from '../../store/turns.ts'

export type OverhearContext = {
  pool: pg.Pool
  /** There are documents to be made anew, or a channel that changed. */
  poke: (what: 'documents' | 'channels') => void
}

/**
 * Takes one thing that happened. Acknowledge only after this: it throws where it could not be kept. Any number of times
 * and in any order it comes to the same; of channels that are no source nothing is kept.
 */
export async function overhear({ pool, poke }: OverhearContext, overheard: Overheard): Promise<void> {
  const place = { workspace: overheard.workspace, channel: overheard.channel }
  if (overheard.kind === 'channel') {
    if (overheard.change === 'left' || overheard.change === 'gone') await leaveChannel(pool, place)
    return poke('channels')
  }
  if (!(await isFollowed(pool, place))) return
  await inTransaction(pool, async (tx) => {
    await lockChannel(tx, place)
    if (overheard.kind === 'unsaid') return dropTurn(tx, place, overheard.ts, overheard.edited)
    const { turn } = overheard
    if (turn.thread) await noteUnknownThread(tx, place, turn.thread)
    await keepTurn(tx, place, turn)
  })
  poke('documents')
}

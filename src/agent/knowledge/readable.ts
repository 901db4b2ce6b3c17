/** What one person may read of what is known, asked of Slack just now. */
import { setTimeout as sleep } from 'node:timers/promises'
import { audiencesOfPassages } from '../../store/passages.ts'
import { listSources, type SourceState } from '../../store/sources.ts'
import type { Db } from '../../store/transaction.ts'
import type { Rights } from './rights.ts'

export type ReadableContext = { pool: Db; rights: Pick<Rights, 'meet' | 'readable' | 'check'> }

/** Sources of which a person may read something, and for admins all. */
export async function sourcesFor(
  { pool, rights }: { pool: Db; rights: Pick<Rights, 'meet' | 'readable'> },
  { workspace, user }: { workspace: string; user: string },
  admin: boolean,
): Promise<SourceState[]> {
  const all = await listSources(pool, workspace)
  if (all.length === 0 || admin) return all
  const readers = `user:${user}`
  await rights.meet(workspace, readers)
  const { sure } = await rights.readable(workspace, readers)
  const mine = new Set(sure)
  return all.filter(({ audiences }) => audiences.some((audience) => mine.has(audience)))
}

/**
 * Of these passages those that all `readers` (a scope, as `readersOf` of core/audience gives it) may surely read just
 * now; none where that is not known within `patienceMs`. A passage that is gone is nobody's to read.
 */
export async function readablePassages(
  context: ReadableContext,
  of: { workspace: string; readers: string },
  passages: readonly string[],
  patienceMs: number,
): Promise<Set<string>> {
  if (passages.length === 0) return new Set()
  const late = new AbortController()
  const slow = sleep(patienceMs, new Set<string>(), { signal: late.signal, ref: false })
  slow.catch(() => undefined)
  try {
    return await Promise.race([findReadable(context, of, passages), slow])
  } finally {
    late.abort()
  }
}

async function findReadable(
  { pool, rights }: ReadableContext,
  { workspace, readers }: { workspace: string; readers: string },
  passages: readonly string[],
): Promise<Set<string>> {
  await rights.meet(workspace, readers)
  const audiences = await audiencesOfPassages(pool, workspace, passages)
  const wanted = new Set(audiences.values())
  let { known, sure } = await rights.readable(workspace, readers)
  const doubtful = known.filter((id) => wanted.has(id) && !sure.includes(id))
  if (doubtful.length > 0 && (await rights.check(workspace, doubtful)))
    ({ sure } = await rights.readable(workspace, readers))
  const mine = new Set(sure)
  return new Set([...audiences].flatMap(([passage, audience]) => (mine.has(audience) ? [passage] : [])))
}

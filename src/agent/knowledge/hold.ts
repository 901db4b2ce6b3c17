/** Hold: what a run read a while ago is held against what everybody in its thread may read now. */
import { audiencesOf } from '../../store/passages.ts'
import type { RecallContext } from './recall.ts'

/**
 * Of these passages those that not every reader surely may read any more. What Slack was not asked about lately is
 * asked about; where it does not tell, it is not sure. Passages that are gone are nobody's.
 */
export async function unreadable(
  { pool, rights }: Pick<RecallContext, 'pool' | 'rights'>,
  { workspace, readers }: { workspace: string; readers: string },
  passages: readonly string[],
): Promise<string[]> {
  await rights.meet(workspace, readers)
  const audiences = await audiencesOf(pool, passages)
  const doubtfulOf = async () => {
    const { sure } = await rights.readable(workspace, readers)
    return [...new Set(audiences.values())].filter((id) => !sure.includes(id))
  }
  let doubtful = await doubtfulOf()
  if (doubtful.length > 0 && (await rights.check(workspace, doubtful))) doubtful = await doubtfulOf()
  return passages.filter((id) => doubtful.includes(audiences.get(id) ?? -1))
}

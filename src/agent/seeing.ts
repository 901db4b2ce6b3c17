/** Who may see what in Slack, as Slack says it just now. */
import { readersOf } from '../core/audience.ts'
import type { Speak } from '../slack/speak.ts'
import type { Rights } from './knowledge/rights.ts'

/** Whether a person can read a channel: as its member, or as a full member of the workspace where it is open to all. */
export async function canRead(
  { roster }: Pick<Speak, 'roster'>,
  channel: string,
  user: string,
): Promise<boolean> {
  try {
    const { open, members } = await roster.channel(channel)
    return members.includes(user) || (open && (await roster.person(user)) === 'full')
  } catch {
    return false
  }
}

/** Whether people of other organisations can read where somebody is, or they are one. True where Slack does not tell. */
export function othersRead(
  { rights }: { rights: Pick<Rights, 'outside'> },
  { workspace, channel, user }: { workspace: string; channel: string; user: string },
): Promise<boolean> {
  return rights.outside(workspace, readersOf({ channel, dm: channel.startsWith('D'), asker: user }))
}

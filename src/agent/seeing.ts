/** What one person may see in Slack, as Slack says it just now. */
import type { Speak } from '../slack/speak.ts'

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

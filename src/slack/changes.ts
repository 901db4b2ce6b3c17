/** What Slack says of a change in who is who or who is in what. Pure, and it never throws. */
import { z } from 'zod'
import { type Kind, scopeOf } from '../core/audience.ts'
import { kindOf, User } from './user.ts'

/** A scope whose members changed, or a person who is new or changed. */
export type Change = { scope: string } | { person: string; kind: Kind }

const id = z.string().min(1)
const Envelope = z.object({
  event: z.union([
    z.object({
      type: z.enum(['member_joined_channel', 'member_left_channel', 'channel_shared', 'channel_unshared']),
      channel: id,
    }),
    z.object({ type: z.literal('subteam_members_changed'), subteam_id: id }),
    z.object({ type: z.enum(['subteam_created', 'subteam_updated']), subteam: z.object({ id }) }),
    z.object({ type: z.enum(['user_change', 'team_join']), user: User }),
  ]),
})

/** @param workspace the workspace that installed us */
export function changeOf(body: unknown, workspace: string): Change | undefined {
  const read = Envelope.safeParse(body)
  if (!read.success) return undefined
  const { event } = read.data
  if ('user' in event) return { person: event.user.id, kind: kindOf(event.user, workspace) }
  if ('subteam' in event) return { scope: scopeOf(event.subteam.id) }
  return { scope: scopeOf('subteam_id' in event ? event.subteam_id : event.channel) }
}

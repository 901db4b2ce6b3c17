/** A user as Slack describes one, and what counts about them. */
import { z } from 'zod'
import type { Kind } from '../core/audience.ts'
import type { Call, CallOptions } from './call.ts'
import { slackWord } from './faults.ts'

export const User = z.object({
  id: z.string(),
  team_id: z.string().optional(),
  deleted: z.boolean().optional(),
  name: z.string().nullish(),
  real_name: z.string().nullish(),
  is_bot: z.boolean().optional(),
  is_restricted: z.boolean().optional(),
  is_ultra_restricted: z.boolean().optional(),
  is_stranger: z.boolean().optional(),
  is_workflow_bot: z.boolean().optional(),
  /** On a Grid: all workspaces the person is a member of. */
  enterprise_user: z.object({ teams: z.array(z.string()).optional() }).optional(),
  profile: z.object({ display_name: z.string().nullish() }).nullish(),
})
export type User = z.infer<typeof User>

/** @param workspace the workspace that installed us: members of others are outsiders */
export function kindOf(user: User, workspace: string): Kind {
  if (user.deleted) return 'gone'
  if (user.is_stranger || !isMember(user, workspace)) return 'external'
  if (user.is_bot || user.is_workflow_bot || user.id === 'USLACKBOT') return 'bot'
  return user.is_restricted || user.is_ultra_restricted ? 'guest' : 'full'
}

function isMember(user: User, workspace: string): boolean {
  if (user.enterprise_user?.teams) return user.enterprise_user.teams.includes(workspace)
  return user.team_id === undefined || user.team_id === workspace
}

/** The name people see. */
export function nameOf({ id, name, real_name, profile }: User): string {
  return profile?.display_name || real_name || name || id
}

/** A user as Slack knows them now. @throws Fault, of the word `user_not_found` where our workspace does not know them */
export async function askUser(call: Call, user: string, options?: CallOptions): Promise<User> {
  const answer = await call('users.info', { user }, options)
  return z.object({ user: User }).parse(answer).user
}

/** Who is in a user group now; nobody where it is not there or was disabled. @throws Fault */
export async function askGroup(call: Call, usergroup: string, options?: CallOptions): Promise<string[]> {
  try {
    const answer = await call('usergroups.users.list', { usergroup }, options)
    return z.object({ users: z.array(z.string()) }).parse(answer).users
  } catch (error) {
    if (slackWord(error) === 'no_such_subteam') return []
    throw error
  }
}

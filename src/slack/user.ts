/** A user as Slack describes one, and what counts about them. */
import { z } from 'zod'
import type { Kind } from '../core/audience.ts'

export const User = z.object({
  id: z.string(),
  team_id: z.string().optional(),
  deleted: z.boolean().optional(),
  name: z.string().optional(),
  real_name: z.string().optional(),
  is_bot: z.boolean().optional(),
  is_restricted: z.boolean().optional(),
  is_ultra_restricted: z.boolean().optional(),
  is_stranger: z.boolean().optional(),
  is_workflow_bot: z.boolean().optional(),
  /** On a Grid: all workspaces the person is a member of. */
  enterprise_user: z.object({ teams: z.array(z.string()).optional() }).optional(),
  profile: z.object({ display_name: z.string().optional() }).optional(),
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

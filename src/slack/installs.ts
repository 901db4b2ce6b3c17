/** What Slack says of the app's own installations, and whose a delivery is. Pure, and it never throws. */
import { z } from 'zod'

/** `holder` is the workspace or the organisation whose installation it is; `at` when, in seconds since 1970. */
export type InstallChange =
  | { kind: 'removed'; holder: string; at: number }
  /** An organisation let us into workspaces, or out of them. */
  | { kind: 'granted' | 'withdrawn'; holder: string; teams: string[]; at: number }

const id = z.string().min(1)
const Envelope = z.object({
  team_id: id.nullish(),
  enterprise_id: id.nullish(),
  is_enterprise_install: z.boolean().nullish(),
  event_time: z.number().nullish(),
  event: z.union([
    z.object({ type: z.literal('app_uninstalled') }),
    z.object({ type: z.literal('tokens_revoked'), tokens: z.object({ bot: z.array(id).nullish() }) }),
    z.object({
      type: z.enum(['team_access_granted', 'team_access_revoked']),
      team_ids: z.array(id),
      enterprise_id: id.nullish(),
    }),
  ]),
})

/** What a delivery says of an installation; undefined where that is nothing. */
export function installChangeOf(body: unknown): InstallChange | undefined {
  const read = Envelope.safeParse(body)
  if (!read.success) return undefined
  const { event, team_id, enterprise_id, is_enterprise_install, event_time } = read.data
  const at = event_time ?? 0
  if ('team_ids' in event) {
    const holder = event.enterprise_id ?? enterprise_id
    const kind = event.type === 'team_access_granted' ? 'granted' : 'withdrawn'
    return holder ? { kind, holder, teams: event.team_ids, at } : undefined
  }
  // Tokens of people are none of ours.
  if (event.type === 'tokens_revoked' && !event.tokens.bot?.length) return undefined
  const holder = is_enterprise_install || !team_id ? enterprise_id : team_id
  return holder ? { kind: 'removed', holder, at } : undefined
}

const Team = z.looseObject({ id: id.optional() }).nullish()
const Delivery = z.looseObject({
  type: z.unknown().optional(),
  authorizations: z.array(z.looseObject({ team_id: id.nullish() })).nullish(),
  context_team_id: id.nullish(),
  team_id: id.nullish(),
  view: z.looseObject({ app_installed_team_id: id.nullish() }).nullish(),
  message: z.looseObject({ team: id.nullish() }).nullish(),
  team: Team,
})

/**
 * The workspaces a delivery may be meant for, the likeliest first. Of an event it is the one that we are authorised by,
 * not the one of whoever wrote; of a press the one whose message or modal it is, for in a shared channel, or across an
 * organisation, whoever pressed may be of another. A shortcut is of whoever uses it: its message may be anybody's.
 */
export function workspacesOf(body: unknown): string[] {
  const read = Delivery.safeParse(body)
  if (!read.success) return []
  const { type, authorizations, context_team_id, team_id, view, message, team } = read.data
  const authorised = authorizations?.[0]?.team_id
  if (authorised) return [authorised]
  const pressed = type === 'message_action' ? undefined : message?.team
  const all = [view?.app_installed_team_id, pressed, context_team_id, team?.id, team_id]
  return [...new Set(all.flatMap((one) => one ?? []))]
}

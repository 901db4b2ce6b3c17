/** User groups: which there are, and who is in them. */
import type { Hub } from './hub.ts'
import { flagArg, type Method, needArg, Refusal } from './method.ts'
import type { Group, Json, World } from './world.ts'

export const GROUP_METHODS: Record<string, Method> = {
  'usergroups.list': { tier: 2, scope: 'usergroups:read', needsTeam: true, run: listGroups },
  'usergroups.users.list': { tier: 2, scope: 'usergroups:read', needsTeam: true, run: listMembers },
}

function listGroups(hub: Hub, args: Json): Json {
  const disabled = flagArg(args, 'include_disabled')
  const groups = [...hub.world.groups.values()].filter((group) => disabled || !group.disabled)
  const [users, count] = [flagArg(args, 'include_users'), flagArg(args, 'include_count')]
  return {
    usergroups: groups.map((group) => ({
      ...describeGroup(hub.world, group),
      ...(users ? { users: group.users } : {}),
      ...(count ? { user_count: String(group.users.length) } : {}),
    })),
  }
}

function listMembers(hub: Hub, args: Json): Json {
  const group = hub.world.groups.get(needArg(args, 'usergroup'))
  if (!group || (group.disabled && !flagArg(args, 'include_disabled'))) throw new Refusal('no_such_subteam')
  return { users: group.users }
}

/** A user group in Slack's shape. */
export function describeGroup(world: World, group: Group): Json {
  const since = 1_700_000_000
  return {
    id: group.id,
    team_id: world.team.id,
    is_usergroup: true,
    is_subteam: true,
    name: group.name,
    description: '',
    handle: group.handle,
    is_external: false,
    date_create: since,
    date_update: since,
    date_delete: group.disabled ? since : 0,
    auto_type: null,
    auto_provision: false,
    enterprise_subteam_id: '',
    created_by: 'U0CHLOE',
    updated_by: 'U0CHLOE',
    deleted_by: group.disabled ? 'U0CHLOE' : null,
    prefs: { channels: [], groups: [] },
  }
}

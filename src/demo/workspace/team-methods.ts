/** Who everybody is, and the app's own connection. */
import { installedIn } from './app.ts'
import type { Hub } from './hub.ts'
import { limitArg, type Method, needArg, page, Refusal, textArg } from './method.ts'
import type { Json, Person, World } from './world.ts'

export const TEAM_METHODS: Record<string, Method> = {
  'api.test': { tier: 4, run: (_hub, args) => ({ args }) },
  'auth.test': { tier: 'none', run: authTest },
  'apps.connections.open': { tier: 3, appToken: true, run: connect },
  'users.info': { tier: 4, scope: 'users:read', run: userInfo },
  'users.list': { tier: 2, scope: 'users:read', needsTeam: true, run: userList },
  'bots.info': { tier: 3, scope: 'users:read', run: botInfo },
  'team.info': { tier: 3, scope: 'team:read', run: teamInfo },
}

function authTest(hub: Hub): Json {
  const { team, bot, enterprise } = hub.world
  const org = installedIn(hub)?.org ? enterprise : undefined
  return {
    url: `${hub.origin}/`,
    team: (org ?? team).name,
    user: bot.name,
    team_id: (org ?? team).id,
    user_id: bot.user,
    bot_id: bot.id,
    app_id: bot.app,
    ...(enterprise ? { enterprise_id: enterprise.id } : {}),
    is_enterprise_install: org !== undefined,
  }
}

function connect(hub: Hub): Json {
  const url = hub.connect()
  if (url === undefined) throw new Refusal('socket_mode_not_enabled')
  return { url }
}

function userInfo(hub: Hub, args: Json): Json {
  const person = hub.world.users.get(needArg(args, 'user'))
  if (!person) throw new Refusal('user_not_found')
  return { user: describePerson(hub.world, person) }
}

function userList(hub: Hub, args: Json): Json {
  const own = [...hub.world.users.values()].filter((person) => !person.stranger)
  const { items, cursor } = page(own, args, limitArg(args, 1000, 1000))
  return {
    members: items.map((person) => describePerson(hub.world, person)),
    response_metadata: { next_cursor: cursor },
  }
}

/** A person in Slack's shape. */
export function describePerson({ team, bot }: World, person: Person): Json {
  const [first_name = '', last_name = ''] = person.real_name.split(' ')
  return {
    id: person.id,
    team_id: person.stranger ?? team.id,
    name: person.name,
    real_name: person.real_name,
    deleted: person.deleted === true,
    color: person.color.slice(1),
    tz: 'Europe/London',
    tz_label: 'Greenwich Mean Time',
    tz_offset: 0,
    is_admin: person.is_admin,
    is_owner: false,
    is_primary_owner: false,
    is_restricted: person.is_guest,
    is_ultra_restricted: false,
    is_bot: person.is_bot,
    is_app_user: false,
    is_stranger: person.stranger !== undefined,
    updated: 1_700_000_000,
    profile: {
      real_name: person.real_name,
      display_name: first_name,
      first_name,
      last_name,
      team: team.id,
      ...(person.is_bot ? { bot_id: bot.id, api_app_id: bot.app } : {}),
    },
  }
}

function botInfo(hub: Hub, args: Json): Json {
  const { bot } = hub.world
  const asked = textArg(args, 'bot')
  if (asked !== undefined && asked !== bot.id) throw new Refusal('bot_not_found')
  return {
    bot: {
      id: bot.id,
      deleted: false,
      name: bot.name,
      updated: 0,
      app_id: bot.app,
      user_id: bot.user,
      icons: {},
    },
  }
}

function teamInfo(hub: Hub): Json {
  const { team } = hub.world
  return { team: { id: team.id, name: team.name, domain: 'local', email_domain: '', icon: {} } }
}

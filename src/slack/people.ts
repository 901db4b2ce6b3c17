/** Who is who in the workspace, and who reads a channel. */
import { z } from 'zod'
import type { Decider } from '../core/approvers.ts'
import type { Call } from './call.ts'
import { slackWord } from './faults.ts'
import type { Log } from './message.ts'

const User = z.object({
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
type User = z.infer<typeof User>
const UserPage = z.object({
  members: z.array(User),
  response_metadata: z.object({ next_cursor: z.string().optional() }).optional(),
})
const MemberPage = z.object({
  members: z.array(z.string()),
  response_metadata: z.object({ next_cursor: z.string().optional() }).optional(),
})
const Group = z.object({ id: z.string(), handle: z.string().optional(), name: z.string().optional() })
const Channel = z.object({
  is_im: z.boolean().optional(),
  user: z.string().optional(),
  is_ext_shared: z.boolean().optional(),
  is_pending_ext_shared: z.boolean().optional(),
})

const KNOWN_FOR_MS = 10 * 60_000
const EXTERNAL_FOR_MS = 60_000
/** Who decides must be known as they are now. */
const DECIDER_FOR_MS = 60_000
/** Channels with more members than this are held against the workspace's whole list of users. */
const ASK_ONE_BY_ONE = 30

export type People = {
  /** The name people see, of a person or a user group, or the id where Slack does not tell. Kept for ten minutes. */
  name(id: string): Promise<string>
  /**
   * What counts about somebody who wants to decide, and which of `groups` they are in. Kept for a minute. Never fails:
   * what Slack does not tell is said to be unknown.
   */
  decider(user: string, groups: readonly string[]): Promise<Decider>
  /** The members of a user group; nobody where Slack does not tell. Kept for a minute. */
  members(group: string): Promise<string[]>
  /** The channel of direct messages with a person. @throws Fault */
  direct(user: string): Promise<string>
  /**
   * Whether anybody who is not a full member of the workspace reads the channel: guests, members of other
   * workspaces. Kept for a minute. Where it cannot be found out: true.
   */
  external(channel: string): Promise<boolean>
}

/** @param workspace the workspace that installed us: members of others are outsiders */
export function openPeople(call: Call, workspace: string, log?: Log): People {
  const directory = openDirectory(call)
  const groups = openGroups(call, log)
  const channels = new Map<string, { external: Promise<boolean>; until: number }>()
  return {
    name: async (id) => {
      try {
        if (id.startsWith('S')) return await groups.name(id)
        const user = await directory.user(id)
        return user.profile?.display_name || user.real_name || user.name || id
      } catch {
        return id
      }
    },
    decider: async (id, asked) => {
      const [barred, told] = await Promise.all([
        findBar(directory, workspace, id, log),
        Promise.all(asked.map(async (group) => ({ group, members: await groups.members(group) }))),
      ])
      const untold = told.filter(({ members }) => members === 'untold').map(({ group }) => group)
      const inside = told.filter(({ members }) => members !== 'untold' && members.has(id))
      return {
        id,
        groups: inside.map(({ group }) => group),
        ...(barred ? { barred } : {}),
        ...(untold.length > 0 ? { untold } : {}),
      }
    },
    members: async (group) => {
      const members = await groups.members(group)
      return members === 'untold' ? [] : [...members].sort()
    },
    direct: async (user) => {
      const answer = await call('conversations.open', { users: user })
      return z.object({ channel: z.object({ id: z.string() }) }).parse(answer).channel.id
    },
    external: async (channel) => {
      const known = channels.get(channel)
      if (known && known.until > Date.now()) return known.external
      if (channels.size > 10_000) channels.clear()
      const external = findOutsiders(call, directory, channel).catch((error: unknown) => {
        channels.delete(channel)
        const fields = { channel, error: String(error) }
        log?.('warn', 'Cannot tell who reads the channel; it counts as open to outsiders', fields)
        return true
      })
      channels.set(channel, { external, until: Date.now() + EXTERNAL_FOR_MS })
      return external
    },
  }
}

/** Why somebody may decide nothing at all. */
async function findBar(
  directory: Directory,
  workspace: string,
  id: string,
  log: Log | undefined,
): Promise<Decider['barred']> {
  try {
    const user = await directory.user(id, DECIDER_FOR_MS)
    if (user.is_bot || user.is_workflow_bot || id === 'USLACKBOT') return 'bot'
    if (user.deleted) return 'deactivated'
    if (user.is_stranger || !isMember(user, workspace)) return 'outsider'
    return user.is_restricted || user.is_ultra_restricted ? 'guest' : undefined
  } catch (error) {
    if (slackWord(error) === 'user_not_found') return 'outsider'
    log?.('warn', 'Cannot tell who wants to decide; nothing is decided', { user: id, error: String(error) })
    return 'unknown'
  }
}

function isMember(user: User, workspace: string): boolean {
  if (user.enterprise_user?.teams) return user.enterprise_user.teams.includes(workspace)
  return user.team_id === undefined || user.team_id === workspace
}

type Groups = {
  name(id: string): Promise<string>
  /** The ids of a group's members; `untold` where Slack does not say. */
  members(id: string): Promise<ReadonlySet<string> | 'untold'>
}

/** User groups: their names kept for ten minutes, their members for one. */
function openGroups(call: Call, log: Log | undefined): Groups {
  const members = openKept<ReadonlySet<string>>(DECIDER_FOR_MS)
  const handles = openKept<Map<string, string>>(KNOWN_FOR_MS)

  async function readMembers(usergroup: string): Promise<ReadonlySet<string>> {
    try {
      const answer = await call('usergroups.users.list', { usergroup }, { priority: 'approval' })
      return new Set(z.object({ users: z.array(z.string()) }).parse(answer).users)
    } catch (error) {
      // A group that is not there, or was disabled, has nobody in it.
      if (slackWord(error) === 'no_such_subteam') return new Set()
      throw error
    }
  }

  async function readHandles(): Promise<Map<string, string>> {
    const answer = await call('usergroups.list', {})
    const { usergroups } = z.object({ usergroups: z.array(Group) }).parse(answer)
    return new Map(usergroups.map(({ id, handle, name }) => [id, handle ? `@${handle}` : (name ?? id)]))
  }

  return {
    name: async (id) => (await handles('all', readHandles)).get(id) ?? id,
    members: async (id) => {
      try {
        return await members(id, () => readMembers(id))
      } catch (error) {
        log?.('warn', 'Cannot tell who is in a user group; nobody counts as in it', {
          group: id,
          error: String(error),
        })
        return 'untold'
      }
    },
  }
}

/** Answers kept for a while by their key; one that failed is asked for again. */
function openKept<T>(forMs: number): (key: string, read: () => Promise<T>) => Promise<T> {
  const kept = new Map<string, { value: Promise<T>; until: number }>()
  return (key, read) => {
    const known = kept.get(key)
    if (known && known.until > Date.now()) return known.value
    if (kept.size > 10_000) kept.clear()
    const value = read()
    kept.set(key, { value, until: Date.now() + forMs })
    value.catch(() => kept.delete(key))
    return value
  }
}

async function findOutsiders(call: Call, directory: Directory, channel: string): Promise<boolean> {
  const answer = await call('conversations.info', { channel })
  const info = z.object({ channel: Channel }).parse(answer).channel
  if (info.is_ext_shared || info.is_pending_ext_shared) return true
  const ids = info.is_im ? (info.user ? [info.user] : []) : await members(call, channel)
  if (ids.length === 0) return true
  if (ids.length > ASK_ONE_BY_ONE) await directory.readAll()
  for (const id of ids) if (isOutsider(await directory.user(id))) return true
  return false
}

async function members(call: Call, channel: string): Promise<string[]> {
  const all: string[] = []
  let cursor: string | undefined
  do {
    const args = { channel, limit: 500, ...(cursor ? { cursor } : {}) }
    const page = MemberPage.parse(await call('conversations.members', args))
    all.push(...page.members)
    cursor = page.response_metadata?.next_cursor || undefined
  } while (cursor)
  return all
}

type Directory = {
  /** What is known of a person, at most `forMs` old. */
  user(id: string, forMs?: number): Promise<User>
  readAll(): Promise<void>
}

/** Users as Slack knows them, kept for ten minutes: one by one, or the whole workspace at once. */
function openDirectory(call: Call): Directory {
  const users = new Map<string, { user: User; since: number }>()
  let listed: { done: Promise<void>; until: number } | undefined

  function keep(user: User): User {
    if (users.size > 100_000) users.clear()
    users.set(user.id, { user, since: Date.now() })
    return user
  }

  async function readPages(): Promise<void> {
    let cursor: string | undefined
    do {
      const page = UserPage.parse(await call('users.list', { limit: 500, ...(cursor ? { cursor } : {}) }))
      for (const user of page.members) keep(user)
      cursor = page.response_metadata?.next_cursor || undefined
    } while (cursor)
  }

  return {
    user: async (id, forMs = KNOWN_FOR_MS) => {
      const known = users.get(id)
      if (known && known.since + forMs > Date.now()) return known.user
      const answer = await call('users.info', { user: id })
      return keep(z.object({ user: User }).parse(answer).user)
    },
    readAll: () => {
      if (!listed || listed.until < Date.now()) {
        listed = { done: readPages(), until: Date.now() + KNOWN_FOR_MS / 2 }
        listed.done.catch(() => {
          listed = undefined
        })
      }
      return listed.done
    },
  }
}

function isOutsider(user: User): boolean {
  return Boolean(user.is_restricted || user.is_ultra_restricted || user.is_stranger)
}

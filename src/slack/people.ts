/** Who is who in the workspace: names, and who may decide. */
import { z } from 'zod'
import type { Decider } from '../core/approvers.ts'
import type { Kind } from '../core/audience.ts'
import type { Call } from './call.ts'
import { slackWord } from './faults.ts'
import type { Log } from './message.ts'
import { askGroup, askUser, kindOf, nameOf, type User } from './user.ts'

const Group = z.object({ id: z.string(), handle: z.string().optional(), name: z.string().optional() })

const flag = z.boolean().nullish()
const Place = z.object({
  channel: z.object({ is_member: flag, is_im: flag, is_mpim: flag, is_archived: flag }),
})

const KNOWN_FOR_MS = 10 * 60_000
/** Who decides must be known as they are now. */
const DECIDER_FOR_MS = 60_000

export type People = {
  /** The name people see, of a person or a user group, or the id where Slack does not tell. Kept for ten minutes. */
  name(id: string): Promise<string>
  /**
   * What counts about somebody who wants to decide, and which of `groups` they are in. Kept for a minute. Never fails:
   * what Slack does not tell is said to be unknown.
   */
  decider(user: string, groups: readonly string[]): Promise<Decider>
  /** Whether somebody is of another organisation; so is whoever Slack does not tell of. Kept for ten minutes. */
  outsider(user: string): Promise<boolean>
  /** The members of a user group; nobody where Slack does not tell. Kept for a minute. */
  members(group: string): Promise<string[]>
  /** The channel of direct messages with a person. @throws Fault */
  direct(user: string): Promise<string>
  /** Whether we are in a channel, and can speak there. @throws Fault */
  joined(channel: string): Promise<boolean>
}

/** @param workspace the workspace that installed us: members of others are outsiders */
export function openPeople(call: Call, workspace: string, log?: Log): People {
  const directory = openDirectory(call)
  const groups = openGroups(call, log)
  return {
    name: async (id) => {
      try {
        if (id.startsWith('S')) return await groups.name(id)
        return nameOf(await directory.user(id))
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
    outsider: async (id) => {
      try {
        return kindOf(await directory.user(id), workspace) === 'external'
      } catch {
        return true
      }
    },
    members: async (group) => {
      const members = await groups.members(group)
      return members === 'untold' ? [] : [...members].sort()
    },
    joined: async (channel) => {
      try {
        const answer = await call('conversations.info', { channel })
        const { is_member, is_im, is_mpim, is_archived } = Place.parse(answer).channel
        return is_archived !== true && (is_member ?? is_im ?? is_mpim ?? false)
      } catch (error) {
        if (slackWord(error) === 'channel_not_found') return false
        throw error
      }
    },
    direct: async (user) => {
      const answer = await call('conversations.open', { users: user })
      return z.object({ channel: z.object({ id: z.string() }) }).parse(answer).channel.id
    },
  }
}

const BARS: Record<Kind, Decider['barred']> = {
  full: undefined,
  guest: 'guest',
  external: 'outsider',
  bot: 'bot',
  gone: 'deactivated',
}

/** Why somebody may decide nothing at all. */
async function findBar(
  directory: Directory,
  workspace: string,
  id: string,
  log: Log | undefined,
): Promise<Decider['barred']> {
  try {
    return BARS[kindOf(await directory.user(id, DECIDER_FOR_MS), workspace)]
  } catch (error) {
    if (slackWord(error) === 'user_not_found') return 'outsider'
    log?.('warn', 'Cannot tell who wants to decide; nothing is decided', { user: id, error: String(error) })
    return 'unknown'
  }
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

  async function readHandles(): Promise<Map<string, string>> {
    const answer = await call('usergroups.list', {})
    const { usergroups } = z.object({ usergroups: z.array(Group) }).parse(answer)
    return new Map(usergroups.map(({ id, handle, name }) => [id, handle ? `@${handle}` : (name ?? id)]))
  }

  return {
    name: async (id) => (await handles('all', readHandles)).get(id) ?? id,
    members: async (id) => {
      try {
        return await members(id, async () => new Set(await askGroup(call, id, { priority: 'approval' })))
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

type Directory = {
  /** What is known of a person, at most `forMs` old. */
  user(id: string, forMs?: number): Promise<User>
}

/** Users as Slack knows them, kept for ten minutes. */
function openDirectory(call: Call): Directory {
  const users = new Map<string, { user: User; since: number }>()

  function keep(user: User): User {
    if (users.size > 100_000) users.clear()
    users.set(user.id, { user, since: Date.now() })
    return user
  }

  return {
    user: async (id, forMs = KNOWN_FOR_MS) => {
      const known = users.get(id)
      if (known && known.since + forMs > Date.now()) return known.user
      return keep(await askUser(call, id))
    },
  }
}

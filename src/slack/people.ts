/** Who is who in the workspace, and who reads a channel. */
import { z } from 'zod'
import type { Call } from './call.ts'
import type { Log } from './message.ts'

const User = z.object({
  id: z.string(),
  name: z.string().optional(),
  real_name: z.string().optional(),
  is_bot: z.boolean().optional(),
  is_restricted: z.boolean().optional(),
  is_ultra_restricted: z.boolean().optional(),
  is_stranger: z.boolean().optional(),
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
const Channel = z.object({
  is_im: z.boolean().optional(),
  user: z.string().optional(),
  is_ext_shared: z.boolean().optional(),
  is_pending_ext_shared: z.boolean().optional(),
})

const KNOWN_FOR_MS = 10 * 60_000
const EXTERNAL_FOR_MS = 60_000
/** Channels with more members than this are held against the workspace's whole list of users. */
const ASK_ONE_BY_ONE = 30

export type People = {
  /** The name people see, or the id where Slack does not tell. Kept for ten minutes. */
  name(user: string): Promise<string>
  /**
   * Whether anybody who is not a full member of the workspace reads the channel: guests, members of other
   * workspaces. Kept for a minute. Where it cannot be found out: true.
   */
  external(channel: string): Promise<boolean>
}

export function openPeople(call: Call, log?: Log): People {
  const directory = openDirectory(call)
  const channels = new Map<string, { external: Promise<boolean>; until: number }>()
  return {
    name: async (id) => {
      try {
        const user = await directory.user(id)
        return user.profile?.display_name || user.real_name || user.name || id
      } catch {
        return id
      }
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

type Directory = { user(id: string): Promise<User>; readAll(): Promise<void> }

/** Users as Slack knows them, kept for ten minutes: one by one, or the whole workspace at once. */
function openDirectory(call: Call): Directory {
  const users = new Map<string, { user: User; until: number }>()
  let listed: { done: Promise<void>; until: number } | undefined

  function keep(user: User): User {
    if (users.size > 100_000) users.clear()
    users.set(user.id, { user, until: Date.now() + KNOWN_FOR_MS })
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
    user: async (id) => {
      const known = users.get(id)
      if (known && known.until > Date.now()) return known.user
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

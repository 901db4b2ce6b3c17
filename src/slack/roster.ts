/** Who is in what, asked of Slack each time: what is kept of it, and for how long, is for whoever asks to say. */
import { z } from 'zod'
import type { Kind } from '../core/audience.ts'
import type { Call } from './call.ts'
import { slackWord } from './faults.ts'
import { askGroup, askUser, kindOf, User } from './user.ts'

export type Roster = {
  /**
   * Who can read a channel: its members, and where it is `open` every full member of the workspace. Nobody where
   * there is no such channel, or none we may see. @throws Fault where Slack does not tell
   */
  channel(id: string): Promise<{ open: boolean; members: string[] }>
  /** Who is in a user group; nobody where it is not there or was disabled. @throws Fault */
  group(id: string): Promise<string[]>
  /** What counts about a person. @throws Fault */
  person(id: string): Promise<Kind>
  /** All people of the workspace, by the page. @throws Fault */
  everyone(): AsyncGenerator<Map<string, Kind>>
}

const next = { response_metadata: z.object({ next_cursor: z.string().optional() }).optional() }
const MemberPage = z.object({ members: z.array(z.string()), ...next })
const UserPage = z.object({ members: z.array(User), ...next })
const Channel = z.object({
  is_im: z.boolean().optional(),
  is_mpim: z.boolean().optional(),
  is_private: z.boolean().optional(),
  is_ext_shared: z.boolean().optional(),
  is_pending_ext_shared: z.boolean().optional(),
  is_org_shared: z.boolean().optional(),
})

/** Stands among the readers of a channel that people of other organisations can read. */
const OUTSIDE = '*outside'

/** @param workspace the workspace that installed us: members of others are outsiders */
export function openRoster(call: Call, workspace: string): Roster {
  return {
    channel: (id) => readChannel(call, id),
    group: (id) => askGroup(call, id),
    person: async (user) => {
      try {
        return kindOf(await askUser(call, user), workspace)
      } catch (error) {
        // Somebody our workspace does not know at all, as some members of other organisations.
        if (slackWord(error) === 'user_not_found') return 'external'
        throw error
      }
    },
    everyone: async function* () {
      for await (const page of pages((at) => call('users.list', at), UserPage))
        yield new Map(page.members.map((user) => [user.id, kindOf(user, workspace)]))
    },
  }
}

async function readChannel(call: Call, channel: string): Promise<{ open: boolean; members: string[] }> {
  try {
    const answer = await call('conversations.info', { channel })
    const info = z.object({ channel: Channel }).parse(answer).channel
    const members: string[] = []
    const read = (at: Record<string, unknown>) => call('conversations.members', { channel, ...at })
    for await (const page of pages(read, MemberPage)) members.push(...page.members)
    const open = !info.is_im && !info.is_mpim && info.is_private === false
    // Where others share the channel it may be public for them: people who are not listed can open it.
    const outside = info.is_ext_shared || info.is_pending_ext_shared
    const shared = outside || (info.is_org_shared && open)
    return { open, members: [...members, ...(shared ? [`*${channel}`] : []), ...(outside ? [OUTSIDE] : [])] }
  } catch (error) {
    if (slackWord(error) === 'channel_not_found') return { open: false, members: [] }
    throw error
  }
}

type Page = { response_metadata?: { next_cursor?: string | undefined } | undefined }

async function* pages<T extends Page>(
  read: (at: Record<string, unknown>) => Promise<unknown>,
  shape: z.ZodType<T>,
): AsyncGenerator<T> {
  let cursor: string | undefined
  do {
    const page = shape.parse(await read({ limit: 500, ...(cursor ? { cursor } : {}) }))
    yield page
    cursor = page.response_metadata?.next_cursor || undefined
  } while (cursor)
}

/** agents.sessions.*, and the older assistant.threads.*, which are accepted. */
import type { Hub } from './hub.ts'
import { channelArg, type Method, needArg, Refusal, textArg } from './method.ts'
import { findMessage, type Json, mayRead, place, type Session, tell } from './world.ts'

export const SESSION_METHODS: Record<string, Method> = {
  'agents.sessions.setStatus': { tier: 3, scope: 'chat:write', run: setStatus },
  'agents.sessions.rename': { tier: 3, scope: 'chat:write', run: rename },
  'assistant.threads.setStatus': { tier: 'none', scope: 'assistant:write', run: accept },
  'assistant.threads.setTitle': { tier: 'none', scope: 'assistant:write', run: accept },
  'assistant.threads.setSuggestedPrompts': { tier: 'none', scope: 'assistant:write', run: setPrompts },
}

const STATUSES = ['active', 'processing', 'suspended', 'closed']

/** Sets a session's status, making the session where there is none; its title is kept once given. */
export function setSession(
  hub: Hub,
  channel: string,
  thread: string,
  status: string,
  title?: string,
): Session {
  if (!STATUSES.includes(status)) throw new Refusal('invalid_arguments')
  const before = hub.world.sessions.get(place(channel, thread))
  const named = before?.title ?? title
  const session: Session = named === undefined ? { status } : { status, title: named }
  hub.world.sessions.set(place(channel, thread), session)
  tell(hub.world, { type: 'session', channel, thread, session })
  const key = place(channel, thread)
  clearTimeout(hub.sessionTimers.get(key))
  hub.sessionTimers.delete(key)
  if (status === 'processing') {
    const over = setTimeout(() => setSession(hub, channel, thread, 'active'), hub.sessionMs)
    hub.sessionTimers.set(key, over.unref())
  }
  return session
}

function setStatus(hub: Hub, args: Json): Json {
  const { channel, thread } = threadOf(hub, args, 'channel_id')
  const title = textArg(args, 'title')
  if ((title ?? '').length > 200) throw new Refusal('invalid_arguments')
  const initiator = textArg(args, 'initiator_user_id')
  if (initiator !== undefined && !mayRead(hub.world, initiator, channel))
    throw new Refusal('user_not_in_channel')
  const session = setSession(hub, channel, thread, needArg(args, 'status'), title)
  const unheard = hub.stops ? {} : { warning: 'missing_agent_session_stopped_event_subscription' }
  return { status: session.status, agent_status: session.status, title: session.title ?? '', ...unheard }
}

function rename(hub: Hub, args: Json): Json {
  const { channel, thread } = threadOf(hub, args, 'channel_id')
  const title = needArg(args, 'title')
  const session = hub.world.sessions.get(place(channel, thread))
  if (!session) throw new Refusal('session_not_found')
  if (title.length > 200) throw new Refusal('invalid_arguments')
  const renamed = { ...session, title }
  hub.world.sessions.set(place(channel, thread), renamed)
  tell(hub.world, { type: 'session', channel, thread, session: renamed })
  return { title }
}

function accept(hub: Hub, args: Json): Json {
  threadOf(hub, args, 'channel_id')
  return {}
}

function setPrompts(hub: Hub, args: Json): Json {
  channelArg(hub, args, 'channel_id')
  if (!Array.isArray(args.prompts) || args.prompts.length > 4) throw new Refusal('invalid_arguments')
  return {}
}

function threadOf(hub: Hub, args: Json, name: string): { channel: string; thread: string } {
  const channel = channelArg(hub, args, name)
  if (!mayRead(hub.world, hub.world.bot.user, channel.id)) throw new Refusal('not_in_channel')
  const thread = needArg(args, 'thread_ts')
  if (!findMessage(hub.world, channel.id, thread)) throw new Refusal('thread_not_found')
  return { channel: channel.id, thread }
}

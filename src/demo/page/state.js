/** What one person sees right now, and how what happens changes it. No DOM, no network. */

/** An empty picture for one person. `paint` is called, at most once a frame, after every change. */
export function openState(boot, me, paint) {
  let waiting = false
  const state = {
    boot,
    me,
    users: new Map(boot.users.map((user) => [user.id, user])),
    channels: new Map(boot.channels.map((channel) => [channel.id, channel])),
    /** The person's direct messages with the agent. */
    dm: undefined,
    /** A channel id, or `home`. */
    place: undefined,
    /** `{channel, ts}` of the thread beside the channel. */
    thread: undefined,
    /** channel → ts → root message. */
    roots: new Map(),
    /** `channel:ts` → ts → message, root included. */
    threads: new Map(),
    /** Messages only this person sees: `{channel, thread_ts?, message}`. */
    whispers: [],
    /** `channel:ts` → `{status, title?}` of the agent's session. */
    sessions: new Map(),
    /** channel → count of messages not seen. */
    unread: new Map(),
    /** Threads the person closed: they do not open by themselves again. */
    dismissed: new Set(),
    /** Modal views, the topmost last. */
    views: [],
    home: undefined,
    online: false,
    /** Which plans and containers a person opened or closed. */
    folds: new Map(),
    /** `channel:ts` of the message being edited, with the place (`main` or `thread`) where. */
    editing: undefined,
    /** True once the channel's history has been read. */
    loaded: new Set(),
  }
  return {
    state,
    /** Applies a change and schedules one painting. */
    change(apply) {
      apply(state)
      if (waiting) return
      waiting = true
      setTimeout(() => {
        waiting = false
        paint(state)
      }, 12)
    },
  }
}

export const threadKey = (channel, ts) => `${channel}:${ts}`
export const isReply = (message) => Boolean(message.thread_ts) && message.thread_ts !== message.ts

/** Channels the person is in, in the order of the workspace; direct messages are not among them. */
export function channelsOf(state) {
  return state.boot.channels.filter((channel) => !channel.is_dm && channel.members.includes(state.me))
}

/** The messages of a channel or thread, oldest first, the person's whispers among them. */
export function messagesIn(state, channel, thread) {
  const held = thread ? state.threads.get(threadKey(channel, thread)) : state.roots.get(channel)
  const whispers = state.whispers
    .filter((whisper) => whisper.channel === channel && (whisper.thread_ts ?? '') === (thread ?? ''))
    .map((whisper) => ({ ...whisper.message, whisper: true }))
  return [...(held?.values() ?? []), ...whispers].sort((a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0))
}

/** Takes a whole history as read from the server. */
export function hold(map, key, messages) {
  map.set(key, new Map(messages.map((message) => [message.ts, message])))
}

/**
 * Applies one event of the live socket.
 * Returns what the caller must still do: read a channel's counts again, or open a thread.
 */
export function applyEvent(state, event) {
  switch (event.type) {
    case 'message':
    case 'changed':
      return applyMessage(state, event.channel, event.message, event.type === 'message')
    case 'deleted':
      return applyDeleted(state, event.channel, event.ts)
    case 'ephemeral':
      state.whispers = state.whispers.filter((whisper) => whisper.message.ts !== event.message.ts).slice(-50)
      state.whispers.push({ channel: event.channel, thread_ts: event.thread_ts, message: event.message })
      return {}
    case 'view':
      applyView(state, event.view)
      return {}
    case 'view_closed':
      state.views = state.views.filter((view) => view.id !== event.view_id)
      return {}
    case 'home':
      state.home = event.view
      return {}
    case 'joined': {
      const channel = state.channels.get(event.channel)
      if (channel && !channel.members.includes(event.user)) channel.members.push(event.user)
      return {}
    }
    case 'session':
      state.sessions.set(threadKey(event.channel, event.thread_ts), {
        status: event.status,
        title: event.title,
      })
      return {}
    default:
      return {}
  }
}

function applyMessage(state, channel, message, fresh) {
  if (isReply(message)) {
    state.threads.get(threadKey(channel, message.thread_ts))?.set(message.ts, message)
    if (fresh && message.user !== state.me && state.place !== channel) bump(state, channel)
    return {
      recount: fresh ? channel : undefined,
      open: fresh ? threadToOpen(state, channel, message) : undefined,
    }
  }
  const old = state.roots.get(channel)?.get(message.ts)
  const merged = {
    ...message,
    reply_count: message.reply_count ?? old?.reply_count,
    reply_users: message.reply_users ?? old?.reply_users,
  }
  state.roots.get(channel)?.set(message.ts, merged)
  state.threads.get(threadKey(channel, message.ts))?.set(message.ts, merged)
  if (fresh && message.user !== state.me && state.place !== channel) bump(state, channel)
  return {}
}

function applyDeleted(state, channel, ts) {
  state.roots.get(channel)?.delete(ts)
  for (const [key, thread] of state.threads) if (key.startsWith(`${channel}:`)) thread.delete(ts)
  state.whispers = state.whispers.filter((whisper) => whisper.message.ts !== ts)
  if (state.thread?.channel === channel && state.thread.ts === ts) state.thread = undefined
  return { recount: channel }
}

/**
 * The agent answered in a thread this person started, and no other thread is being read: one that is older gives
 * way when the answer begins.
 */
function threadToOpen(state, channel, message) {
  if (state.place !== channel || message.user !== state.boot.bot) return undefined
  if (state.dismissed.has(threadKey(channel, message.thread_ts))) return undefined
  const root = state.roots.get(channel)?.get(message.thread_ts)
  const read = state.thread
  if (read && (root?.reply_count || read.channel !== channel || read.ts >= message.thread_ts))
    return undefined
  return root?.user === state.me ? { channel, ts: message.thread_ts } : undefined
}

function applyView(state, view) {
  const at = state.views.findIndex((held) => held.id === view.id)
  if (at >= 0) state.views = state.views.with(at, view)
  else state.views = [...state.views, view]
}

function bump(state, channel) {
  state.unread.set(channel, (state.unread.get(channel) ?? 0) + 1)
}

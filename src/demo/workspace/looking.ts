/** Looking at the workspace: what was said, what is open, and the last of everything for an error. */
import type { Call } from './api.ts'
import type { Hub } from './hub.ts'
import { expectReader } from './people.ts'
import { dmOf, place, threadMessages, withReplies } from './world.ts'

/** What a test, or a person who writes one, asks of the world. */
export function looking({ world }: Hub) {
  return {
    dm(user: string) {
      const channel = dmOf(world, user)
      if (!channel) throw new Error(`There is nobody with the id ${user}.`)
      expectReader(world, user, channel.id)
      return channel.id
    },
    messages(channel: string, thread?: string) {
      if (thread !== undefined) return threadMessages(world, channel, thread)
      return [...(world.messages.get(channel)?.values() ?? [])].map((message) => withReplies(world, message))
    },
    ephemerals: (user: string) => world.ephemerals.get(user) ?? [],
    views: (user: string) => world.views.get(user) ?? [],
    home: (user: string) => world.homes.get(user),
    session: (channel: string, thread: string) => world.sessions.get(place(channel, thread))?.status,
  }
}

/** The last of everything, for the error of a wait that ran out. */
export function describe(hub: Hub, calls: Call[]): string {
  const said = [...hub.world.messages.values()]
    .flatMap((messages) => [...messages.values()])
    .sort((a, b) => Number(a.ts) - Number(b.ts))
    .slice(-8)
    .map(
      ({ channel, thread_ts, ts, user, text }) =>
        `  ${channel} ${thread_ts ?? ts} ${user}: ${text.slice(0, 120)}`,
    )
  const called = calls.slice(-8).map(({ method, ok, error }) => `  ${method} ${ok ? 'ok' : error}`)
  const sent = hub.outbox.deliveries
    .slice(-5)
    .map(
      ({ type, attempt, acknowledged }) =>
        `  ${type} attempt ${attempt} ${acknowledged ? 'acknowledged' : 'unanswered'}`,
    )
  return ['Last messages:', ...said, 'Last calls:', ...called, 'Last deliveries:', ...sent].join('\n')
}

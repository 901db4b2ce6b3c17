/** What becomes of channels: another name, put away, taken out again. The app hears of those it is in. */
import { announceChannel } from './announce.ts'
import type { Hub } from './hub.ts'
import { type Channel, nextTs } from './world.ts'

export function rename(hub: Hub, channel: string, name: string): void {
  const found = expectChannel(hub, channel)
  found.name = name
  const described = { id: found.id, name, name_normalized: name, created: 1_700_000_000 }
  announceChannel(hub, found, { type: 'channel_rename', channel: described, event_ts: nextTs(hub.world) })
}

/** Nobody can write in it any more; what was said there stays. */
export function archive(hub: Hub, channel: string, on: boolean): void {
  const found = expectChannel(hub, channel)
  found.is_archived = on
  const type = on ? 'channel_archive' : 'channel_unarchive'
  announceChannel(hub, found, { type, channel: found.id, user: 'U0CHLOE', event_ts: nextTs(hub.world) })
}

function expectChannel(hub: Hub, channel: string): Channel {
  const found = hub.world.channels.get(channel)
  if (!found || found.dm) throw new Error(`There is no channel ${channel}.`)
  return found
}

/** A hub in which nothing has happened yet. */
import { createHooks } from './hooks.ts'
import type { Hub } from './hub.ts'
import { newSecret } from './ids.ts'
import type { Outbox } from './outbox.ts'
import type { World } from './world.ts'

type HubOptions = { triggerMs?: number; streamMs?: number; sessionMs?: number; unlistedMs?: number }

const SCOPES = [
  'app_mentions:read',
  'assistant:write',
  'channels:history',
  'channels:join',
  'channels:read',
  'chat:write',
  'commands',
  'files:read',
  'files:write',
  'groups:history',
  'groups:read',
  'im:history',
  'im:read',
  'im:write',
  'mpim:history',
  'mpim:read',
  'reactions:write',
  'team:read',
  'usergroups:read',
  'users:read',
]

export function newHub(world: World, outbox: Outbox, options: HubOptions): Hub {
  return {
    world,
    outbox,
    hooks: createHooks(options.triggerMs),
    files: new Map(),
    scopes: [...SCOPES],
    both: true,
    streamMs: options.streamMs ?? 300_000,
    sessionMs: options.sessionMs ?? 3_601_000,
    sessionTimers: new Map(),
    stops: true,
    mostMessages: options.unlistedMs ? 15 : 999,
    streams: new Map(),
    origin: '',
    botToken: `xoxb-local-${newSecret()}`,
    appToken: `xapp-local-${newSecret()}`,
    connect: () => undefined,
  }
}

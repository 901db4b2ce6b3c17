/** What `advance` needs, as literals: a model that answers at once, no tools, a Slack that takes everything. */
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { AdvanceContext } from '../../src/agent/advance.ts'
import { AgentFront } from '../../src/core/home.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import { noStreams } from './streams.ts'

/** A Slack in which nothing was said before and no file is to be had. */
export const NOTHING_TO_READ: AdvanceContext['reading'] = {
  thread: async () => ({ said: [], whole: true }),
  newest: async () => ({ said: [], whole: true }),
  describe: async (file) => file,
  file: async () => ({ why: 'it is not there any more' }),
}

/** A Slack that knows nobody and no channel. */
export const NOBODY_KNOWN: AdvanceContext['speak']['roster'] = {
  channel: async () => ({ open: false, members: [] }),
  group: async () => [],
  person: async () => 'external',
  async *everyone() {},
}

export function advancingWith(pool: pg.Pool, other: Partial<AdvanceContext> = {}): AdvanceContext {
  const agent = { ...AgentFront.parse({ name: 'quorum' }), instructions: 'Work.' }
  return {
    pool,
    owner: randomUUID(),
    leaseMs: 60_000,
    beatMs: 20_000,
    log: () => {},
    policy: PolicyFile.parse({}),
    agent: () => agent,
    catalogue: async () => [],
    outside: async () => false,
    unreadable: async () => [],
    ask: async () => ({ text: 'So.', calls: [], finish: 'stop', model: 'm', firstTokenMs: 1, ms: 1 }),
    recall: async (_, query) => ({
      kind: 'recalled',
      at: new Date().toISOString(),
      query,
      passages: [],
      sources: 0,
      ms: 0,
    }),
    reading: NOTHING_TO_READ,
    call: async () => ({ outcome: 'succeeded', text: '', ms: 0 }),
    speak: {
      post: async () => ({ ts: randomUUID() }),
      update: async () => 'sent' as const,
      find: async () => undefined,
      name: async (id) => id,
      roster: NOBODY_KNOWN,
      upload: async () => ({ file: 'F1' }),
      findFile: async () => undefined,
      remove: async () => true,
      streams: noStreams,
      status: async () => {},
      respond: async () => {},
      whisper: async () => {},
      direct: async (user) => `D${user}`,
    },
    ...other,
  }
}

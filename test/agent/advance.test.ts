import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { type AdvanceContext, advance } from '../../src/agent/advance.ts'
import { Fault } from '../../src/core/fault.ts'
import { AgentFront } from '../../src/core/home.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import { createRun } from '../../src/store/runs.ts'
import { openTestStore } from '../support/store.ts'

const at = () => new Date().toISOString()

test.each([
  [new Fault('slack-limited', 'Slack asks us to wait.', { retry: true }), 'The answer.'],
  [new Error('a bug'), 'Something went wrong'],
])('what the thread is told after eight attempts that met "%s"', async (trouble, told) => {
  await using store = await openTestStore()
  const said: string[] = []
  let troubles = 8
  const context: AdvanceContext = {
    pool: store.pool,
    owner: randomUUID(),
    leaseMs: 60_000,
    beatMs: 20_000,
    log: () => {},
    policy: PolicyFile.parse({}),
    agent: () => ({ ...AgentFront.parse({ name: 'quorum' }), instructions: 'Work.' }),
    catalogue: async () => [],
    ask: async () => ({
      text: 'The answer.',
      calls: [],
      finish: 'stop',
      model: 'm',
      firstTokenMs: 1,
      ms: 1,
    }),
    recall: async (_, query) => ({ kind: 'recalled', at: at(), query, passages: [], sources: 0, ms: 0 }),
    call: async () => ({ outcome: 'failed', text: '', ms: 0 }),
    speak: {
      post: async (_channel, _thread, message) => {
        if (message.metadata?.part.startsWith('end:')) {
          troubles -= 1
          if (troubles >= 0) throw trouble
          said.push(message.text)
        }
        return { ts: randomUUID() }
      },
      update: async () => 'sent',
      find: async () => undefined,
      name: async (id) => id,
      upload: async () => ({ file: 'F1' }),
      status: async () => {},
    },
  }
  const run = await createRun(
    store.pool,
    {
      workspace: 'T1',
      channel: 'C1',
      thread: '1.0',
      message: '1.0',
      asker: 'UANA',
      agent: 'quorum',
      dm: false,
    },
    { kind: 'asked', at: at(), user: 'UANA', text: 'A question?', ts: '1.0' },
  )
  for (let attempt = 0; attempt < 12; attempt++) {
    // What was announced and broke off is left by its author after a while; here that while is over.
    await store.pool.query(`update posts set begun_at = now() - interval '1 minute' where ts is null`)
    await advance(context, run?.id ?? '', new AbortController().signal)
  }
  expect(said).toEqual([expect.stringContaining(told)])
})

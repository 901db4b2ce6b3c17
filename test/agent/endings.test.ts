/** How runs end when the world does not keep still. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AdvanceContext, advance } from '../../src/agent/advance.ts'
import type { StepOf } from '../../src/core/run.ts'
import type { Store } from '../../src/store/open.ts'
import { appendFromOutside, createRun, lockRun, type Run, readSteps } from '../../src/store/runs.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { advancingWith } from '../support/advancing.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

async function begin(): Promise<Run> {
  const asked: StepOf<'asked'> = {
    kind: 'asked',
    at: new Date().toISOString(),
    user: 'U1',
    text: 'how?',
    ts: '1.1',
  }
  const place = { workspace: 'T1', channel: `C${randomUUID()}`, thread: '1.1', message: '1.1' }
  const run = await createRun(store.pool, { ...place, asker: 'U1', agent: 'quorum', dm: false }, asked)
  if (typeof run !== 'object') throw new Error('no run')
  return run
}

function contextOf(said: string[], onSaid: (text: string) => Promise<void> = async () => {}): AdvanceContext {
  const quiet = advancingWith(store.pool)
  return {
    ...quiet,
    speak: {
      ...quiet.speak,
      post: async (_, __, message) => {
        said.push(message.text)
        await onSaid(message.text)
        return { ts: randomUUID() }
      },
    },
  }
}

async function push(run: Run, step: Parameters<typeof appendFromOutside>[2]): Promise<void> {
  await inTransaction(store.pool, async (tx) => {
    const locked = await lockRun(tx, run.id)
    if (locked) await appendFromOutside(tx, locked, step)
  })
}

test('a stop that comes while the answer is being said adds no second end', async () => {
  const run = await begin()
  const said: string[] = []
  const context = contextOf(said, async (text) => {
    if (text.startsWith('So.'))
      await push(run, { kind: 'stopped', at: new Date().toISOString(), by: 'U1', why: 'test' })
  })
  expect(await advance(context, run.id, new AbortController().signal)).toBe('finished')
  expect(said.filter((text) => /^(So\.|Stopped)/.test(text))).toHaveLength(1)
  const steps = await readSteps(store.pool, run.id)
  expect(steps.at(-1)).toMatchObject({ kind: 'finished', outcome: 'answered' })
})

test('a run with a step this version cannot read is tried again, and ends in a sentence', async () => {
  const run = await begin()
  await store.pool.query(
    `insert into steps (run, n, kind, body) values ($1, 2, 'dreamt', '{"kind": "dreamt"}')`,
    [run.id],
  )
  await store.pool.query('update runs set n = 2 where id = $1', [run.id])
  const said: string[] = []
  const outcomes: string[] = []
  for (let i = 0; i < 6; i++)
    outcomes.push(await advance(contextOf(said), run.id, new AbortController().signal))
  expect(outcomes).toEqual(['put-off', 'put-off', 'put-off', 'put-off', 'put-off', 'finished'])
  expect(said).toHaveLength(1)
  expect(said[0]).toContain(`(run ${run.id.slice(0, 8)})`)
})

import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { advance } from '../../src/agent/advance.ts'
import { openWeights, tellPlaces } from '../../src/agent/line.ts'
import { Fairness } from '../../src/core/fair.ts'
import type { Message } from '../../src/slack/message.ts'
import { beat } from '../../src/store/wakeups.ts'
import { advancingWith } from '../support/advancing.ts'
import { ask } from '../support/asking.ts'
import { until } from '../support/stage.ts'
import { openTestStore } from '../support/store.ts'
import { noStreams } from '../support/streams.ts'

function waitingOn(pool: pg.Pool, meanwhile: () => Promise<void> = async () => {}) {
  const shown = new Map<string, string>()
  const posts: string[] = []
  const show = (ts: string, message: Message) => void shown.set(ts, message.text)
  const speak = {
    post: async (_channel: string, _thread: string | undefined, message: Message) => {
      const ts = randomUUID()
      posts.push(message.text)
      show(ts, message)
      await meanwhile()
      return { ts }
    },
    update: async (_channel: string, ts: string, message: Message) => {
      show(ts, message)
      return 'sent' as const
    },
    find: async () => undefined,
    streams: noStreams,
  }
  const context = { pool, workspace: 'T1', speak, weigh: () => 1, log: () => {} }
  return { context, shown: () => [...shown.values()], posts }
}

test('a thread that waits for a worker is told its place and about how long', async () => {
  await using store = await openTestStore()
  const { pool } = store
  const { context, shown, posts } = waitingOn(pool)
  await beat(pool, { id: randomUUID(), workspace: 'T1', slots: 1, host: 'h', pid: 1, ms: 19_000 })
  for (const person of ['UANA', 'UANA', 'UBEN']) await ask(pool, person)
  await tellPlaces(context)
  expect(shown()).toEqual([])
  await pool.query(`update wakeups set asked_at = asked_at - interval '6 seconds'`)
  await tellPlaces(context)
  await tellPlaces(context)
  expect(posts).toEqual([
    'Waiting: 1st in line, about 20 s',
    'Waiting: 2nd in line, about 20 s',
    'Waiting: 3rd in line, about 40 s',
  ])
})

test('a run that began and ended while its place was told shows its end', async () => {
  await using store = await openTestStore()
  const { pool } = store
  const run = await ask(pool, 'UANA')
  await pool.query(`update wakeups set asked_at = asked_at - interval '6 seconds'`)
  const { context, shown } = waitingOn(pool, async () => {
    await pool.query(`update posts set ts = 'elsewhere' where owner = $1 and part = 'plan'`, [run])
    expect(await advance(advancingWith(pool), run, new AbortController().signal)).toBe('finished')
  })
  await tellPlaces(context)
  expect(shown()).toEqual([expect.stringContaining('Done')])
})

test('whoever is in a team weighs what the team does, once Slack has told who is', async () => {
  const fairness = Fairness.parse({ teams: { S1: 4 } })
  const weights = openWeights(
    fairness,
    async () => ['UANA'],
    () => {},
  )
  await until(async () => weights.weigh({ person: 'UANA', agent: 'quorum' }) === 4)
  expect(weights.weigh({ person: 'UBEN', agent: 'quorum' })).toBe(1)
  await weights.close()
})

import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { sayOnce } from '../../src/agent/say.ts'
import { openTestStore } from '../support/store.ts'

test('an author whom Slack keeps waiting says that it lives, so that nobody else says it too', async () => {
  await using store = await openTestStore()
  const begun = async () =>
    (await store.pool.query('select begun_at::text as at from posts')).rows[0]?.at as string
  const speak = {
    async post() {
      const before = await begun()
      while ((await begun()) === before) await sleep(20)
      return { ts: '1.0' }
    },
    find: async () => undefined,
  }
  const saying = {
    owner: 'run',
    part: 'end:3:0',
    channel: 'C1',
    thread: '1.0',
    message: { text: 'The end.' },
  }
  const mouth = { pool: store.pool, speak }
  const first = sayOnce(mouth, saying, 600)
  while (!(await begun())) await sleep(5)
  expect(await sayOnce(mouth, saying, 600_000)).toBe('busy')
  expect(await first).toEqual({ ts: '1.0', new: true })
})

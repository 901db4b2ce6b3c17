import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { sayForSure } from '../../src/agent/say.ts'
import { openTestStore } from '../support/store.ts'

test('an author whom Slack keeps waiting is not taken for dead, and nothing is said twice', async () => {
  await using store = await openTestStore()
  let posted = 0
  const speak = {
    async post() {
      await sleep(1200)
      posted += 1
      return { ts: `${posted}.0` }
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
  const said = await Promise.all([sayForSure(mouth, saying, 300), sayForSure(mouth, saying, 300)])
  expect(said.map(({ ts }) => ts)).toEqual(['1.0', '1.0'])
  expect(posted).toBe(1)
})

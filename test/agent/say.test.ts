/** Saying things once though processes die between the announcement, the post and its record. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findSaid, type Mouth, sayForSure, sayOnce } from '../../src/agent/say.ts'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { openSpeaker, type Speaker } from '../../src/slack/speak.ts'
import type { Store } from '../../src/store/open.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
let workspace: Workspace
let speaker: Speaker
let mouth: Mouth
beforeAll(async () => {
  store = await openTestStore()
  workspace = await openWorkspace()
  speaker = await openSpeaker({ botToken: workspace.botToken, apiUrl: workspace.apiUrl })
  mouth = { pool: store.pool, speak: speaker.speak }
})
afterAll(async () => {
  speaker.close()
  await workspace.close()
  await store.close()
})

const saying = (part: string) => ({
  owner: 'run-1',
  part,
  channel: workspace.channels.general,
  message: { text: `the words of ${part}` },
})
const heard = (part: string) =>
  workspace.messages(workspace.channels.general).filter((m) => m.text === `the words of ${part}`)
/** Makes the author of an announcement seem long gone. */
const age = (part: string) =>
  store.pool.query(`update posts set begun_at = now() - interval '20 seconds' where part = $1`, [part])

test('said again, it is where it was', async () => {
  const first = await sayOnce(mouth, saying('twice'))
  expect(await sayOnce(mouth, saying('twice'))).toEqual({ ...(first as object), new: false })
  expect(heard('twice')).toHaveLength(1)
})

test('an author who died after Slack took the post: it is found, by saying and by looking', async () => {
  for (const look of [sayForSure, findSaid]) {
    const part = `posted ${look.name}`
    const first = await sayForSure(mouth, saying(part))
    await store.pool.query('update posts set ts = null where part = $1', [part])
    await age(part)
    const again = await look(mouth, saying(part))
    expect(typeof again === 'object' ? again.ts : again).toBe(first.ts)
    expect(heard(part)).toHaveLength(1)
    expect(await sayOnce(mouth, saying(part))).toEqual({ ts: first.ts, new: false })
  }
})

test('an author who died before Slack took the post: it is said once, by one of those who come', async () => {
  const mute: Mouth = {
    ...mouth,
    speak: { ...speaker.speak, post: () => Promise.reject(new Error('died')) },
  }
  await expect(sayOnce(mute, saying('announced'))).rejects.toThrow('died')
  expect(await sayOnce(mouth, saying('announced'))).toBe('busy')
  expect(await findSaid(mouth, saying('announced'))).toBeUndefined()
  await age('announced')
  await Promise.all([1, 2, 3].map(() => sayForSure(mouth, saying('announced'))))
  expect(heard('announced')).toHaveLength(1)
})

test('an author whom Slack keeps waiting says that it lives, so that nobody else says it too', async () => {
  const begun = async () =>
    (await store.pool.query(`select begun_at::text as at from posts where owner = 'run'`)).rows[0]
      ?.at as string
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

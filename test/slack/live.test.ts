import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openLive } from '../../src/slack/live.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})
const say = (text: string) => ({ text })

test('first at once, then one at most every 1.5 s, the last state wins', async () => {
  const sent: [string, number][] = []
  const live = openLive<{ text: string }>(
    async (message) => void sent.push([message.text, performance.now()]),
  )
  const from = performance.now()
  for (let i = 0; i < 40; i++) {
    live.show(say(String(i)))
    await vi.advanceTimersByTimeAsync(100)
  }
  await live.close()
  const times = sent.map(([, at]) => at - from)
  expect(times[0]).toBe(0)
  for (let i = 1; i < times.length - 1; i++)
    expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(1500)
  expect(sent.length).toBeLessThanOrEqual(4)
  expect(sent.at(-1)?.[0]).toBe('39')
})

test('never two at a time, and unchanged content is not sent', async () => {
  let [now, most, sent] = [0, 0, 0]
  const live = openLive(
    async () => {
      now += 1
      sent += 1
      most = Math.max(most, now)
      await new Promise((resolve) => setTimeout(resolve, 5000))
      now -= 1
    },
    { everyMs: 100 },
  )
  for (const text of ['a', 'b', 'c', 'c', 'c']) {
    live.show(say(text))
    await vi.advanceTimersByTimeAsync(200)
  }
  const closing = live.close()
  await vi.advanceTimersByTimeAsync(30_000)
  await closing
  live.show(say('too late'))
  await vi.advanceTimersByTimeAsync(10_000)
  expect({ most, sent }).toEqual({ most: 1, sent: 2 })
})

test('what was dropped is tried again; a flush may not be dropped', async () => {
  const tries: boolean[] = []
  const live = openLive(
    async (_message, { last }) => {
      tries.push(last)
      return last ? 'sent' : 'dropped'
    },
    { everyMs: 1000 },
  )
  live.show(say('a'))
  await vi.advanceTimersByTimeAsync(3500)
  expect(tries).toEqual([false, false, false, false])
  await live.flush()
  await vi.advanceTimersByTimeAsync(5000)
  expect(tries).toEqual([false, false, false, false, true])
})

test('once left nothing is sent, not even what was dropped and waits for its turn', async () => {
  let tries = 0
  const live = openLive(
    async () => {
      tries += 1
      return 'dropped'
    },
    { everyMs: 1000 },
  )
  live.show(say('a'))
  await vi.advanceTimersByTimeAsync(500)
  live.leave()
  live.show(say('b'))
  await vi.advanceTimersByTimeAsync(5000)
  expect({ tries, waiting: vi.getTimerCount() }).toEqual({ tries: 1, waiting: 0 })
})

test('a failed edit does not stop later ones, and a flush tells of its failure', async () => {
  let broken = true
  const sent: string[] = []
  const live = openLive<{ text: string }>(
    async (message) => {
      if (broken) throw new Error('no')
      sent.push(message.text)
    },
    { everyMs: 1000 },
  )
  live.show(say('a'))
  await vi.advanceTimersByTimeAsync(5000)
  await expect(live.flush()).rejects.toThrow('no')
  broken = false
  live.show(say('b'))
  await vi.advanceTimersByTimeAsync(1500)
  expect(sent).toEqual(['b'])
  await live.close()
})

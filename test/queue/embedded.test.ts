import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type EmbeddedQueue, openEmbeddedQueue } from '../../src/queue/embedded.ts'
import { openQueue } from '../../src/queue/open.ts'

let server: EmbeddedQueue
let broke: Error[]

beforeEach(async () => {
  broke = []
  server = await openEmbeddedQueue({ broke: (error) => broke.push(error) })
})
afterEach(() => server.close())

test('nobody gets in without the password', async () => {
  const url = new URL(server.url)
  url.password = ''
  const stranger = new Redis(url.href, { retryStrategy: () => null })
  stranger.on('error', () => {})
  await expect(stranger.get('x')).rejects.toThrow(/NOAUTH/)
  stranger.disconnect()
})

test('several run beside each other and do not know of each other', async () => {
  const second = await openEmbeddedQueue()
  const [a, b] = [new Redis(server.url), new Redis(second.url)]
  await a.set('x', 'a')
  expect(await b.get('x')).toBeNull()
  a.disconnect()
  b.disconnect()
  await second.close()
})

test('answers in about a millisecond, not with the next tick of its clock', async () => {
  const client = new Redis(server.url)
  await client.ping()
  const times: number[] = []
  for (let at = 0; at < 200; at++) {
    const start = performance.now()
    await client.ping()
    times.push(performance.now() - start)
  }
  client.disconnect()
  expect(times.sort((a, b) => a - b)[100]).toBeLessThan(10)
})

test('one that breaks is started again at the same address, and workers find it', async () => {
  await using queue = await openQueue({ redisUrl: server.url })
  const taken: string[] = []
  queue.work(async ({ id }) => void taken.push(id), { slots: 1 })
  const client = new Redis(server.url)
  client.on('error', () => {})
  void client.call('SHUTDOWN', 'NOSAVE').catch(() => {})
  await expect.poll(() => broke.length, { timeout: 10_000 }).toBe(1)
  client.disconnect()
  const one = { id: randomUUID(), run: randomUUID() }
  await expect
    .poll(
      () =>
        queue.add([one]).then(
          () => 'added',
          () => 'away',
        ),
      { timeout: 15_000 },
    )
    .toBe('added')
  await expect.poll(() => taken, { timeout: 15_000 }).toEqual([one.id])
})

test('opened by nobody but us, it is what openQueue uses without an address', async () => {
  await using queue = await openQueue({})
  expect(queue.kind).toBe('embedded')
  await queue.ping()
  expect(await queue.check()).toEqual([])
})

import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openEmbeddedQueue } from '../../src/queue/embedded.ts'
import { openQueue, type Queue } from '../../src/queue/open.ts'
import type { Wakeup } from '../../src/queue/work.ts'
import { openTestQueueServer, openWire, type TestQueueServer, type Wire } from '../support/queue.ts'

const script = fileURLToPath(new URL('./worker.ts', import.meta.url))

let server: TestQueueServer
let name: string
let queue: Queue
let raw: Redis

beforeAll(async () => {
  server = await openTestQueueServer()
  raw = new Redis(server.url)
})
afterAll(async () => {
  raw.disconnect()
  await server.close()
})
beforeEach(async () => {
  name = `test-${randomUUID()}`
  queue = await openQueue({ redisUrl: server.url, name })
})
afterEach(() => queue.close())

const wakeup = (): Wakeup => ({ id: randomUUID(), run: randomUUID() })
const wakeups = (count: number) => Array.from({ length: count }, wakeup)
const key = (id: string) => `{quorum}:${name}:${id}`

/** Collects what was said, as a logger. */
function listen() {
  const said: string[] = []
  const note = (about: object, message: string) => void said.push(`${message} ${inspect(about)}`)
  return { said, log: { info: note, warn: note } }
}

describe('wake-ups', () => {
  test('are handled once each, by id and run, never more at a time than there are slots', async () => {
    const given = wakeups(50)
    const taken: Wakeup[] = []
    let most = 0
    const working = queue.work(
      async (one) => {
        most = Math.max(most, working.running())
        await new Promise(setImmediate)
        taken.push(one)
      },
      { slots: 4 },
    )
    await queue.add(given)
    await expect.poll(() => taken.length).toBe(50)
    expect(taken.sort((a, b) => a.id.localeCompare(b.id))).toEqual(
      given.sort((a, b) => a.id.localeCompare(b.id)),
    )
    expect(most).toBe(4)
    expect(working.running()).toBe(0)
  })

  test('added twice are one', async () => {
    const one = wakeup()
    await queue.add([one, one])
    await queue.add([one])
    const taken: string[] = []
    queue.work(async ({ id }) => void taken.push(id), { slots: 1 })
    const last = wakeup()
    await queue.add([last])
    await expect.poll(() => taken.at(-1)).toBe(last.id)
    expect(taken).toEqual([one.id, last.id])
  })

  test('carry nothing but ids, and leave nothing when done', async () => {
    const one = wakeup()
    await queue.add([one])
    expect(await raw.hget(key(one.id), 'data')).toBe(JSON.stringify({ run: one.run }))
    queue.work(async () => {}, { slots: 1 })
    await expect.poll(() => raw.exists(key(one.id))).toBe(0)
  })

  test('that fail are told of, and the next ones come', async () => {
    await queue.close()
    const { said, log } = listen()
    queue = await openQueue({ redisUrl: server.url, name, log })
    const bad = wakeup()
    const taken: string[] = []
    queue.work(
      async ({ id }) => {
        if (id === bad.id) throw new Error('not this one')
        taken.push(id)
      },
      { slots: 1 },
    )
    const good = wakeups(3)
    await queue.add([bad, ...good])
    await expect.poll(() => taken).toEqual(good.map((one) => one.id))
    expect(said.filter((line) => line.includes('not this one') && line.includes(bad.id))).toHaveLength(1)
  })

  test('that failed or are done are handled again where they are added again', async () => {
    const one = wakeup()
    let times = 0
    queue.work(
      async () => {
        times += 1
        if (times === 1) throw new Error('not this time')
      },
      { slots: 1 },
    )
    for (const done of [1, 2, 3]) {
      await queue.add([one])
      await expect.poll(() => times).toBe(done)
      await expect.poll(() => raw.exists(key(one.id))).toBe(0)
    }
  })

  test('of another queue are not seen', async () => {
    await using other = await openQueue({ redisUrl: server.url, name: `${name}-other` })
    const taken: string[] = []
    queue.work(async ({ id }) => void taken.push(id), { slots: 1 })
    await other.add([wakeup()])
    const mine = wakeup()
    await queue.add([mine])
    await expect.poll(() => taken).toEqual([mine.id])
  })

  test('of a queue that was wiped are gone, and new ones are handled', async () => {
    await queue.add(wakeups(5))
    for (const found of await raw.keys(`{quorum}:${name}:*`)) await raw.del(found)
    const taken: string[] = []
    queue.work(async ({ id }) => void taken.push(id), { slots: 2 })
    const one = wakeup()
    await queue.add([one])
    await expect.poll(() => taken).toEqual([one.id])
  })

  test('of a killed worker go to another', async () => {
    const lockMs = 800
    const child = startWorker(lockMs, 'hang')
    const one = wakeup()
    await queue.add([one])
    expect(await readLine(child)).toBe(one.id)
    child.kill('SIGKILL')
    await using second = await openQueue({ redisUrl: server.url, name, lockMs })
    const taken: string[] = []
    second.work(async ({ id }) => void taken.push(id), { slots: 1 })
    await expect.poll(() => taken, { timeout: 10_000 }).toEqual([one.id])
  })
})

describe('closing', () => {
  test('waits for what is being handled, and takes nothing new', async () => {
    const gate = Promise.withResolvers<void>()
    const taken: string[] = []
    const done: string[] = []
    const working = queue.work(
      async ({ id }) => {
        taken.push(id)
        await gate.promise
        done.push(id)
      },
      { slots: 1 },
    )
    const [first, second] = [wakeup(), wakeup()]
    await queue.add([first])
    await expect.poll(() => taken).toEqual([first.id])
    const closing = working.close(10_000)
    await queue.add([second])
    gate.resolve()
    await closing
    expect(done).toEqual([first.id])
    expect(await raw.exists(key(first.id))).toBe(0)
    expect(taken).toEqual([first.id])
    expect(await raw.exists(key(second.id))).toBe(1)
  })

  test('does not wait longer than it may', async () => {
    const taken: string[] = []
    const working = queue.work(
      async ({ id }) => {
        taken.push(id)
        await new Promise(() => {})
      },
      { slots: 1 },
    )
    await queue.add([wakeup()])
    await expect.poll(() => taken.length).toBe(1)
    const start = performance.now()
    await working.close(200)
    expect(performance.now() - start).toBeLessThan(3_000)
  })

  test('an idle worker closes at once, and twice is once', async () => {
    queue.work(async () => {}, { slots: 1 })
    const start = performance.now()
    await Promise.all([queue.close(), queue.close()])
    expect(performance.now() - start).toBeLessThan(1_500)
  })

  test('leaves nothing that keeps the process', async () => {
    const child = startWorker(15_000, 'close')
    await queue.add([wakeup()])
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
  })
})

describe('while the server is away', () => {
  let wire: Wire
  let heard: ReturnType<typeof listen>
  let there: Queue

  beforeEach(async () => {
    wire = await openWire(server.url)
    heard = listen()
    there = await openQueue({ redisUrl: wire.url, name, log: heard.log })
  })
  afterEach(async () => {
    await there.close()
    await wire[Symbol.asyncDispose]()
  })

  test('adding fails at once, and afterwards everything works again', async () => {
    const taken: string[] = []
    there.work(async ({ id }) => void taken.push(id), { slots: 2 })
    const before = wakeup()
    await there.add([before])
    await expect.poll(() => taken).toEqual([before.id])

    await wire.cut()
    const start = performance.now()
    await expect(there.add([wakeup()])).rejects.toMatchObject({ code: 'queue-unreachable', retry: true })
    await expect(there.ping()).rejects.toMatchObject({ code: 'queue-unreachable', retry: true })
    expect(performance.now() - start).toBeLessThan(1_000)
    const meanwhile = wakeup()
    await queue.add([meanwhile])

    await wire.mend()
    await expect.poll(() => taken, { timeout: 15_000 }).toEqual([before.id, meanwhile.id])
    await expect
      .poll(
        () =>
          there.ping().then(
            () => 'ok',
            () => 'no',
          ),
        { timeout: 10_000 },
      )
      .toBe('ok')
    const after = wakeup()
    await there.add([after])
    await expect.poll(() => taken.at(-1), { timeout: 10_000 }).toBe(after.id)
    expect(heard.said.filter((line) => line.includes('is away'))).toHaveLength(1)
    expect(heard.said.filter((line) => line.includes('is back'))).toHaveLength(1)
  })

  test('what was being handled is finished, and closing does not hang', async () => {
    const gate = Promise.withResolvers<void>()
    let finished = false
    const working = there.work(
      async () => {
        await gate.promise
        finished = true
      },
      { slots: 1 },
    )
    await there.add([wakeup()])
    await expect.poll(() => working.running()).toBe(1)
    await wire.cut()
    const start = performance.now()
    const closing = working.close(5_000)
    gate.resolve()
    await closing
    await there.close()
    expect(finished).toBe(true)
    expect(performance.now() - start).toBeLessThan(6_000)
  })
})

describe('a server that cannot be used', () => {
  const secret = 'geheim'

  test('is waited for, and then named without its password', async () => {
    const { said, log } = listen()
    const opening = openQueue({ redisUrl: `redis://:${secret}@127.0.0.1:1`, patienceMs: 300, log })
    const error = await caught(opening)
    expect(error).toMatchObject({ code: 'queue-unreachable', retry: true })
    expect(error.message).toContain('the queue at 127.0.0.1:1 cannot be used: connect ECONNREFUSED')
    expect(said).toHaveLength(1)
    expect(inspect(error, { depth: 9 }) + said.join()).not.toContain(secret)
  })

  test('because of the password is refused at once', async () => {
    await using guarded = await openEmbeddedQueue()
    const wrong = new URL(guarded.url)
    wrong.password = secret
    const start = performance.now()
    const error = await caught(openQueue({ redisUrl: wrong.href }))
    expect(error).toMatchObject({ code: 'queue-unreachable', retry: false })
    expect(performance.now() - start).toBeLessThan(5_000)
  })

  test('because it says nothing is given up', async () => {
    const silent = net.createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as net.AddressInfo
    const error = await caught(openQueue({ redisUrl: `redis://127.0.0.1:${port}`, patienceMs: 300 }))
    expect(error).toMatchObject({ code: 'queue-unreachable', retry: true })
    silent.close()
  })
})

test('a server that forgets under pressure is warned of', async () => {
  const before = (await raw.config('GET', 'maxmemory-policy')) as unknown as string[] | Record<string, string>
  expect(await queue.check()).toEqual([])
  await raw.config('SET', 'maxmemory-policy', 'allkeys-lru')
  try {
    expect(await queue.check()).toEqual([expect.stringMatching(/allkeys-lru.*noeviction/)])
  } finally {
    const policy = Array.isArray(before) ? before[1] : before['maxmemory-policy']
    await raw.config('SET', 'maxmemory-policy', policy ?? 'noeviction')
  }
})

function caught(opening: Promise<Queue>): Promise<Error> {
  return opening.then(
    () => new Error('it opened'),
    (error: Error) => error,
  )
}

function startWorker(lockMs: number, what: 'hang' | 'close'): ChildProcess {
  return spawn(process.execPath, [script, server.url, name, String(lockMs), what], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function readLine(child: ChildProcess): Promise<string> {
  const [data] = await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
  return String(data).trim()
}

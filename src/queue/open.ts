/** Opens the queue: BullMQ on a Valkey or Redis server, or on the embedded Valkey where there is none. */
import { Queue as BullQueue } from 'bullmq'
import { Fault } from '../core/fault.ts'
import { type Client, describeAddress, readAddress } from './address.ts'
import { connectProducer, disconnect, type QueueLog } from './connect.ts'
import { openEmbeddedQueue } from './embedded.ts'
import { prefix, startWorking, type Wakeup, type Working } from './work.ts'

export type Queue = AsyncDisposable & {
  kind: 'server' | 'embedded'
  /**
   * Adds wake-ups; one that waits or is being handled is ignored, one that is done or failed comes again.
   * Throws `Fault('queue-unreachable')`; some may have been added then, and adding them again is harmless.
   */
  add(wakeups: Wakeup[]): Promise<void>
  /** Calls `handle` for each wake-up, at most `slots` at a time; a wake-up may come more than once. */
  work(handle: (wakeup: Wakeup) => Promise<void>, options: { slots: number }): Working
  /** Throws `Fault('queue-unreachable')` where the server does not answer. */
  ping(): Promise<void>
  /** What is wrong with the server's settings, one sentence each. */
  check(): Promise<string[]>
  /** Stops workers at once and ends the connections. May be called twice. */
  close(): Promise<void>
}

export type QueueSettings = {
  /** As `Address` describes; undefined starts the embedded server. */
  redisUrl?: string | undefined
  /** Queues of different names do not see each other; `quorum` where undefined. */
  name?: string | undefined
  log?: QueueLog | undefined
  /** How long to wait for a server that does not answer yet, in ms; 30 s where undefined. */
  patienceMs?: number | undefined
  /** How long a wake-up stays with a worker that died, in ms; the same everywhere. 15 s where undefined. */
  lockMs?: number | undefined
}

/** What is over is forgotten, so that a run whose wake-up failed can be woken by the same one. */
const kept = { removeOnComplete: true, removeOnFail: true }

/**
 * Opens the queue and answers when it can be used. Throws `Fault('queue-unreachable')` where the server does
 * not answer in time or refuses us.
 */
export async function openQueue(settings: QueueSettings): Promise<Queue> {
  if (settings.redisUrl) return openOn(settings.redisUrl, 'server', settings, async () => {})
  const embedded = await startEmbedded(settings.log)
  try {
    return await openOn(embedded.url, 'embedded', settings, embedded.close)
  } catch (error) {
    await embedded.close()
    throw error
  }
}

/** The queues of one process: those of all its workspaces lie in one server. */
export type Queues = AsyncDisposable & { open(name: string): Promise<Queue> }

/** Nothing is opened before the first queue is asked for. */
export function openQueues(settings: Pick<QueueSettings, 'redisUrl' | 'log'>): Queues {
  const { redisUrl, log } = settings
  let embedded: ReturnType<typeof startEmbedded> | undefined
  return {
    async open(name) {
      if (redisUrl) return openQueue({ redisUrl, name, log })
      embedded ??= startEmbedded(log)
      const { url } = await embedded
      return openOn(url, 'embedded', { name, log }, async () => {})
    },
    async [Symbol.asyncDispose]() {
      await (await embedded)?.close()
    },
  }
}

function startEmbedded(log: QueueLog | undefined) {
  const broke = (error: Error) =>
    log?.warn(
      { reason: error.message },
      'the embedded queue broke and is started again; what waits is in the store',
    )
  return openEmbeddedQueue({ broke })
}

async function openOn(
  url: string,
  kind: Queue['kind'],
  settings: QueueSettings,
  after: () => Promise<void>,
): Promise<Queue> {
  const address = readAddress(url)
  const place = describeAddress(address)
  const name = settings.name ?? 'quorum'
  const producer = await connectProducer(address, settings)
  const bull = new BullQueue<{ run: string }>(name, {
    connection: producer,
    prefix,
    defaultJobOptions: kept,
    streams: { events: { maxLen: 100 } },
  })
  // They also reject what was being done, and the connection tells of its own.
  bull.on('error', () => {})
  await attempt(producer, place, () => bull.waitUntilReady())
  const workings = new Set<Working>()
  const stop = async () => {
    await Promise.all([...workings].map((working) => working.close(0)))
    await bull.close()
    disconnect(producer)
    await after()
  }
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= stop()
    return closing
  }
  return {
    kind,
    add: (wakeups) => attempt(producer, place, () => addAll(bull, wakeups)),
    work: (handle, { slots }) => {
      const { log, lockMs } = settings
      const working = startWorking(address, name, handle, { slots, log, lockMs })
      workings.add(working)
      return working
    },
    ping: () => attempt(producer, place, async () => void (await producer.ping())),
    check: () => attempt(producer, place, () => readWarnings(producer)),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function addAll(bull: BullQueue<{ run: string }>, wakeups: Wakeup[]): Promise<void> {
  if (wakeups.length === 0) return
  await bull.addBulk(wakeups.map(({ id, run }) => ({ name: 'advance', data: { run }, opts: { jobId: id } })))
}

async function attempt<T>(producer: Client, place: string, work: () => Promise<T>): Promise<T> {
  const fault = (why: string, cause?: unknown) =>
    new Fault('queue-unreachable', `${place} cannot be used: ${why}`, { retry: true, cause })
  if (producer.status !== 'ready') throw fault('there is no connection')
  try {
    return await work()
  } catch (cause) {
    throw fault((cause as Error).message, cause)
  }
}

async function readWarnings(producer: Client): Promise<string[]> {
  const policy = /^maxmemory_policy:(.*?)\r?$/m.exec(await producer.info('memory'))?.[1]
  if (!policy || policy === 'noeviction') return []
  return [`maxmemory-policy is ${policy}: wake-ups can vanish when memory is short. Set it to noeviction.`]
}

/** Takes wake-ups from the queue and has them handled. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Job, Worker } from 'bullmq'
import type { Address } from './address.ts'
import { connectConsumer, disconnect, type QueueLog } from './connect.ts'

/** A job that says only "advance this run". `id` is a UUID of its own. */
export type Wakeup = { id: string; run: string }

/** Taking wake-ups, until closed. */
export type Working = {
  /** How many are being handled now. */
  running(): number
  /**
   * Takes no more, waits up to `graceMs` for those being handled, and then leaves them: another worker gets
   * what was left once its lock has expired.
   */
  close(graceMs: number): Promise<void>
}

/** Braces keep all keys on one node of a cluster. */
export const prefix = '{quorum}'

/** How long a wake-up stays with a worker that died; it is noticed after one to one and a half times this. */
const lockMsOtherwise = 15_000
const timing = (lockMs = lockMsOtherwise) => ({
  lockDuration: lockMs,
  stalledInterval: lockMs / 2,
  maxStalledCount: 5,
})

/** What it takes to end when the server is away. */
const lastMs = 2_000

export function startWorking(
  address: Address,
  name: string,
  handle: (wakeup: Wakeup) => Promise<void>,
  options: { slots: number; log?: QueueLog | undefined; lockMs?: number | undefined },
): Working {
  const { client, all } = connectConsumer(address)
  let running = 0
  let idle = Promise.withResolvers<void>()
  const process = async (job: Job<{ run: string }>) => {
    running++
    try {
      await handle({ id: job.id as string, run: job.data.run })
    } finally {
      running--
      if (running === 0) idle.resolve()
    }
  }
  const worker = new Worker<{ run: string }>(name, process, {
    connection: client,
    prefix,
    concurrency: options.slots,
    ...timing(options.lockMs),
  })
  const tell = onceAMinute((reason) => options.log?.warn({ reason }, 'the queue had trouble'))
  worker.on('error', (error) => {
    // While the server is away there is an error per attempt; that it is away has been said.
    if (client.status === 'ready') tell(error.message.replace(/\bjob \S+\b/, 'a job'))
  })
  worker.on('failed', (job, error) =>
    options.log?.warn({ wakeup: job?.id, run: job?.data.run, reason: error.message }, 'a wake-up failed'),
  )
  const stop = async (graceMs: number) => {
    await Promise.race([worker.pause(true), sleep(lastMs, undefined, { ref: false })])
    if (running > 0 && graceMs > 0) {
      idle = Promise.withResolvers()
      await Promise.race([idle.promise, sleep(graceMs, undefined, { ref: false })])
    }
    await Promise.race([worker.close(running > 0), sleep(lastMs, undefined, { ref: false })])
    for (const one of all) disconnect(one)
  }
  let closing: Promise<void> | undefined
  const close = (graceMs: number) => {
    closing ??= stop(graceMs)
    return closing
  }
  return { running: () => running, close }
}

/** A server that lost its memory gives an error for every wake-up it had: equal ones are told once. */
function onceAMinute(tell: (reason: string) => void): (reason: string) => void {
  const toldAt = new Map<string, number>()
  return (reason) => {
    if (Date.now() - (toldAt.get(reason) ?? 0) < 60_000) return
    if (toldAt.size > 100) toldAt.clear()
    toldAt.set(reason, Date.now())
    tell(reason)
  }
}

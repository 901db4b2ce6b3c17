/** A worker: takes wake-ups from the queue and advances runs; relays the outbox; sweeps up what was lost. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type pg from 'pg'
import type { Queue } from '../queue/open.ts'
import {
  beat,
  clearWakeup,
  forgetWorker,
  markDispatched,
  readWindow,
  sweepWakeups,
  type Wakeup,
} from '../store/wakeups.ts'
import type { Advanced } from './advance.ts'
import { repeat } from './repeat.ts'

export type WorkContext = {
  pool: pg.Pool
  /** The workspace whose runs are advanced here. */
  workspace: string
  queue: Pick<Queue, 'add' | 'work'>
  slots: number
  /** Looks for tools that are withdrawn, now and then. */
  look?: () => Promise<void>
  /** Advances one run; `owner` is this worker's id. */
  advance: (run: string, owner: string, shutdown: AbortSignal) => Promise<Advanced>
  log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void
}

/** In milliseconds. */
const TIMES = {
  /** The outbox is looked at this often, besides every poke. */
  relay: 250,
  sweep: 1000,
  beat: 5000,
  look: 2000,
  /** A wake-up handed to the queue this long ago, whose run nobody holds, was lost. */
  stale: 15_000,
}

export type Worker = {
  /** A wake-up was written in this process. */
  poke(): void
  /** Takes no more work, gives what is under way `graceMs` to end, hands the rest back. */
  close(graceMs: number): Promise<void>
}

/** Starts a worker and says so in the store. */
export async function openWorker(context: WorkContext): Promise<Worker> {
  const self = {
    id: randomUUID(),
    workspace: context.workspace,
    slots: context.slots,
    host: hostname(),
    pid: process.pid,
  }
  const shutdown = new AbortController()
  await beat(context.pool, self)
  const working = context.queue.work((wakeup) => act(context, self.id, wakeup, shutdown.signal, relay.poke), {
    slots: context.slots,
  })
  const relay = repeat(TIMES.relay, () => relayOutbox(context), context.log)
  const sweep = repeat(TIMES.sweep, () => sweepOnce(context, TIMES.stale, relay.poke), context.log)
  const beating = repeat(TIMES.beat, () => beat(context.pool, self), context.log)
  const looking = context.look && repeat(TIMES.look, context.look, context.log)
  return {
    poke: relay.poke,
    async close(graceMs) {
      const late = setTimeout(() => shutdown.abort(), Math.max(0, graceMs - 2000))
      await Promise.all([relay.close(), sweep.close(), beating.close(), looking?.close()])
      await working.close(graceMs)
      clearTimeout(late)
      shutdown.abort()
      await forgetWorker(context.pool, self.id).catch(() => undefined)
    },
  }
}

async function act(
  context: WorkContext,
  owner: string,
  wakeup: Wakeup,
  shutdown: AbortSignal,
  poke: () => void,
): Promise<void> {
  try {
    const advanced = await context.advance(wakeup.run, owner, shutdown)
    context.log('info', 'a run was advanced', { run: wakeup.run, advanced })
    if (await clearWakeup(context.pool, wakeup.id)) poke()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    context.log('error', 'a wake-up could not be acted on; the sweep will find its run', {
      run: wakeup.run,
      why,
    })
  }
}

/** Adds first, marks after: a crash between the two means a wake-up twice, which is harmless. */
async function relayOutbox(context: WorkContext): Promise<void> {
  const wakeups = await readWindow(context.pool, context.workspace)
  if (wakeups.length === 0) return
  await context.queue.add(wakeups)
  await markDispatched(
    context.pool,
    wakeups.map((w) => w.id),
  )
}

async function sweepOnce(context: WorkContext, staleMs: number, poke: () => void): Promise<void> {
  const mended = await sweepWakeups(context.pool, staleMs)
  if (mended === 0) return
  context.log('info', 'runs without a wake-up were found', { mended })
  poke()
}

/** A worker: takes wake-ups from the queue and advances runs; relays the outbox; sweeps up what was lost. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type pg from 'pg'
import { chooseTurns } from '../core/fair.ts'
import type { Queue } from '../queue/open.ts'
import { markDispatched, placesIn, readLine, readRoom } from '../store/line.ts'
import { beat, clearWakeup, forgetWorker, takeStale, type Wakeup, wakeDue } from '../store/wakeups.ts'
import type { Advanced } from './advance.ts'
import { repeat } from './repeat.ts'

export type WorkContext = {
  pool: pg.Pool
  /** The workspace whose runs are advanced here. */
  workspace: string
  queue: Pick<Queue, 'add' | 'work'>
  slots: number
  /** By what the cost of a person's wake-up is divided when turns are given out; 1 where it is left out. */
  weigh?: (of: { person: string; agent: string }) => number
  /** Tells threads that wait for a worker of their place in the line. */
  tellPlaces?: () => Promise<void>
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
  places: 2000,
  /** A wake-up handed to the queue this long ago, whose run nobody holds, may be lost: it is handed over again. */
  stale: 15_000,
}

export type Worker = {
  /** A wake-up was written in this process. */
  poke(): void
  /** Takes no more work, gives what is under way `graceMs` to end, hands the rest back. */
  close(graceMs: number): Promise<void>
  /** When nothing is under way any more and no more is taken, though the rest of closing may still wait for others. */
  idle: Promise<void>
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
  const occupied = openMean()
  const working = context.queue.work(
    async (wakeup) => {
      const begun = performance.now()
      await act(context, self.id, wakeup, shutdown.signal, relay.poke)
      occupied.add(performance.now() - begun)
    },
    { slots: context.slots },
  )
  const relay = repeat(TIMES.relay, () => relayOutbox(context), context.log)
  const sweep = repeat(TIMES.sweep, () => sweepOnce(context, TIMES.stale, relay.poke), context.log)
  const beating = repeat(TIMES.beat, () => beat(context.pool, { ...self, ms: occupied.value() }), context.log)
  const looking = context.look && repeat(TIMES.look, context.look, context.log)
  const telling = context.tellPlaces && repeat(TIMES.places, context.tellPlaces, context.log)
  const idle = Promise.withResolvers<void>()
  return {
    poke: relay.poke,
    idle: idle.promise,
    async close(graceMs) {
      const late = setTimeout(() => shutdown.abort(), Math.max(0, graceMs - 2000))
      const turning = [relay, sweep, beating, looking, telling]
      const turned = Promise.all(turning.map((one) => one?.close()))
      await working.close(graceMs).finally(() => {
        clearTimeout(late)
        shutdown.abort()
        idle.resolve()
      })
      await turned
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
    if (await clearWakeup(context.pool, context.workspace, wakeup.id)) poke()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    context.log('error', 'a wake-up could not be acted on; the sweep will find its run', {
      run: wakeup.run,
      why,
    })
  }
}

/** A mean in which what is recent counts for more. */
function openMean(): { add(value: number): void; value(): number | undefined } {
  let mean: number | undefined
  return {
    add(value) {
      mean = mean === undefined ? value : mean * 0.9 + value * 0.1
    },
    value: () => mean,
  }
}

/**
 * Hands over whose turn it is. Adds first, marks after: a crash between the two, or a second process that does the
 * same, means a wake-up twice, which is harmless.
 */
async function relayOutbox(context: WorkContext): Promise<void> {
  const { pool, workspace, weigh = () => 1 } = context
  const places = placesIn(await readRoom(pool, workspace))
  if (places === 0) return
  const line = await readLine(pool, workspace, places + 1)
  const chosen = chooseTurns(line, places, (job) => ({ tokens: job.tokens, weight: weigh(job) }))
  if (chosen.turns.length === 0) return
  await context.queue.add(chosen.turns.map(({ job }) => ({ id: job.id, run: job.run })))
  await markDispatched(pool, workspace, chosen)
}

/** The queue ignores what it still has; what it lost comes again. */
async function sweepOnce(
  { pool, workspace, queue, log }: WorkContext,
  staleMs: number,
  poke: () => void,
): Promise<void> {
  await queue.add(await takeStale(pool, workspace, staleMs))
  const mended = await wakeDue(pool, workspace)
  if (mended === 0) return
  log('info', 'runs without a wake-up were found', { mended })
  poke()
}

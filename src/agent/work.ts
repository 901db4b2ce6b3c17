/** A worker: takes wake-ups from the queue and advances runs; relays the outbox; sweeps up what was lost. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
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
  /**
   * Advances one run; `owner` is this worker's id. What is still shown of it afterwards is handed to `linger`: it takes
   * no slot, and the wake-up is kept for it, so that somebody comes back where this process dies before.
   */
  advance: (
    run: string,
    owner: string,
    shutdown: AbortSignal,
    linger: (work: Promise<void>) => void,
  ) => Promise<Advanced>
  log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void
}

/** So long the end of a worker waits for what runs still show, in ms; a wake-up is left of the rest. */
const LINGER_MS = 2_000
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
  const lingering = new Map<string, Promise<void>>()
  const working = context.queue.work(
    async (wakeup) => {
      const begun = performance.now()
      if (lingering.has(wakeup.run)) return
      const rest = await act(context, self.id, wakeup, shutdown.signal, relay.poke)
      if (rest.length > 0) {
        const ended = Promise.all(rest)
          .then(() => clear(context, wakeup, relay.poke))
          .catch((error: unknown) => tellBroken(context, wakeup, error))
        lingering.set(wakeup.run, ended)
        void ended.finally(() => lingering.delete(wakeup.run))
      }
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
      await Promise.race([Promise.all(lingering.values()), sleep(LINGER_MS, undefined, { ref: false })])
      await turned
      await forgetWorker(context.pool, self.id).catch(() => undefined)
    },
  }
}

/** Acts on a wake-up. Answers what goes on of it, if anything does; the wake-up is cleared when that has ended. */
async function act(
  context: WorkContext,
  owner: string,
  wakeup: Wakeup,
  shutdown: AbortSignal,
  poke: () => void,
): Promise<Promise<void>[]> {
  const rest: Promise<void>[] = []
  try {
    const advanced = await context.advance(wakeup.run, owner, shutdown, (work) => void rest.push(work))
    context.log('info', 'a run was advanced', { run: wakeup.run, advanced })
    if (rest.length === 0) await clear(context, wakeup, poke)
  } catch (error) {
    tellBroken(context, wakeup, error)
  }
  return rest
}

async function clear(context: WorkContext, { id }: Wakeup, poke: () => void): Promise<void> {
  if (await clearWakeup(context.pool, context.workspace, id)) poke()
}

function tellBroken(context: WorkContext, { run }: Wakeup, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error)
  context.log('error', 'a wake-up could not be acted on; the sweep will find its run', { run, why })
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

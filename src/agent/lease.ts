/** The lease of a run while a worker advances it: kept alive, watched for a stop. */

import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Numbered, Step } from '../core/run.ts'
import type { Wait } from '../core/wait.ts'
import { appendSteps, type Lease, renewLease } from '../store/leases.ts'
import { hasStopped, type Run, readSteps } from '../store/runs.ts'
import { type Db, inTransaction } from '../store/transaction.ts'

/** Why work in flight is aborted. */
export type AbortReason = 'stop' | 'lost' | 'shutdown'

/** A run in the hands of one worker. `steps` is what the worker has read; writes go through {@link record}. */
export type Work = {
  pool: pg.Pool
  run: Run
  lease: Lease
  steps: Numbered[]
  /** How often advancing this run broke since its last step. */
  failures: number
  /** What the run waited for until it was taken. */
  waited?: Wait | undefined
  /** When what was read was last held against who may read it, in ms since 1970. */
  held?: number
  signal: AbortSignal
}

/** Number of the last step the worker has read. */
export function lastRead(work: Work): number {
  return work.steps.at(-1)?.n ?? 0
}

export async function reread(work: Work): Promise<void> {
  work.steps = await readSteps(work.pool, work.run.id)
}

/**
 * Appends steps after the last one read; `also` runs in the same transaction. `moved`: somebody appended
 * meanwhile, nothing was written, the new steps are read. `lost`: another worker has the run.
 */
export async function tryRecord(
  work: Work,
  steps: readonly Step[],
  also?: ((tx: Db) => Promise<void>) | undefined,
): Promise<'recorded' | 'moved' | 'lost'> {
  const after = lastRead(work)
  const append = async (tx: Db) => {
    const done = await appendSteps(tx, work.lease, after, steps)
    if (typeof done === 'number') await also?.(tx)
    return done
  }
  const done = also ? await inTransaction(work.pool, append) : await append(work.pool)
  if (done === 'moved') await reread(work)
  if (typeof done !== 'number') return done
  work.steps.push(...steps.map((step, i) => ({ ...step, n: after + i + 1 })))
  return 'recorded'
}

/** Appends steps whatever came meanwhile: for what has happened already. */
export async function record(
  work: Work,
  steps: readonly Step[],
  also?: (tx: Db) => Promise<void>,
): Promise<'recorded' | 'lost'> {
  for (;;) {
    const done = await tryRecord(work, steps, also)
    if (done !== 'moved') return done
  }
}

/**
 * Renews the lease every `everyMs` until disposed. Aborts the returned signal with an {@link AbortReason}
 * when the lease is lost, when a `stopped` step appears, or when `shutdown` aborts.
 */
export function keepLease(
  pool: pg.Pool,
  lease: Lease,
  times: { leaseMs: number; everyMs: number },
  shutdown: AbortSignal,
): { signal: AbortSignal; [Symbol.dispose](): void } {
  const work = new AbortController()
  const done = new AbortController()
  const onShutdown = () => work.abort('shutdown' satisfies AbortReason)
  shutdown.addEventListener('abort', onShutdown, { once: true })
  if (shutdown.aborted) onShutdown()

  void (async () => {
    let seen = 0
    let renewed = Date.now()
    while (!done.signal.aborted) {
      await sleep(times.everyMs, undefined, { signal: done.signal }).catch(() => undefined)
      if (done.signal.aborted) return
      try {
        const n = await renewLease(pool, lease, times.leaseMs)
        if (n === 'lost') return work.abort('lost' satisfies AbortReason)
        renewed = Date.now()
        // Renewed further: saying that it was stopped may take longer than a lease.
        if (n > seen && (await hasStopped(pool, lease.run, seen))) work.abort('stop' satisfies AbortReason)
        seen = n
      } catch {
        if (Date.now() - renewed > times.leaseMs) return work.abort('lost' satisfies AbortReason)
      }
    }
  })()

  return {
    signal: work.signal,
    [Symbol.dispose]() {
      done.abort()
      shutdown.removeEventListener('abort', onShutdown)
    },
  }
}

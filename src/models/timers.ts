/** The three clocks of a model call: until the first token, between chunks, and over all. */

import { Fault } from '../core/fault.ts'
import { milliseconds, type Pool } from '../core/pools.ts'

/** Milliseconds. */
export type Limits = { firstToken: number; idle: number; total: number }

/** How long the token counts may trail the finish reason. */
const AFTER_FINISH_MS = 2_000

/** Reads a pool's timers; what is left out is 60 s to the first token, 30 s between chunks, 10 min in all. */
export function readLimits(timers: Pool['timers'] = {}): Limits {
  return {
    firstToken: milliseconds(timers.firstToken ?? '60s'),
    idle: milliseconds(timers.idle ?? '30s'),
    total: milliseconds(timers.total ?? '10m'),
  }
}

export type Watch = {
  /** Aborts when the caller aborts or a clock runs out. */
  signal: AbortSignal
  /** Something arrived; `token` when it held a part of the answer or of its reasoning. */
  alive(token: boolean): void
  /** The answer is complete: only the token counts may still come. */
  finished(): void
  /** Why a clock ended the call, where one did. */
  fault(): Fault | undefined
  stop(): void
}

/** Starts the clocks of one call. */
export function startWatch(limits: Limits, caller: AbortSignal): Watch {
  const controller = new AbortController()
  let fault: Fault | undefined
  let begun = false
  let finished = false
  const end = (why?: Fault) => {
    fault ??= why
    controller.abort(why)
  }
  const stalled = (sentence: string, retry: boolean) => () =>
    end(new Fault('model-stalled', sentence, { retry }))
  const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`
  const total = setTimeout(
    stalled(`the model was still writing after ${seconds(limits.total)}`, false),
    limits.total,
  )
  const pause = stalled(
    `the model sent nothing for ${seconds(limits.idle)} in the middle of its answer`,
    true,
  )
  let next = setTimeout(
    stalled(`the model sent nothing for ${seconds(limits.firstToken)}`, true),
    limits.firstToken,
  )
  return {
    signal: AbortSignal.any([caller, controller.signal]),
    alive: (token) => {
      begun ||= token
      if (!begun || finished) return
      clearTimeout(next)
      next = setTimeout(pause, limits.idle)
    },
    finished: () => {
      if (finished) return
      finished = true
      clearTimeout(next)
      next = setTimeout(end, Math.min(limits.idle, AFTER_FINISH_MS))
    },
    fault: () => fault,
    stop: () => {
      clearTimeout(total)
      clearTimeout(next)
    },
  }
}

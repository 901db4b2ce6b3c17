/** One attempt at one replica: held before a byte is sent, capped at what was held, and settled once. */
import type { Outcome } from '../core/breaker.ts'
import type { ChatAnswer } from '../core/chat.ts'
import { estimateTokens } from '../core/chunk.ts'
import { Fault } from '../core/fault.ts'
import type { Meter, Purpose, Used } from '../core/meter.ts'
import { type Lane, LEAST_OUTPUT, LONG_TOKENS, outputCap, priceOf, roomBeside } from '../core/pools.ts'
import type { Wait } from '../core/wait.ts'
import type { AskOptions } from './chat.ts'
import { USUAL_OUTPUT } from './choose.ts'
import { retryAfterMs, statusOf, wasNotRead } from './failure.ts'
import type { Serving } from './pool.ts'
import { occupy, type Replica } from './replica.ts'
import type { FullRequest } from './wire.ts'

/** `replica`: who answered. */
export type Attempted = { answer: ChatAnswer; cap: number; replica: Replica } | { wait: Wait }

/** What an attempt needs to know. `prompt` in tokens. */
export type Trial = {
  meter: Meter
  about: Purpose
  request: FullRequest
  prompt: number
  lane: Lane
}

/** Left alone for so long, in ms, where an overloaded server does not say. */
const BUSY_MS = 1_000

/** Asks one replica once. Throws what the attempt throws. */
export async function attempt(
  serving: Serving,
  replica: Replica,
  trial: Trial,
  options: AskOptions,
): Promise<Attempted> {
  const { request, prompt, lane } = trial
  const most = mostOutput(serving, replica, trial)
  const price = priceOf(serving.pool)
  const { name: pool, tier } = serving
  const size = { prompt, most, least: Math.min(LEAST_OUTPUT, most) }
  const about = { ...trial.about, lane }
  const end = occupy(replica, prompt + Math.min(most, USUAL_OUTPUT), prompt >= LONG_TOKENS)
  let outcome: Outcome = 'nothing'
  let moved: { tokens: number; ms: number } | undefined
  try {
    const attempt = { pool, model: serving.pool.model, tier, ...size, ...(price ? { price } : {}) }
    const hold = await trial.meter(about, attempt)
    if ('wait' in hold) return hold
    let said = ''
    let used: Used = { prompt: 0, completion: 0, sure: true }
    try {
      options.signal.throwIfAborted()
      used = { prompt, completion: 0, sure: false }
      const onText = (delta: string) => {
        said += delta
        options.onText?.(delta)
      }
      const answer = await serving.ask(replica, { ...request, maxTokens: hold.most }, { ...options, onText })
      used = answer.usage ? { ...answer.usage, sure: true } : { ...used, completion: writtenIn(answer) }
      outcome = 'worked'
      moved = { tokens: used.prompt - (used.cached ?? 0) + used.completion, ms: answer.ms }
      // With something put behind the prompt the count is of both.
      if (answer.usage && !request.resume) serving.counter.learn(request, answer.usage.prompt)
      return { answer, cap: hold.most, replica }
    } catch (error) {
      if (wasNotRead(error)) used = { prompt: 0, completion: 0, sure: true }
      else if (!used.sure) used = { ...used, completion: estimateTokens(said) }
      outcome = options.signal.aborted ? 'nothing' : outcomeOf(error)
      throw error
    } finally {
      await hold.settle(used)
    }
  } finally {
    end(outcome, moved)
  }
}

/** What may be written: the pool's cap for this lane, less where the model's window ends before. */
function mostOutput(serving: Serving, replica: Replica, { request, prompt, lane }: Trial): number {
  const cap = Math.min(outputCap(serving.pool, lane), request.maxTokens ?? Number.POSITIVE_INFINITY)
  const context = serving.pool.contextTokens ?? replica.contextTokens
  return context === undefined ? cap : Math.max(1, Math.min(cap, roomBeside(prompt, context)))
}

function writtenIn(answer: ChatAnswer): number {
  return (
    estimateTokens(answer.text) + estimateTokens(answer.calls.length > 0 ? JSON.stringify(answer.calls) : '')
  )
}

/** What a failure says about the server. */
function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof Fault)) return 'nothing'
  switch (error.code) {
    case 'model-overloaded':
      return { busyMs: retryAfterMs(error) ?? BUSY_MS }
    case 'model-unreachable':
    case 'model-cut':
      return 'failed'
    case 'model-stalled':
      return error.retry ? 'failed' : 'nothing'
    case 'model-refused':
      return (statusOf(error) ?? 0) >= 500 ? 'failed' : 'nothing'
    default:
      return 'nothing'
  }
}

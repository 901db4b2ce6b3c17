/** One answer from one pool: a replica is chosen, asked, and where it fails another one takes over. */
import { createHash } from 'node:crypto'
import type { ChatAnswer, ChatRequest, Served } from '../core/chat.ts'
import { estimateTokens } from '../core/chunk.ts'
import { Fault } from '../core/fault.ts'
import type { Meter, Purpose } from '../core/meter.ts'
import { type Lane, milliseconds } from '../core/pools.ts'
import { orderFor } from '../core/route.ts'
import type { Wait } from '../core/wait.ts'
import { type Attempted, attempt, type Trial } from './attempt.ts'
import type { AskOptions } from './chat.ts'
import { choose, type Need, type Refusal } from './choose.ts'
import { statusOf } from './failure.ts'
import { hedge } from './hedge.ts'
import type { OpenPool, Serving } from './pool.ts'
import type { Recent } from './recent.ts'
import { type Replica, underWay } from './replica.ts'
import type { RetryBudget } from './retries.ts'

/** Everything an answer is made with, beside the question. */
export type Means = {
  meter: Meter
  retries: RetryBudget
  drained: () => ReadonlySet<string>
  /** The salt of a workspace's prefix caches. */
  salt: (workspace: string) => string
  /** Which beginnings of prompts which replica has read lately. */
  warm: Recent
}

/** What is asked, for whom. */
export type Question = {
  request: ChatRequest
  about: Purpose
  signal: AbortSignal
  /** Called with each new piece of the answer's text, in order. */
  onText?: ((delta: string) => void) | undefined
  /** What was passed on so far does not hold any more: the answer begins anew. */
  onRestart?: (() => void) | undefined
}

/** `gone`: every attempt failed, the last one with this. */
export type FromPool = { answer: ChatAnswer } | { wait: Wait } | { refused: Refusal } | { gone: unknown }

/** Other replicas that are tried at most, before anything of the answer was passed on. */
const MOST_OTHERS = 2

/** A question with what is known of its prompt in this pool, in tokens. */
export type Counted = Question & { prompt: number; lane: Lane }

/** Asks a pool. Throws only the signal's reason, and what is our own fault. */
export async function askPool(means: Means, serving: Serving, question: Counted): Promise<FromPool> {
  const { request, about, prompt, lane } = question
  const salt = serving.tier === 'local' ? means.salt(about.workspace) : undefined
  const full = { ...request, salt, sampling: serving.pool.sampling }
  const trial: Trial = { meter: means.meter, about, request: full, prompt, lane }
  const tried = new Set<string>()
  const need: Need = {
    key: keyOf(means, serving, question),
    prompt,
    lane,
    except: tried,
    drained: means.drained(),
  }
  means.retries.earn()
  return walk(means, serving, question, trial, need, tried)
}

async function walk(
  means: Means,
  serving: Serving,
  question: Question,
  trial: Trial,
  need: Need,
  tried: Set<string>,
): Promise<FromPool> {
  let told = ''
  let rescued = false
  let failed: unknown
  const anew = () => {
    if (told !== '') question.onRestart?.()
    told = ''
  }
  for (let attempts = 1; ; attempts += 1) {
    const own = told === '' ? trial : resumed(trial, told)
    const chosen = next(serving, { ...need, prompt: own.prompt }, attempts === 2 ? failed : undefined)
    const isRefused = !('url' in chosen)
    if (isRefused || (attempts > 1 && !means.retries.take())) {
      anew()
      if (!isRefused) return { refused: { why: 'full' } }
      return failed === undefined ? { refused: chosen } : { gone: failed }
    }
    const begun = told
    const onText = (delta: string) => {
      told += delta
      question.onText?.(delta)
    }
    try {
      const options: AskOptions = { signal: question.signal, onText: question.onText && onText }
      const done = await send(means, serving, chosen, own, need, options)
      if (!('wait' in done)) {
        means.warm.add(`${prefixOf(question.request, question.about.workspace)} ${done.replica.url}`)
        return { answer: finished(serving, done, attempts, begun) }
      }
      anew()
      return done
    } catch (error) {
      question.signal.throwIfAborted()
      if (!(error instanceof Fault)) throw error
      failed = error
      tried.add(chosen.url)
      if (told !== begun) {
        // Of what somebody reads already there is one rescue: gone on with where the model can, else begun anew.
        if (rescued || !isWorthAnother(error)) throw error
        rescued = true
        if (!serving.pool.continues) anew()
      } else if (!isWorthAnother(error) || attempts > MOST_OTHERS) {
        anew()
        return { gone: error }
      }
    }
  }
}

/** The replica to ask now; the one that `failed` just now is asked again only where there is no other, and it did answer. */
function next(serving: Serving, need: Need, failed: unknown): Replica | Refusal {
  const chosen = choose(serving.pool, serving.replicas, need)
  if ('url' in chosen || failed === undefined) return chosen
  const code = failed instanceof Fault ? failed.code : undefined
  if (code === 'model-overloaded' || code === 'model-unreachable' || statusOf(failed) === 404) return chosen
  return choose(serving.pool, serving.replicas, { ...need, except: new Set() })
}

/** Asks one replica, and a second where the pool hedges and the retry budget allows. */
function send(
  means: Means,
  serving: Serving,
  replica: Replica,
  trial: Trial,
  need: Need,
  options: AskOptions,
): Promise<Attempted> {
  const ask = (one: Replica) => (own: AskOptions) => attempt(serving, one, trial, own)
  if (serving.pool.hedge === undefined) return ask(replica)(options)
  const second = () => {
    const other = choose(serving.pool, serving.replicas, {
      ...need,
      except: new Set([...need.except, replica.url]),
    })
    return 'url' in other && means.retries.take() ? ask(other) : undefined
  }
  return hedge(ask(replica), second, milliseconds(serving.pool.hedge), options)
}

/** The request that has the model go on with what it wrote. */
function resumed(trial: Trial, begun: string): Trial {
  const messages = [...trial.request.messages, { role: 'assistant' as const, content: begun }]
  const prompt = trial.prompt + estimateTokens(begun)
  return { ...trial, prompt, request: { ...trial.request, messages, resume: true } }
}

function finished(
  { name, pool, tier }: Serving,
  { answer, cap }: Exclude<Attempted, { wait: Wait }>,
  attempts: number,
  begun: string,
): ChatAnswer {
  const served: Served = {
    pool: name,
    tier,
    ...(pool.revision ? { revision: pool.revision } : {}),
    settings: { maxTokens: cap, ...pool.sampling },
    attempts,
  }
  return { ...answer, text: begun + answer.text, served }
}

/** Whether the same request may have better luck elsewhere: also where a replica does not know the model. */
function isWorthAnother(error: Fault): boolean {
  return error.retry || statusOf(error) === 404
}

/** Tokens of a prompt in a pool, counted by the least busy replica that is up. Cloud servers are not asked to. */
export function countIn({ tier, replicas, counter }: OpenPool, request: ChatRequest): Promise<number> {
  const up = replicas.filter((one) => one.health.state !== 'down' && one.breaker.state === 'closed')
  const [free] = up.toSorted((a, b) => underWay(a) - underWay(b))
  return counter.count(request, tier === 'local' ? free : undefined)
}

/**
 * What decides where a call goes. A conversation stays where it was. One that only begins goes where others began the
 * same way, while that one is idle and the place where it will stay does not know that beginning yet.
 */
function keyOf(means: Means, { replicas }: Serving, { request, about }: Question): string {
  const thread = `${about.workspace} ${about.channel} ${about.thread}`
  if (request.messages.some(({ role }) => role === 'assistant')) return thread
  const prefix = prefixOf(request, about.workspace)
  const named = replicas.map((one) => ({ id: one.url, one }))
  const there = orderFor(prefix, named)[0]?.one
  const isKnown = means.warm.has(`${prefix} ${orderFor(thread, named)[0]?.id}`)
  return isKnown || !there || underWay(there) > 0 ? thread : prefix
}

/** What all conversations with an agent begin with: the system's message and the tools. */
function prefixOf({ messages, tools }: ChatRequest, workspace: string): string {
  const system = messages.find(({ role }) => role === 'system')?.content ?? ''
  const hash = createHash('sha256').update(system).update(JSON.stringify(tools)).digest('base64')
  return `${workspace} ${hash}`
}

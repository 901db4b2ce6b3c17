/** What people think of an answer: said under it, or shown by what they do next. */

import type { Step } from './run.ts'
import { queryWords } from './words.ts'

/** What may be wrong with an answer, as it is kept and as people choose it. */
export const CATEGORIES = {
  wrong: 'It is wrong',
  incomplete: 'It leaves out something important',
  'off-topic': 'It answers something else',
  sources: 'Its sources are wrong, missing or out of date',
  action: 'It did, or wanted to do, the wrong thing',
  form: 'Too long, too short, or hard to read',
  other: 'Something else',
} as const
export type Category = keyof typeof CATEGORIES

export function isCategory(word: unknown): word is Category {
  return typeof word === 'string' && Object.hasOwn(CATEGORIES, word)
}

/** The longest note that is kept, in characters. */
export const LONGEST_NOTE = 2_000

export type Rating = 'up' | 'down'

/** What stands in a feedback button: the rating and the run it is about. */
export function ratingValue(rating: Rating, run: string): string {
  return `${rating} ${run}`
}

export function readRating(value: string): { rating: Rating; run: string } | undefined {
  const [, rating, run] = /^(up|down) ([0-9a-f-]{36})$/.exec(value) ?? []
  return run && (rating === 'up' || rating === 'down') ? { rating, run } : undefined
}

/** What somebody did that says what they thought of a run. */
export type Signal = 'rephrased' | 'followed-up' | 'abandoned' | 'edited' | 'denied'

/** A question put in other words so soon after its answer was not answered well, in ms. */
export const REPHRASED_MS = 10 * 60_000

/**
 * What people did in a run: edited or denied a call, or gave it up (whoever asked stopped it, deleted the question, or
 * let what it waited for expire).
 */
export function signalsIn(steps: readonly Step[]): { person: string; signal: Signal }[] {
  const [asked] = steps
  if (asked?.kind !== 'asked') return []
  return steps.flatMap((step): { person: string; signal: Signal }[] => {
    if (step.kind === 'stopped' && step.by === asked.user)
      return [{ person: asked.user, signal: 'abandoned' }]
    if (step.kind !== 'decided') return []
    if (step.outcome === 'expired') return [{ person: asked.user, signal: 'abandoned' }]
    if (step.outcome === 'edited' && step.by) return [{ person: step.by, signal: 'edited' }]
    return step.outcome === 'rejected' && step.by ? [{ person: step.by, signal: 'denied' }] : []
  })
}

/** Whether two questions ask for much the same: half of the telling words of the shorter one stand in the other, by their beginnings. */
export function isRephrased(before: string, now: string): boolean {
  const [a, b] = [tellingWords(before), tellingWords(now)]
  const shared = [...a].filter((word) => b.has(word)).length
  return shared > 0 && shared * 2 >= Math.min(a.size, b.size)
}

function tellingWords(question: string): Set<string> {
  const words = [...new Set(queryWords(question))]
  // Short words of alphabets say little; in scripts without spaces every word is short.
  const telling = words.filter(
    (word) => word.length > 3 || !/^[\p{Script=Latin}\p{Script=Cyrillic}]+$/u.test(word),
  )
  return new Set((telling.length > 0 ? telling : words).map((word) => word.slice(0, 5)))
}

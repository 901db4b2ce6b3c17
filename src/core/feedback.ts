/** What people think of an answer: said under it, or shown by what they do next. */

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

/** How good a ranking is, against what people said is right. Pure. */

/** Graded documents of a question, by id; those graded 0, or not at all, are wrong. */
export type Grades = ReadonlyMap<string, number>

export type Verdict = {
  /** Normalised discounted cumulative gain of the first ten, gains as graded: 1 is the best order there is. */
  ndcg10: number
  /** The share of the right documents that is among the first ten, and the first hundred. */
  recall10: number
  recall100: number
  /** One divided by the place of the first right document, 0 where none is among the first ten. */
  mrr10: number
}

/** Judges one ranking, best first, each document once. A question without a right document has no verdict. */
export function judge(ranking: readonly string[], grades: Grades): Verdict | undefined {
  const right = [...grades.values()].filter((grade) => grade > 0).sort((a, b) => b - a)
  if (right.length === 0) return undefined
  const gains = ranking.map((id) => Math.max(0, grades.get(id) ?? 0))
  const found = (depth: number) => gains.slice(0, depth).filter((gain) => gain > 0).length / right.length
  const first = gains.slice(0, 10).findIndex((gain) => gain > 0)
  return {
    ndcg10: discounted(gains) / discounted(right),
    recall10: found(10),
    recall100: found(100),
    mrr10: first === -1 ? 0 : 1 / (first + 1),
  }
}

function discounted(gains: readonly number[]): number {
  return gains.slice(0, 10).reduce((sum, gain, at) => sum + gain / Math.log2(at + 2), 0)
}

/** The mean of each figure; all zero where there is nothing to judge. */
export function meanVerdict(verdicts: readonly Verdict[]): Verdict {
  const mean = (of: keyof Verdict) => verdicts.reduce((sum, one) => sum + one[of], 0) / (verdicts.length || 1)
  return {
    ndcg10: mean('ndcg10'),
    recall10: mean('recall10'),
    recall100: mean('recall100'),
    mrr10: mean('mrr10'),
  }
}

/** The smallest value that at least this share (0 to 1) of the values do not exceed; 0 where there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { judge, meanVerdict, percentile } from '../../src/core/judge.ts'

const graded = (grades: Record<string, number>) => new Map(Object.entries(grades))

test('one right document at the third place', () => {
  expect(judge(['x', 'y', 'a', 'z'], graded({ a: 1 }))).toEqual({
    // 1 / log2(3 + 1), the best being 1 / log2(1 + 1)
    ndcg10: 0.5,
    recall10: 1,
    recall100: 1,
    mrr10: 1 / 3,
  })
})

test('two right documents, the first at place 1, the other behind the tenth', () => {
  const ranking = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']
  const verdict = judge(ranking, graded({ a: 1, k: 1 }))
  // 1 / (1 + 1 / log2(3)) = 1 / 1.63093
  expect(verdict?.ndcg10).toBeCloseTo(0.613147, 6)
  expect(verdict).toMatchObject({ recall10: 0.5, recall100: 1, mrr10: 1 })
})

test('grades weigh: the better document at the second place', () => {
  // (1 + 2 / log2(3)) / (2 + 1 / log2(3)) = 2.261860 / 2.630930
  expect(judge(['a', 'b'], graded({ a: 1, b: 2 }))?.ndcg10).toBeCloseTo(0.859719, 6)
})

test('what is graded 0 is wrong, what is not found counts against, and without a right document there is no verdict', () => {
  expect(judge(['a', 'b'], graded({ a: 0, b: 1 }))).toMatchObject({ mrr10: 0.5, recall10: 1 })
  expect(judge([], graded({ a: 1 }))).toEqual({ ndcg10: 0, recall10: 0, recall100: 0, mrr10: 0 })
  expect(judge(['a'], graded({ a: 0 }))).toBeUndefined()
  expect(judge(['a'], new Map())).toBeUndefined()
})

test('a hundred and one: the last does not count', () => {
  const ranking = Array.from({ length: 101 }, (_, n) => `d${n}`)
  expect(judge(ranking, graded({ d99: 1, d100: 1 }))).toMatchObject({ recall10: 0, recall100: 0.5, mrr10: 0 })
})

test('the right order is 1, any order is between 0 and 1', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 30 }), (list) => {
      const ids = list.map((_, n) => `d${n}`)
      const grades = new Map(list.map((grade, n) => [`d${n}`, grade]))
      const best = ids.toSorted((a, b) => (grades.get(b) ?? 0) - (grades.get(a) ?? 0))
      const verdict = judge(best, grades)
      if (!verdict) return
      expect(verdict.ndcg10).toBeCloseTo(1, 10)
      const any = judge(ids, grades)?.ndcg10 ?? -1
      expect(any).toBeGreaterThanOrEqual(0)
      expect(any).toBeLessThanOrEqual(1 + 1e-9)
    }),
  )
})

test('means and percentiles', () => {
  const one = { ndcg10: 1, recall10: 1, recall100: 1, mrr10: 1 }
  const none = { ndcg10: 0, recall10: 0, recall100: 0, mrr10: 0 }
  expect(meanVerdict([one, none, none, one])).toEqual({
    ndcg10: 0.5,
    recall10: 0.5,
    recall100: 0.5,
    mrr10: 0.5,
  })
  expect(meanVerdict([])).toEqual(none)
  const values = Array.from({ length: 100 }, (_, n) => 100 - n)
  expect([0.5, 0.95, 1, 0].map((share) => percentile(values, share))).toEqual([50, 95, 100, 1])
  expect(percentile([], 0.5)).toBe(0)
})

import { expect, test } from 'vitest'
import { knows, nearness, toUnit } from '../../src/core/embedding.ts'

test('a model knows the languages it names, or all', () => {
  expect(knows({ languages: ['en', 'de'] }, 'de')).toBe(true)
  expect(knows({ languages: ['en'] }, 'de')).toBe(false)
  expect(knows({ languages: 'all' }, 'zh')).toBe(true)
})

test('nearness looks at directions only, and at nothing that cannot be compared', () => {
  expect(nearness([3, 4], [6, 8])).toBeCloseTo(1, 10)
  expect(nearness([1, 0], [0, 5])).toBe(0)
  expect(nearness([1, 0], [-2, 0])).toBe(-1)
  expect(nearness([1], [1, 0])).toBe(0)
  expect(toUnit([3, 4])).toEqual([0.6, 0.8])
  expect(toUnit([0, 0])).toEqual([0, 0])
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutCitations, keepKnown } from '../../src/core/cite.ts'

const known = new Set([1, 2, 3])

test.each([
  ['It is so [1].', 'It is so [1].', [1]],
  ['A [1, 2] and [3][1].', 'A [1][2] and [3][1].', [1, 2, 3]],
  ['A [1-3].', 'A [1][2][3].', [1, 2, 3]],
  ['A [2–9].', 'A [2][3].', [2, 3]],
  ['Made up [7]. Half [1; 9].', 'Made up. Half [1].', [1]],
  ['Foot [^2] and 【3†source】.', 'Foot [2] and [3].', [2, 3]],
  ['list[0], [2026-05], [3-1], [1-999]', 'list[0], [2026-05], [3-1], [1-999]', []],
])('%s', (text, kept, cited) => {
  expect(keepKnown(text, known)).toEqual({ text: kept, cited })
})

test('whatever is written, only known passages are cited and nothing else is lost', () => {
  const part = fc.oneof(fc.string(), fc.constantFrom('[1]', '[2,8]', ' [4-6]', '[0]', '【1】', '[1-'))
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const text = parts.join('')
      const { text: kept, cited } = keepKnown(text, known)
      expect(cited.every((n) => known.has(n))).toBe(true)
      const words = cutCitations(text).flatMap((piece) => ('text' in piece ? [piece.text] : []))
      for (const word of words) expect(kept).toContain(word)
      for (const n of cited) expect(kept).toContain(`[${n}]`)
    }),
  )
})

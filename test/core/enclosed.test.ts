/** What is told of a conversation and of files fits, and is the part that matters. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { estimateTokens } from '../../src/core/chunk.ts'
import { cutToTokens, fitFiles, fitSaid, type Said, sharesOf } from '../../src/core/enclosed.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 3_000 }),
  fc.lorem({ maxCount: 400 }),
  fc
    .array(fc.constantFrom('x', ' ', '\n', '雨', '😀', 'Straße', '1234567'))
    .map((parts) => parts.join('').repeat(20)),
)

test('a text that is cut is a beginning of it, whole characters, and fits', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 200 }), (whole, tokens) => {
      const told = cutToTokens(whole, tokens)
      if (told.of === undefined) expect(told.text).toBe(whole)
      else {
        expect(estimateTokens(told.text)).toBeLessThanOrEqual(tokens)
        expect(whole.toWellFormed().startsWith(told.text.replace(/\ufffd$/u, ''))).toBe(true)
        expect(told.of).toBeGreaterThan(tokens)
      }
    }),
  )
})

test('files fit together, and what is short stays whole', () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 8 }), fc.integer({ min: 50, max: 500 }), (texts, tokens) => {
      const files = texts.map((one, i) => ({ name: `${i}`, from: 'U1', text: one }))
      const fitted = fitFiles(files, tokens)
      const sizes = fitted.map((file) => estimateTokens(file.text ?? ''))
      expect(fitted.map((file) => file.name)).toEqual(files.map((file) => file.name))
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(tokens)
      const share = Math.floor(tokens / Math.max(1, texts.length))
      for (const [i, file] of files.entries())
        if (estimateTokens(file.text) <= share) expect(fitted[i]).toEqual(file)
    }),
  )
})

test('a conversation keeps its first message and the newest, in their order, and counts what is left out', () => {
  const said = fc.array(
    text.map((words): Omit<Said, 'ts'> => ({ from: 'U1', by: 'person', text: words })),
    { minLength: 1, maxLength: 30 },
  )
  fc.assert(
    fc.property(said, fc.integer({ min: 1_100, max: 4_000 }), (messages, tokens) => {
      const all = messages.map((one, i) => ({ ...one, ts: `${i}` }))
      const { said: kept, left } = fitSaid(all, tokens)
      expect(kept.length + left).toBe(all.length)
      expect(kept[0]?.ts).toBe('0')
      expect(kept.slice(1).map((one) => one.ts)).toEqual(all.slice(left + 1).map((one) => one.ts))
      const size = kept.reduce((sum, one) => sum + estimateTokens(one.text) + 20, 0)
      expect(size).toBeLessThanOrEqual(tokens + 20)
    }),
  )
})

test('a book is cut in no time', () => {
  const book = 'All work and no play makes Jack a dull boy. '.repeat(100_000)
  const began = performance.now()
  const told = cutToTokens(book, 1_000)
  expect(performance.now() - began).toBeLessThan(2_000)
  expect(told.of).toBeGreaterThan(500_000)
})

test('of a small model no more is asked than it can read', () => {
  expect(sharesOf(undefined)).toEqual(sharesOf(1_000_000))
  for (const context of [2_048, 4_096, 8_192, 32_768, 131_072]) {
    const { said, files, past } = sharesOf(context)
    expect(said + files + past).toBeLessThan(context * 0.65)
    expect(Math.min(said, files, past)).toBeGreaterThan(0)
  }
})

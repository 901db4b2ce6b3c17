import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSeal } from '../../src/store/seal.ts'

const key = () => randomBytes(32).toString('base64')

test('whatever is sealed opens in its own row, and in no other', () => {
  const seal = openSeal(key())
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.array(fc.string()),
      fc.array(fc.string()),
      (plain, row, other) => {
        const sealed = seal.seal(plain, row)
        expect(seal.open(sealed, row)).toEqual({ plain: plain.toWellFormed(), stale: false })
        if (JSON.stringify(row) !== JSON.stringify(other))
          expect(() => seal.open(sealed, other)).toThrow(/another QUORUM_SECRET/)
      },
    ),
  )
})

test('a changed character opens nothing', () => {
  const seal = openSeal(key())
  const sealed = seal.seal('a token', ['row'])
  const character = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.')
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), character, (at, other) => {
      const changed = sealed.slice(0, at) + other + sealed.slice(at + 1)
      if (changed !== sealed) expect(() => seal.open(changed, ['row'])).toThrow(/another QUORUM_SECRET/)
    }),
    { numRuns: 5_000 },
  )
})

test('a new key in front seals, the former one still opens and says that it is old', () => {
  const [old, next] = [key(), key()]
  const sealed = openSeal(old).seal('a token', ['row'])
  const both = openSeal(`${next}, ${old}`)
  expect(both.open(sealed, ['row'])).toEqual({ plain: 'a token', stale: true })
  const again = both.seal('a token', ['row'])
  expect(openSeal(next).open(again, ['row'])).toEqual({ plain: 'a token', stale: false })
  expect(() => openSeal(next).open(sealed, ['row'])).toThrow(
    /add the former key after a comma, or connect it, or install it, again/,
  )
})

test('keys are base64 or hex of 32 bytes; anything else is refused without being repeated', () => {
  const hex = randomBytes(32).toString('hex')
  expect(openSeal(hex).open(openSeal(hex).seal('x', []), []).plain).toBe('x')
  for (const wrong of [
    'short',
    'not a key at all but a rather long sentence, is it',
    randomBytes(31).toString('base64'),
    `${hex},`,
  ]) {
    expect(() => openSeal(wrong)).toThrow(/QUORUM_SECRET.* is not 32 bytes/)
    expect(() => openSeal(wrong)).not.toThrow(wrong)
  }
})

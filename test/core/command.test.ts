import fc from 'fast-check'
import { expect, test } from 'vitest'
import { answerAtOnce, HELP, readWord } from '../../src/core/command.ts'

test('a message that holds nothing else is a word, with what belongs to it', () => {
  expect(readWord('Status.')).toEqual({ word: 'status', rest: '' })
  expect(readWord(' stop! ')).toEqual({ word: 'stop', rest: '' })
  expect(readWord('trace')).toEqual({ word: 'trace', rest: '' })
  expect(readWord('trace run 1a2b3c4d')).toEqual({ word: 'trace', rest: '1a2b3c4d' })
  expect(readWord('budget <@U0BEN>')).toEqual({ word: 'budget', rest: '<@U0BEN>' })
})

test('anything else is a question', () => {
  const questions = [
    ...['trace the route of this packet', 'budget for the party?', 'stop the deploy', 'agents of change'],
    ...['sources, please', 'help me', 'tracer', 'ask', 'run', '', 'status\nof the build'],
  ]
  for (const text of questions) expect(readWord(text), text).toBeUndefined()
})

test('no text makes it throw, and what it reads is what was written', () => {
  const begun = fc.tuple(fc.constantFrom('trace ', 'stop', 'budget ', 'help!'), fc.string({ unit: 'binary' }))
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        begun.map((parts) => parts.join('')),
      ),
      (text) => {
        const read = readWord(text)
        if (read) expect(text.toLowerCase()).toContain(read.word)
        if (read?.rest) expect(text).toContain(read.rest)
      },
    ),
  )
  expect(readWord(`stop${' '.repeat(40_000)}\nit`)).toBeUndefined()
})

test('help names every word, and what is no word is answered with it', () => {
  for (const word of [
    'ask',
    'run',
    'prompt',
    'status',
    'stop',
    'budget',
    'sources',
    'tools',
    'agents',
    'trace',
    'approvals',
  ])
    expect(HELP).toMatch(new RegExp(`\\b${word}\\b`))
  expect(answerAtOnce({ word: 'dance', rest: '' })).toContain(HELP)
  expect(answerAtOnce({ word: 'sources', rest: '' })).toBeUndefined()
})

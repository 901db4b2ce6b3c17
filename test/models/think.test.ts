import fc from 'fast-check'
import { expect, test } from 'vitest'
import { skipThinking } from '../../src/models/think.ts'

const read = (pieces: string[]) => {
  const thinking = skipThinking()
  return pieces.map((piece) => thinking.take(piece)).join('') + thinking.rest()
}

test.each([
  ['<think>hm</think>\n\nYes.', 'Yes.'],
  ['\n <think></think> Yes <think>no</think>', 'Yes <think>no</think>'],
  ['No thought </think> here', 'No thought </think> here'],
  ['<thinking>is a word', '<thinking>is a word'],
  ['  indented', '  indented'],
  ['<think>cut in the middle', ''],
  ['<thi', '<thi'],
  ['', ''],
])('%j', (text, answer) => {
  expect(read([text])).toBe(answer)
})

test('however the text is cut, the answer is the same', () => {
  const part = fc.constantFrom('<think>', '</think>', '<thi', 'nk>', '</', ' ', '\n', 'word', '<')
  const text = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(text, fc.array(fc.nat(5), { maxLength: 60 }), (whole, cuts) => {
      const pieces: string[] = []
      let rest = whole
      for (const cut of cuts) {
        pieces.push(rest.slice(0, cut))
        rest = rest.slice(cut)
      }
      expect(read([...pieces, rest])).toBe(read([whole]))
    }),
  )
})

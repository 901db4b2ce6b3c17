import { expect, test } from 'vitest'
import { languageOf } from '../../src/models/language.ts'

test.each([
  ['How do we roll back a deploy?', 'en'],
  ['thanks!', 'en'],
  ['Wo steht der Plan für die Vertretung am Freitag?', 'de'],
  ['wer hat urlaub', 'de'],
  ['黑豹队的防守丢了多少分？', 'zh'],
  ['哪个城市？', 'zh'],
  ['どうやってデプロイする', 'ja'],
  ['Где лежит инструкция по откату?', 'ru'],
  ['', undefined],
  ['4711', undefined],
  ['5 µm 3 µs', undefined],
  ['wie hoch ist Ω', 'de'],
  ['deploy 失败了怎么办', 'zh'],
])('%j is %s', (text, language) => {
  expect(languageOf(text)).toBe(language)
})

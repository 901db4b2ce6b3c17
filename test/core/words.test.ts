import fc from 'fast-check'
import { expect, test } from 'vitest'
import { queryWords, searchText, stemmerOf } from '../../src/core/words.ts'

test.each([
  ['PROJ-1234 fails', 'proj 1234 proj1234 fails'],
  ['see client.js', 'see client js clientjs'],
  ['getUserName()', 'get user name getusername'],
  ['XMLHttpRequest', 'xml http request xmlhttprequest'],
  ['max_wal_size = 4GB', 'max wal size maxwalsize 4gb'],
  ['/etc/nginx/nginx.conf', 'etc nginx nginx conf etcnginxnginxconf'],
  ['Größe, ÄRGER — naïve', 'größe ärger naïve'],
  ['don\u2019t (stop) "it"', 'don t stop it'],
  ['ｆｕｌｌ width', 'full width'],
  ['', ''],
  ['— … 😀 !!', ''],
])('%j is found by %j', (text, words) => {
  expect(searchText(text)).toBe(words)
})

test.each([
  ['部署回滚流程', '部署 署回 回滚 滚流 流程'],
  ['用kubectl部署', '用 kubectl 部署'],
  ['デプロイをする', 'デプ プロ ロイ イを をす する'],
  ['狗', '狗'],
])('%j, written without spaces, is found by pairs of characters', (text, words) => {
  expect(searchText(text)).toBe(words)
})

test('Thai is cut into words by a dictionary', () => {
  expect(searchText('การปรับใช้ระบบ').split(' ').length).toBeGreaterThan(1)
})

test('what a question repeats it asks for again, ten times at most, and for 200 words at most', () => {
  expect(queryWords('deploy the Deploy')).toEqual(['deploy', 'the', 'deploy'])
  expect(queryWords('fox '.repeat(2_500))).toHaveLength(10)
  const long = Array.from({ length: 5000 }, (_, n) => `word${n}`).join(' ')
  expect(queryWords(long)).toHaveLength(200)
})

test('a language has its stemmer; where it is unknown words stay as they stand', () => {
  expect(['de', 'en', 'zh', 'xx', undefined, 'constructor'].map(stemmerOf)).toEqual([
    'german',
    'english',
    'simple',
    'simple',
    'simple',
    'simple',
  ])
})

test('whatever is asked, only letters, digits and single spaces come out, and nothing is endless', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const words = searchText(text)
      expect(words).toMatch(/^$|^[\p{L}\p{M}\p{N}]+( [\p{L}\p{M}\p{N}]+)*$/u)
      for (const word of words.split(' ')) expect([...word].length).toBeLessThanOrEqual(200)
    }),
  )
  expect(searchText('x'.repeat(100_000)).length).toBe(100)
})

test('a word of a text is found by asking for it alone', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[A-Za-z][a-zA-Z0-9_.-]{0,12}$/), { minLength: 1 }), (words) => {
      const text = ` ${searchText(words.join(' '))} `
      for (const word of words) for (const part of queryWords(word)) expect(text).toContain(` ${part} `)
    }),
  )
})

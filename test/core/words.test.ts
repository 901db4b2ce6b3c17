import fc from 'fast-check'
import { expect, test } from 'vitest'
import { queryText, searchText } from '../../src/core/words.ts'

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

test('scripts without spaces are cut into words', () => {
  expect(searchText('部署回滚流程').split(' ').length).toBeGreaterThan(1)
  expect(searchText('部署回滚流程')).toContain('部署')
})

test('a question asks for each word once, and for 200 at most', () => {
  expect(queryText('deploy the deploy of Deploy')).toBe('deploy the of')
  const long = Array.from({ length: 5000 }, (_, n) => `word${n}`).join(' ')
  expect(queryText(long).split(' ')).toHaveLength(200)
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
      for (const word of words)
        for (const part of queryText(word).split(' ')) expect(text).toContain(` ${part} `)
    }),
  )
})

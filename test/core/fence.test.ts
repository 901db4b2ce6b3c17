import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutBefore, openFence } from '../../src/core/fence.ts'

test.each([
  ['', undefined],
  ['no code', undefined],
  ['```ts\nlet a', { open: '```ts', close: '```' }],
  ['```ts\nlet a\n```\nthen', undefined],
  ['```ts\nlet a\n```not the end', { open: '```ts', close: '```' }],
  ['````md\n```\ninner\n```', { open: '````md', close: '````' }],
  ['~~~\n```\n', { open: '~~~', close: '~~~' }],
  ['``` is `no` fence', undefined],
  ['- a list\n    ```sh\n    ls', { open: '```sh', close: '```' }],
  ['> ```\n> quoted', { open: '```', close: '```' }],
])('what %j leaves open', (text, open) => {
  expect(openFence(text)).toEqual(open)
})

const lines = fc.array(
  fc.constantFrom('```', '```js', '````', '~~~', '~~~~ x', 'text', 'a `b` c', '', '  ```', '> ```'),
  { maxLength: 12 },
)

test('closed where it is cut and opened again, both parts are whole and the code is the same', () => {
  fc.assert(
    fc.property(lines, fc.nat(), (all, at) => {
      const cut = at % (all.length + 1)
      const [head, rest] = [all.slice(0, cut).join('\n'), all.slice(cut).join('\n')]
      const fence = openFence(head)
      const first = fence ? `${head}\n${fence.close}` : head
      const second = fence ? `${fence.open}\n${rest}` : rest
      expect(openFence(first)).toBeUndefined()
      expect(openFence(second)).toEqual(openFence(all.join('\n')))
    }),
  )
})

test('a cut keeps to the limit, behind a line or a word where there is one, never inside a character', () => {
  expect(cutBefore('short', 10)).toBe(5)
  expect(cutBefore('one line\nanother line', 12)).toBe(9)
  expect(cutBefore('onelongword and more', 14)).toBe(12)
  expect(cutBefore('abc😀', 4)).toBe(3)
})

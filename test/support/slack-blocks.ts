import fc from 'fast-check'
import remarkGfm from 'remark-gfm'
import remarkParse from 'remark-parse'
import { unified } from 'unified'
import { expect } from 'vitest'
import { checkBlocks, checkView } from '../../src/demo/workspace/blocks.ts'
import type { Message } from '../../src/slack/message.ts'

/** Every object anywhere in a value. */
export function everyObject(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(everyObject)
  if (typeof value !== 'object' || value === null) return []
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(everyObject)]
}

const MARKUP = /<[!@#]|<https?:|<mailto:|<[^>\s]*\|/
const HIDDEN = /(?!\n|\t)\p{Cc}|[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\u061c\u{e0020}-\u{e007e}]/u

/** What must hold for every message, whatever texts went in. */
export function expectHarmless(message: Message): void {
  expect(checkBlocks(message.blocks ?? [], 'message')).toEqual([])
  expect(message.blocks?.length ?? 0).toBeLessThanOrEqual(40)
  const tables = (message.blocks ?? []).filter(({ type }) => type === 'table' || type === 'data_table')
  expect(JSON.stringify(message.blocks ?? []).length - JSON.stringify(tables).length).toBeLessThan(16_000)
  expect(message.text.length).toBeGreaterThan(0)
  expect(message.text.length).toBeLessThan(40_000)
  expect(message.text).not.toMatch(MARKUP)
  expect(message.text).not.toMatch(HIDDEN)
  expectHarmlessBlocks(message.blocks)
}

export function expectHarmlessView(view: { blocks: unknown }): void {
  expect(checkView(view)).toEqual([])
  expect(JSON.stringify(view).length).toBeLessThan(250_000)
  expectHarmlessBlocks(view.blocks)
}

function expectHarmlessBlocks(blocks: unknown): void {
  for (const object of everyObject(blocks)) {
    expect(['mrkdwn', 'broadcast', 'usergroup', 'channel', 'image', 'markdown']).not.toContain(object.type)
    if (['text', 'raw_text', 'raw_number'].includes(String(object.type)))
      expect(object.text).not.toMatch(HIDDEN)
  }
}

/** The links of a Markdown file whose words do not say where they lead. */
export function hiddenLinks(markdown: string): unknown[] {
  const tree = unified().use(remarkParse).use(remarkGfm).parse(markdown)
  return everyObject(tree).filter(({ type, url, children }) => {
    if (['image', 'html', 'definition', 'linkReference', 'imageReference'].includes(String(type))) return true
    if (type !== 'link') return false
    const words = everyObject(children)
      .map(({ value }) => value ?? '')
      .join('')
    return ![words, `http://${words}`, `mailto:${words}`].includes(String(url))
  })
}

/** Texts of somebody who means no good: markup, controls, brackets, addresses, in any order. */
export const hostileText = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
      { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }) },
      {
        weight: 5,
        arbitrary: fc.constantFrom(
          ...[
            '<!channel>',
            '<@U0ANA>',
            '<#C0GENERAL>',
            '<https://evil.example|ok>',
            '[ok](https://evil.example/x)',
          ],
          ...[
            '![x](https://evil.example/p.png)',
            'https://evil.example/q',
            'www.evil.example',
            '@channel',
            '\u202e',
          ],
          ...[
            '[1]',
            '[99]',
            '[1, 2]',
            '[^1]',
            '[1]: https://evil.example\n',
            '**b**',
            '*i*',
            '~~s~~',
            '`c`',
            '\n',
          ],
          ...[
            '\n\n',
            '# h\n',
            '- a\n',
            '  - b\n',
            '1. x\n',
            '> q\n',
            '```\ncode\n```\n',
            '|a|b|\n|-|-|\n|c|d|\n',
          ],
          ...[
            '<b>',
            '</b>',
            '&lt;!here&gt;',
            '\\[1\\]',
            '\0',
            '- [ ] t\n',
            '\u2028',
            '【2†source】',
            '<mailto:a@b.example>',
          ],
          ...[
            '[bаnk.example](https://wiki.example/a)', // a Cyrillic а
            '[bank。example](https://wiki.example/a)',
            '[https：／／bank.example](https://wiki.example/a)',
            '\u2066[ok](https://evil.example/x)\u2069',
            'אבג',
            'العربية',
            'ไทย',
            '漢字かな',
            'e\u0301\u0301\u0301',
            '👩‍👩‍👧‍👦',
            '\u200b',
            '\u{e0041}',
            '<br>',
            '[^note]\n\n[^note]: [x](https://evil.example)\n\n',
            '|:-|-:|\n|[x](https://evil.example)|=1+1|\n',
            '\n| a |\n|---|\n| `|` |\n\n',
          ],
        ),
      },
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''))

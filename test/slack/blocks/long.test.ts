/** Answers of any length: nothing of them is lost, and files hold what messages cannot. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Cited } from '../../../src/core/run.ts'
import { layOut } from '../../../src/slack/blocks/answer.ts'
import { everyObject, expectHarmless, hiddenLinks } from '../../support/slack-blocks.ts'

const cited: Cited[] = [
  { n: 1, passage: 'p1', title: 'Roll [back](x)', heading: '', link: 'https://wiki.example/r', text: '' },
]
const lay = (markdown: string) => layOut({ markdown, cited, run: 'run-1', badge: 'a model' })
const words = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => `word${from + i}`).join(' ')
const chapter = (n: number) =>
  `## Chapter ${n}\n\nChapter ${n} begins. ${words(150, n * 1000)} [1]\n\n- one\n- two`
const book = Array.from({ length: 30 }, (_, i) => chapter(i + 1)).join('\n\n')

describe('an answer beyond three messages', () => {
  test('is a file, with its beginning, what is in it and its sources in a message', () => {
    const { messages, files } = lay(book)
    expect(messages).toHaveLength(1)
    const [message] = messages
    if (message) expectHarmless(message)
    expect(message?.text).toMatch(/^Chapter 1\n\nChapter 1 begins/)
    expect(message?.text).toMatch(/of [\d,]+ characters is in answer-[0-9a-f]{6}\.md above/)
    expect(message?.text).toContain('• Chapter 12')
    expect(message?.text).toContain('and 1')
    expect(message?.text).toContain('Sources')
    expect(files).toHaveLength(1)
    const text = files[0]?.bytes.toString() ?? ''
    for (let n = 1; n <= 30; n++) expect(text).toContain(`Chapter ${n} begins`)
    expect(text).toContain('## Sources\n\n- \\[1\\] Roll back (x) `https://wiki.example/r`')
    expect(files[0]?.name).toBe(lay(book).files[0]?.name)
  })

  test('one endless paragraph begins in the message as well', () => {
    const { messages, files } = lay(words(9_000))
    expect(messages[0]?.text).toMatch(/^word0 word1 /)
    expect(messages[0]?.text.length).toBeLessThan(4_000)
    expect(files[0]?.bytes.toString()).toContain('word8999')
  })

  test('is said in as many messages as it takes where there can be no file', () => {
    const said = lay(book).unfiled()
    for (const message of said) expectHarmless(message)
    const all = said.map(({ text }) => text).join('\n')
    for (let n = 1; n <= 30; n++) expect(all).toContain(`Chapter ${n} begins`)
    expect(all).not.toContain('left out')
    const endless = lay(words(30_000)).unfiled()
    expect(endless).toHaveLength(12)
    expect(endless.at(-1)?.text).toContain('the rest is left out')
  })

  test('the file hides no link and follows none', () => {
    const { files } = lay(
      `${book}\n\n[ok](https://evil.example) ![p](https://evil.example/p) <b>x</b> [r][q] www.evil.example a@b.example [y](z "t")\n\n[q]: https://evil.example/q\n\n[[a](b)](c)`,
    )
    const text = files[0]?.bytes.toString() ?? ''
    expect(hiddenLinks(text)).toEqual([])
    expect(text).toContain('ok (`https://evil.example`)')
    expect(text).toContain('r (`https://evil.example/q`)')
    expect(text).toContain('`www.evil.example`')
  })
})

describe('borders', () => {
  test('a list goes on with its numbers in the next message', () => {
    const list = Array.from({ length: 120 }, (_, i) => `${i + 1}. item${i + 1} ${words(12)}`).join('\n')
    const { messages } = lay(list)
    expect(messages.length).toBeGreaterThan(1)
    let next = 0
    for (const element of messages
      .flatMap(({ blocks }) => blocks ?? [])
      .flatMap((block) => (block.type === 'rich_text' ? block.elements : []))) {
      if (element.type !== 'rich_text_list') continue
      expect('offset' in element ? element.offset : 0).toBe(next)
      next += element.elements.length
    }
    expect(next).toBe(120)
  })

  test('an item too long for a piece goes on without a number of its own', () => {
    const { messages } = lay(`1. ${words(600)}\n2. second`)
    const elements = messages
      .flatMap(({ blocks }) => blocks ?? [])
      .flatMap((block) => (block.type === 'rich_text' ? block.elements : []))
    const lists = elements.filter(({ type }) => type === 'rich_text_list')
    expect(lists).toMatchObject([
      { elements: [{}] },
      { offset: 1, elements: [{ elements: [{ text: 'second' }] }] },
    ])
    expect(elements.length).toBeGreaterThan(2)
  })

  test('a fence is cut between its lines, and every piece is a fence', () => {
    const code = Array.from({ length: 300 }, (_, i) => `  line ${i} of the code;`).join('\n')
    const { messages } = lay(`\`\`\`js\n${code}\n\`\`\``)
    const pieces = messages
      .flatMap(({ blocks }) => blocks ?? [])
      .flatMap((block) => (block.type === 'rich_text' ? block.elements : []))
    expect(pieces.slice(0, -1).every(({ type }) => type === 'rich_text_preformatted')).toBe(true)
    const lines = pieces.flatMap((piece) =>
      piece.type === 'rich_text_preformatted'
        ? piece.elements
            .map((one) => one.text)
            .join('')
            .split('\n')
        : [],
    )
    expect(lines).toEqual(code.split('\n'))
  })

  test('never within a character, whatever it is made of', () => {
    const family = '👩‍👩‍👧‍👦'
    for (const character of [family, 'e\u0301\u0327', '🇫🇷', '한', 'क्षि']) {
      const { messages } = lay(character.repeat(3_000))
      const shown = everyObject(messages.map(({ blocks }) => blocks)).map(({ text }) => String(text ?? ''))
      const pieces = shown.filter((text) => text.includes(character))
      expect(pieces.length).toBeGreaterThan(1)
      for (const piece of pieces) expect(piece.replaceAll(character, '')).toBe('')
    }
  })
})

test('whatever is written, every word of it is in the messages or in the file', () => {
  const word = fc.stringMatching(/^[a-z]{4,9}$/)
  const line = fc.array(word, { minLength: 1, maxLength: 60 }).map((all) => all.join(' '))
  const block = fc.oneof(
    line,
    line.map((words) => `# ${words}`),
    fc.array(line, { minLength: 1, maxLength: 30 }).map((lines) => lines.map((one) => `- ${one}`).join('\n')),
    fc
      .array(line, { minLength: 1, maxLength: 30 })
      .map((lines) => lines.map((one, i) => `${i + 1}. ${one}`).join('\n')),
    fc.array(line, { minLength: 1, maxLength: 40 }).map((lines) => `\`\`\`\n${lines.join('\n')}\n\`\`\``),
    fc
      .array(line, { minLength: 1, maxLength: 10 })
      .map((lines) => lines.map((one) => `> ${one}`).join('\n>\n')),
    fc
      .array(fc.tuple(word, line), { minLength: 1, maxLength: 150 })
      .map((rows) => ['| k | v |', '|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n')),
  )
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 25 }), (blocks) => {
      const markdown = blocks.join('\n\n')
      const { messages, files, unfiled } = lay(markdown)
      for (const message of messages) expectHarmless(message)
      const wanted = markdown.match(/[a-z]{4,}/g) ?? []
      const said = (texts: string[]) => new Set(texts.join('\n').match(/[a-z]{4,}/g))
      const shown = said([...messages.map(({ text }) => text), ...files.map(({ bytes }) => bytes.toString())])
      expect(wanted.filter((one) => !shown.has(one))).toEqual([])
      const instead = unfiled()
      if (instead.length >= 12) return
      const plain = said(instead.map(({ text }) => text))
      expect(wanted.filter((one) => !plain.has(one))).toEqual([])
    }),
    { numRuns: 40 },
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Block,
  chunk,
  estimateTokens,
  PASSAGE_TOKENS,
  type SourceDocument,
} from '../../src/core/chunk.ts'
import { readMarkdown } from '../../src/sources/markdown.ts'

const page = `---
title: Rolling back
---
Intro before any heading.

# Rolling back

First paragraph.

## When

- after an alarm
- never on a whim

## How

### Services

\`\`\`sh
quorum deploy --previous
\`\`\`

### Databases

## Bare at the end
`

test('passages carry the way of headings, without the title, and the exact text', () => {
  const chunks = chunk(readMarkdown('rollback.md', page))
  expect(chunks.map(({ n, heading, text }) => [n, heading, text])).toEqual([
    [1, '', 'Intro before any heading.'],
    [2, '', 'First paragraph.'],
    [3, 'When', '- after an alarm\n- never on a whim'],
    [4, 'How › Services', '```sh\nquorum deploy --previous\n```'],
    [5, 'How › Databases', '### Databases'],
    [6, 'Bare at the end', '## Bare at the end'],
  ])
  for (const { text, start, end } of chunks) expect(page.slice(start, end)).toBe(text)
})

test('a long section is cut between sentences into parts of about equal size', () => {
  const sentence =
    'When the alarm rings twice, the person on call rolls the service back and says so in the channel. '
  const text = `# Alarms\n\n${sentence.repeat(30)}`
  const chunks = chunk(readMarkdown('alarms.md', text))
  expect(chunks.length).toBeGreaterThan(2)
  for (const { text } of chunks) expect(text).toMatch(/^When the alarm.*channel\.$/s)
  const sizes = chunks.map(({ text }) => estimateTokens(text))
  expect(Math.min(...sizes)).toBeGreaterThan(Math.max(...sizes) / 2)
})

test('hard-wrapped text is not taken for one sentence a line', () => {
  const line = 'the quick brown fox jumps over\nthe lazy dog and runs along. '
  const chunks = chunk(readMarkdown('wrap.md', line.repeat(60)))
  expect(chunks.length).toBeGreaterThan(1)
  for (const { text } of chunks) expect(text.startsWith('the quick')).toBe(true)
})

test('a long list is cut between its items, a long block of code between its lines', () => {
  const list = Array.from({ length: 80 }, (_, n) => `- item ${n} has a few words of its own`).join('\n')
  for (const { text } of chunk(readMarkdown('list.md', list))) expect(text).toMatch(/^- item/)
  const code = `\`\`\`\n${Array.from({ length: 120 }, (_, n) => `line ${n} = call(${n})`).join('\n')}\n\`\`\``
  for (const { text } of chunk(readMarkdown('code.md', code))) expect(text).toMatch(/^(```|line)/)
})

test('a long table is cut between its rows, and every passage begins with the names of the columns', () => {
  const names = '| name | what it does |\n| --- | --- |'
  const rows = Array.from({ length: 60 }, (_, n) => `| service ${n} | does the work of number ${n} |`)
  const text = `# Services\n\nAll of them:\n\n${names}\n${rows.join('\n')}\n\nThat was all.`
  const chunks = chunk(readMarkdown('services.md', text))
  expect(chunks.length).toBeGreaterThan(2)
  const [first, ...rest] = chunks
  expect(first?.text.startsWith('All of them:')).toBe(true)
  for (const { text: passage, start, end } of rest) {
    expect(passage).toBe(`${names}\n${text.slice(start, end)}`)
    expect(text.slice(start)).toMatch(/^\| service/)
  }
  for (const row of rows) expect(chunks.filter((one) => one.text.includes(row))).toHaveLength(1)
})

test('a head that would fill the passages is not said again', () => {
  const wide = (cell: (n: number) => string) =>
    `| ${Array.from({ length: 40 }, (_, n) => cell(n)).join(' | ')} |`
  const rows = Array.from({ length: 20 }, (_, row) => wide((n) => `${row}${n}`))
  const text = [wide((n) => `column ${n}`), wide(() => '---'), ...rows].join('\n')
  const chunks = chunk(readMarkdown('wide.md', text))
  for (const { text: passage, start, end } of chunks) expect(text.slice(start, end)).toBe(passage)
})

test('what is said is cut between speakers, and a long turn says again who speaks', () => {
  const short = 'Ana: we roll back first and look afterwards\n'
  const long = `Ben: ${'Then somebody writes down what happened and when. '.repeat(40)}\n`
  const said = [short, short, long, short]
  const text = said.join('')
  const blocks = said.map((turn, n): Block => {
    const start = said.slice(0, n).join('').length
    return { kind: 'lines', about: turn.slice(0, 3), start, end: start + turn.length }
  })
  const chunks = chunk({ path: 'C1/1', title: 'How do we roll back?', text, blocks })
  for (const { text: passage, heading } of chunks)
    expect(passage).toMatch(heading === '' ? /^(Ana|Ben): / : /^Then somebody/)
  expect(new Set(chunks.map((one) => one.heading))).toEqual(new Set(['', 'Ben']))
})

test('code is cut where a declaration ends, and only a long one within', () => {
  const one = (n: number, lines: number) =>
    `export function number${n}() {\n${`  call(${n}, 'some text')\n\n`.repeat(lines)}  return ${n}\n}\n`
  const text = [one(1, 5), one(2, 3), one(3, 40), one(4, 5)].join('\n')
  const chunks = chunk({
    path: 'a.ts',
    title: 'a.ts',
    text,
    blocks: [{ kind: 'code', start: 0, end: text.length }],
  })
  expect(chunks.length).toBeGreaterThan(2)
  for (const whole of [1, 2, 4])
    expect(chunks.some((passage) => passage.text.includes(one(whole, whole === 2 ? 3 : 5).trim()))).toBe(true)
})

test('nothing is joined across what is hidden', () => {
  const text = 'seen HIDDEN seen too'
  const at = text.indexOf('HIDDEN')
  const chunks = chunk({
    path: 'a',
    title: 'a',
    text,
    blocks: [
      { kind: 'prose', start: 0, end: at },
      { kind: 'hidden', start: at, end: at + 6 },
      { kind: 'prose', start: at + 6, end: text.length },
    ],
  })
  expect(chunks.map((one) => one.text)).toEqual(['seen', 'seen too'])
})

const text = fc.array(
  fc.oneof(
    fc.constantFrom(
      '# One',
      '## Two',
      '### Three',
      '- item',
      '1. first',
      '> quote',
      '| a | b |',
      '| - | - |',
      '```',
    ),
    fc.constantFrom('', '', '---', '<!-- hidden -->', '    code', 'Setext', '====', '[a]: b', '[^1]: note'),
    fc.constantFrom(
      '\r',
      '  ',
      'a\tb',
      '部署回滚流程',
      '😀'.repeat(300),
      'x'.repeat(3000),
      'A sentence. '.repeat(80),
    ),
    fc.string({ unit: 'grapheme', maxLength: 60 }),
    fc.lorem({ maxCount: 40 }),
  ),
  { maxLength: 30 },
)

/** What is left of a text outside the ranges. */
function outside(whole: string, ranges: { start: number; end: number }[]): string {
  let at = 0
  let rest = ''
  for (const { start, end } of ranges) {
    expect(start).toBeGreaterThanOrEqual(at)
    expect(end).toBeGreaterThan(start)
    rest += whole.slice(at, start)
    at = end
  }
  return rest + whole.slice(at)
}

test('passages tile the document: in order, nothing twice, nothing lost, none too large', () => {
  fc.assert(
    fc.property(text, fc.constantFrom('\n', '\r\n'), (lines, newline) => {
      const document = readMarkdown('any.md', lines.join(newline))
      const chunks = chunk(document)
      for (const { start, end, text } of chunks) {
        const exact = document.text.slice(start, end)
        const lead = text.slice(0, text.length - exact.length)
        expect(text.endsWith(exact)).toBe(true)
        if (lead !== '') expect(document.text.slice(0, start)).toContain(lead.trimEnd())
      }
      outside(document.text, chunks)
      for (const block of document.blocks)
        if (block.kind !== 'heading' && block.kind !== 'hidden')
          expect(outside(document.text.slice(block.start, block.end), within(block, chunks)).trim()).toBe('')
      for (const { text } of chunks) expect(estimateTokens(text)).toBeLessThanOrEqual(PASSAGE_TOKENS)
    }),
    { numRuns: 300 },
  )
})

function within(block: Block, chunks: { start: number; end: number }[]) {
  return chunks
    .filter((one) => one.start < block.end && one.end > block.start)
    .map((one) => ({
      start: Math.max(one.start, block.start) - block.start,
      end: Math.min(one.end, block.end) - block.start,
    }))
}

test('every heading is in the way of a passage, or a passage itself', () => {
  fc.assert(
    fc.property(text, (lines) => {
      const document = readMarkdown('any.md', lines.join('\n'))
      const chunks = chunk(document)
      for (const block of document.blocks) {
        if (block.kind !== 'heading' || block.text.trim() === '' || block.text === document.title) continue
        const kept = chunks.some(
          (one) => one.heading.includes(block.text) || (one.start < block.end && one.end > block.start),
        )
        expect(kept).toBe(true)
      }
    }),
  )
})

test('cutting is repeatable, and a passage on its own is not cut again', () => {
  fc.assert(
    fc.property(text, (lines) => {
      const document = readMarkdown('any.md', lines.join('\n'))
      const chunks = chunk(document)
      expect(chunk(document)).toEqual(chunks)
      for (const { text } of chunks) {
        const alone: SourceDocument = {
          path: 'alone',
          title: document.title,
          text,
          blocks: [{ kind: 'prose', start: 0, end: text.length }],
        }
        expect(chunk(alone).map((one) => one.text)).toEqual([text])
      }
    }),
  )
})

test('two halves never count fewer tokens than the whole', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
      expect(estimateTokens(a) + estimateTokens(b)).toBeGreaterThanOrEqual(estimateTokens(a + b))
    }),
  )
})

test('a title longer than a passage still leaves room for text', () => {
  const chunks = chunk({
    path: 'long',
    title: 'title '.repeat(500),
    text: 'word '.repeat(200),
    blocks: [{ kind: 'prose', start: 0, end: 1000 }],
  })
  expect(chunks.map((one) => estimateTokens(one.text))).toEqual([100, 100])
})

/** Tables of an answer: Slack's own, and files where they are bigger than those may be. */
import { parse } from 'csv-parse/sync'
import { describe, expect, test } from 'vitest'
import type { Cited } from '../../../src/core/run.ts'
import { layOut } from '../../../src/slack/blocks/answer.ts'
import { expectHarmless } from '../../support/slack-blocks.ts'

const cited: Cited[] = [
  { n: 1, passage: 'p1', title: 'T', heading: '', link: 'https://wiki.example/t', text: '' },
]
const lay = (markdown: string) => {
  const laid = layOut({ markdown, cited, run: 'run-1' })
  for (const message of [...laid.messages, ...laid.unfiled()]) expectHarmless(message)
  return laid
}
const table = (rows: readonly string[][]) => {
  const [head = [], ...body] = rows
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n')
}
const numbered = (rows: number, columns: number, cell = 'c') =>
  Array.from({ length: rows + 1 }, (_, y) => Array.from({ length: columns }, (_, x) => `${cell}${y}x${x}`))
const kinds = (laid: ReturnType<typeof lay>) =>
  laid.messages.map(({ blocks }) => (blocks ?? []).map(({ type }) => type))
const csv = (bytes: Buffer | undefined) => parse(bytes ?? '', { bom: true }) as string[][]

describe('a small table', () => {
  test('is a table, with its sides, styles and links', () => {
    const [message] = lay(
      'See:\n\n| name | n |\n|:-|-:|\n| **a** [1] | 1 |\n| longer | 22 |\n\nThat is all.',
    ).messages
    expect(message?.blocks?.map(({ type }) => type)).toEqual(['rich_text', 'table', 'rich_text', 'rich_text'])
    expect(message?.blocks?.[1]).toMatchObject({
      rows: [
        [
          { type: 'raw_text', text: 'name' },
          { type: 'raw_text', text: 'n' },
        ],
        [
          {
            type: 'rich_text',
            elements: [
              {
                elements: [
                  { text: 'a', style: { bold: true } },
                  { text: ' ' },
                  { type: 'link', url: 'https://wiki.example/t', text: '[1]' },
                ],
              },
            ],
          },
          { type: 'raw_text', text: '1' },
        ],
        [{ text: 'longer' }, { text: '22' }],
      ],
      column_settings: [
        { align: 'left', is_wrapped: false },
        { align: 'right', is_wrapped: false },
      ],
    })
    expect(message?.text).toContain('```\nname   | n\n-------+---\na [1]  | 1\nlonger | 22\n```')
  })

  test('with cells missing, empty or too many is still even', () => {
    const [message] = lay('|a|b|\n|-|-|\n|1|\n||2|3|\n').messages
    expect(message?.blocks?.[0]).toMatchObject({
      rows: [
        [{ text: 'a' }, { text: 'b' }, { text: ' ' }],
        [{ text: '1' }, { text: ' ' }, { text: ' ' }],
        [{ text: ' ' }, { text: '2' }, { text: '3' }],
      ],
    })
  })

  test('of a head alone is columns of text', () => {
    expect(kinds(lay('|a|b|\n|-|-|'))).toEqual([['rich_text']])
  })
})

test('more rows than can be seen at once are paged, and numbers can be sorted as such', () => {
  const rows = [['city', 'people'], ...Array.from({ length: 40 }, (_, i) => [`c${i}`, `${i},000`])]
  const laid = lay(`# Cities\n\n${table(rows)}`)
  expect(laid.files).toEqual([])
  expect(laid.messages[0]?.blocks?.[1]).toMatchObject({
    type: 'data_table',
    caption: 'Cities',
    page_size: 10,
  })
  const [, shown] = laid.messages[0]?.blocks ?? []
  expect(shown?.type === 'data_table' && shown.rows).toHaveLength(41)
  expect(shown?.type === 'data_table' && shown.rows[3]).toEqual([
    { type: 'raw_text', text: 'c2' },
    { type: 'raw_number', value: 2000, text: '2,000' },
  ])
})

describe('a table beyond the limits of Slack', () => {
  test.each([
    ['rows', numbered(340, 3), /first 20 of 340 rows; everything is in table-1-[0-9a-f]{6}\.csv above/],
    ['columns', numbered(3, 26), /first 20 of 26 columns; everything is in/],
    ['characters', numbered(60, 5, 'x'.repeat(40)), /first 20 of 60 rows; everything is in/],
  ])('of %s is shown in part, and whole in a CSV file', (_what, rows, note) => {
    const { messages, files, unfiled } = lay(`Before.\n\n${table(rows)}\n\nAfter.`)
    expect(messages).toHaveLength(1)
    expect(messages[0]?.text).toMatch(note)
    expect(messages[0]?.text).toContain('After.')
    expect(files).toHaveLength(1)
    expect(csv(files[0]?.bytes)).toEqual(rows)
    const said = unfiled()
      .map(({ text }) => text)
      .join('\n')
    for (const cell of rows.flat()) expect(said).toContain(cell)
  })

  test('a cell too long for any table leaves columns and no file', () => {
    const { files, messages } = lay(table([['a'], ['x'.repeat(9_700)]]))
    expect(files).toEqual([])
    expect(
      messages
        .map(({ text }) => text)
        .join('')
        .replace(/[^x]/g, ''),
    ).toHaveLength(9_700)
  })

  test('what a spreadsheet would run is words; numbers stay numbers; quotes and commas survive', () => {
    const rows = numbered(120, 4)
    rows[1] = ['=HYPERLINK("https://evil.example")', '+1-2', '-5', '@sum, "quoted"']
    const { files } = lay(table(rows))
    expect(csv(files[0]?.bytes)[1]).toEqual([
      '\'=HYPERLINK("`https://evil.example`")'.replaceAll('`', ''),
      "'+1-2",
      '-5',
      '\'@sum, "quoted"',
    ])
  })
})

describe('several tables', () => {
  const one = table(numbered(3, 3))

  test('Slack takes one a message: each has its own', () => {
    expect(kinds(lay(`${one}\n\nand\n\n${one}`))).toEqual([['table', 'rich_text'], ['table']])
  })

  test('more than three would make too many messages: the others of a message are columns', () => {
    const laid = lay(Array.from({ length: 5 }, (_, i) => `Table ${i}\n\n${one}`).join('\n\n'))
    expect(kinds(laid)).toEqual([['rich_text', 'table', 'rich_text']])
    expect(laid.messages[0]?.text.match(/c3x2/g)).toHaveLength(5)
  })
})

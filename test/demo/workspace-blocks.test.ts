import { describe, expect, test } from 'vitest'
import { checkBlocks, checkView } from '../../src/demo/workspace/blocks.ts'

const plain = (text: string) => ({ type: 'plain_text', text })
const mrkdwn = (text: string) => ({ type: 'mrkdwn', text })
const button = (extra: object = {}) => ({ type: 'button', text: plain('Press'), action_id: 'a', ...extra })
const actions = (...elements: object[]) => ({ type: 'actions', elements })
const rich = (...elements: object[]) => ({ type: 'rich_text', elements })
const textCell = (text: string) => ({ type: 'raw_text', text })
const task = (extra: object = {}) => ({
  type: 'task_card',
  task_id: 't',
  title: 'Read',
  status: 'complete',
  ...extra,
})
const inputOf = (element: object) => ({ type: 'input', label: plain('L'), element })
const many = <T>(n: number, item: T) => Array.from({ length: n }, () => item)

const TAKEN: [string, object][] = [
  ['section', { type: 'section', text: mrkdwn('x'.repeat(3000)), block_id: 'b', accessory: button() }],
  ['section with fields', { type: 'section', fields: many(10, mrkdwn('x')) }],
  ['header', { type: 'header', text: plain('x'.repeat(150)) }],
  ['divider', { type: 'divider' }],
  [
    'context',
    { type: 'context', elements: [mrkdwn('x'), { type: 'image', image_url: 'https://x', alt_text: 'x' }] },
  ],
  [
    'actions',
    actions(button({ value: 'x'.repeat(2000), style: 'primary', confirm: { text: plain('Sure?') } })),
  ],
  ['markdown', { type: 'markdown', text: 'x'.repeat(12_000) }],
  [
    'plan',
    {
      type: 'plan',
      title: 'Plan',
      tasks: [task(), task({ details: rich({ type: 'rich_text_section', elements: [] }) })],
    },
  ],
  ['task card', task({ sources: [{ type: 'url', url: 'https://x', text: 'x' }] })],
  [
    'feedback',
    {
      type: 'context_actions',
      elements: [
        {
          type: 'feedback_buttons',
          positive_button: { text: plain('+'), value: 'y' },
          negative_button: { text: plain('-'), value: 'n' },
        },
      ],
    },
  ],
  ['table', { type: 'table', rows: many(100, many(2, textCell('x'))) }],
  [
    'data table',
    {
      type: 'data_table',
      caption: 'c',
      page_size: 10,
      rows: [many(2, textCell('x')), [textCell('x'), { type: 'raw_number', value: 1, text: '1' }]],
    },
  ],
  [
    'rich text',
    rich(
      {
        type: 'rich_text_section',
        elements: [
          { type: 'text', text: 'x', style: { bold: true } },
          { type: 'link', url: 'https://x' },
          { type: 'user', user_id: 'U' },
          { type: 'date', timestamp: 1, format: '{date}' },
        ],
      },
      {
        type: 'rich_text_list',
        style: 'ordered',
        indent: 1,
        elements: [{ type: 'rich_text_section', elements: [{ type: 'text', text: 'x' }] }],
      },
      { type: 'rich_text_quote', elements: [{ type: 'text', text: 'x' }] },
      { type: 'rich_text_preformatted', elements: [{ type: 'text', text: 'x' }], language: 'json' },
    ),
  ],
  [
    'container',
    { type: 'container', title: plain('t'), is_collapsible: true, child_blocks: [{ type: 'divider' }] },
  ],
]

const REFUSED: [string, object, string, string][] = [
  [
    'a first choice that is none of the options',
    inputOf({
      type: 'checkboxes',
      options: [{ text: plain('A'), value: 'a' }],
      initial_options: [{ text: plain('A'), value: 'b' }],
    }),
    '/blocks/0/element/initial_options',
    'must be among the options',
  ],
  [
    'a day that is none',
    inputOf({ type: 'datepicker', initial_date: 'today' }),
    '/blocks/0/element/initial_date',
    'a date',
  ],
  [
    'a moment before pickers begin',
    inputOf({ type: 'datetimepicker', initial_date_time: 1 }),
    '/blocks/0/element/initial_date_time',
    'ten digits',
  ],
  [
    'an address that is none',
    inputOf({ type: 'email_text_input', initial_value: 'ana' }),
    '/blocks/0/element/initial_value',
    'an email address',
  ],
  ['an unknown block', { type: 'billboard' }, '/blocks/0/type', 'unsupported type: billboard'],
  ['a block named like a method of objects', { type: 'constructor' }, '/blocks/0/type', 'unsupported type'],
  ['a block without a type', { text: 'x' }, '/blocks/0', 'missing required field: type'],
  [
    'a long section',
    { type: 'section', text: mrkdwn('x'.repeat(3001)) },
    '/blocks/0/text/text',
    'less than 3001',
  ],
  ['an empty section', { type: 'section', text: mrkdwn('') }, '/blocks/0/text/text', 'more than 0'],
  ['a section of nothing', { type: 'section' }, '/blocks/0', 'at least one of text, fields'],
  [
    'an additional property',
    { type: 'divider', colour: 'red' },
    '/blocks/0',
    'invalid additional property: colour',
  ],
  ['a long header', { type: 'header', text: plain('x'.repeat(151)) }, '/blocks/0/text/text', 'less than 151'],
  ['a header in mrkdwn', { type: 'header', text: mrkdwn('x') }, '/blocks/0/text/type', 'valid enum value'],
  ['a long markdown', { type: 'markdown', text: 'x'.repeat(12_001) }, '/blocks/0/text', 'less than 12001'],
  [
    'a long button',
    actions(button({ text: plain('x'.repeat(76)) })),
    '/blocks/0/elements/0/text/text',
    'less than 76',
  ],
  [
    'a long value',
    actions(button({ value: 'x'.repeat(2001) })),
    '/blocks/0/elements/0/value',
    'less than 2001',
  ],
  ['a strange style', actions(button({ style: 'loud' })), '/blocks/0/elements/0/style', 'primary, danger'],
  [
    'two actions of one name',
    actions(button(), button()),
    '/blocks/0/elements',
    'action_id "a" already exists',
  ],
  ['too many buttons', actions(...many(26, button())), '/blocks/0/elements', 'no more than 25 items'],
  ['no buttons', actions(), '/blocks/0/elements', 'at least 1'],
  [
    'too much context',
    { type: 'context', elements: many(11, mrkdwn('x')) },
    '/blocks/0/elements',
    'no more than 10',
  ],
  [
    'an alert in a message',
    { type: 'alert', text: mrkdwn('x') },
    '/blocks/0/type',
    'unsupported type: alert',
  ],
  [
    'a task of no status',
    { type: 'task_card', task_id: 't', title: 'x' },
    '/blocks/0',
    'missing required field: status',
  ],
  [
    'a plan with words',
    { type: 'plan', title: 'x', tasks: [{ type: 'divider' }] },
    '/blocks/0/tasks/0/type',
    'unsupported type',
  ],
  ['a tall table', { type: 'table', rows: many(101, [textCell('x')]) }, '/blocks/0/rows', 'no more than 100'],
  ['a wide table', { type: 'table', rows: [many(21, textCell('x'))] }, '/blocks/0/rows/0', 'no more than 20'],
  [
    'a wordy table',
    { type: 'table', rows: [[textCell('x'.repeat(10_001))]] },
    '/blocks/0',
    '10000 characters',
  ],
  [
    'a data table of a head alone',
    { type: 'data_table', caption: 'c', rows: [[textCell('x')]] },
    '/blocks/0/rows',
    'at least 2 items',
  ],
  [
    'an uneven data table',
    { type: 'data_table', caption: 'c', rows: [[textCell('x')], many(2, textCell('x'))] },
    '/blocks/0/rows',
    'same number of cells',
  ],
  [
    'a data table with a styled head',
    { type: 'data_table', caption: 'c', rows: [[rich()], [rich()]] },
    '/blocks/0/rows/0',
    'not allowed in the header row',
  ],
  ['an image of no origin', { type: 'image', alt_text: 'x' }, '/blocks/0', 'exactly one of image_url'],
  [
    'a rich element',
    rich({ type: 'rich_text_song', elements: [] }),
    '/blocks/0/elements/0/type',
    'unsupported type',
  ],
  [
    'an empty text',
    rich({ type: 'rich_text_section', elements: [{ type: 'text', text: '' }] }),
    '/blocks/0/elements/0/elements/0/text',
    'more than 0',
  ],
]

describe('blocks', () => {
  test.each(TAKEN)('%s is taken', (_name, block) => {
    expect(checkBlocks([block], 'message')).toEqual([])
  })

  test.each(REFUSED)('%s is refused', (_name, block, pointer, message) => {
    expect(checkBlocks([block], 'message')).toContainEqual({
      pointer,
      message: expect.stringContaining(message),
    })
  })

  test('a message holds fifty blocks, each with its own id, and one table', () => {
    expect(checkBlocks(many(50, { type: 'divider' }), 'message')).toEqual([])
    expect(checkBlocks(many(51, { type: 'divider' }), 'message')).toEqual([
      { pointer: '/blocks', message: 'no more than 50 items allowed' },
    ])
    expect(checkBlocks(many(2, { type: 'divider', block_id: 'b' }), 'message')).toHaveLength(1)
    expect(checkBlocks(many(2, { type: 'table', rows: [[textCell('x')]] }), 'message')).toHaveLength(1)
  })
})

describe('views', () => {
  const input = { type: 'input', label: plain('Why'), element: { type: 'plain_text_input', action_id: 'a' } }
  const modal = (extra: object = {}) => ({
    type: 'modal',
    title: plain('Title'),
    blocks: [{ type: 'divider' }],
    ...extra,
  })

  test('good ones are taken', () => {
    expect(
      checkView(modal({ blocks: [input, { type: 'alert', text: plain('x') }], submit: plain('Send') })),
    ).toEqual([])
    expect(checkView({ type: 'home', blocks: many(100, { type: 'divider' }) })).toEqual([])
  })

  test.each([
    ['a long title', modal({ title: plain('x'.repeat(25)) }), '/view/title/text'],
    ['no title', modal({ title: undefined }), '/view'],
    ['too many blocks', modal({ blocks: many(101, { type: 'divider' }) }), '/view/blocks'],
    ['a field and nothing to send it with', modal({ blocks: [input] }), '/view'],
    ['markdown', modal({ blocks: [{ type: 'markdown', text: 'x' }] }), '/view/blocks/0/type'],
    ['long notes', modal({ private_metadata: 'x'.repeat(3001) }), '/view/private_metadata'],
    [
      'an alert at home',
      { type: 'home', blocks: [{ type: 'alert', text: plain('x') }] },
      '/view/blocks/0/type',
    ],
    ['no type', { blocks: [] }, '/view'],
  ])('%s is refused', (_name, view, pointer) => {
    expect(checkView(view).map((problem) => problem.pointer)).toContain(pointer)
  })
})

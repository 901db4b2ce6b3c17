import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Cited } from '../../../src/core/run.ts'
import { type Answered, layOut } from '../../../src/slack/blocks/answer.ts'
import { wholeAnswer } from '../../../src/slack/blocks/whole.ts'
import { everyObject, expectHarmless, hiddenLinks, hostileText } from '../../support/slack-blocks.ts'

const cited: Cited[] = [
  {
    n: 1,
    passage: 'p1',
    title: 'Roll back a deploy',
    heading: 'Steps',
    link: 'https://wiki.example/rollback',
    date: '2026-03-04T00:00:00Z',
    text: 'See https://status.example/board. Then wait.',
  },
  { n: 2, passage: 'p2', title: 'On call', heading: '', text: 'Ask Chloe.' },
]
const answer = (markdown: string, more: Partial<Answered> = {}) =>
  layOut({ markdown, cited, run: 'run-1', ...more }).messages
const elements = (markdown: string) => {
  const [first] = answer(markdown)[0]?.blocks ?? []
  return first?.type === 'rich_text' ? first.elements : []
}
const links = (value: unknown) => everyObject(value).filter((object) => object.type === 'link')

describe('citations and sources', () => {
  test('a known number links to its passage, an unknown one goes, and the sources are listed', () => {
    const [message] = answer('Use `deploy undo` [1], then ask [2]. Sure [7].')
    expect(message?.blocks).toEqual([
      {
        type: 'rich_text',
        elements: [
          {
            type: 'rich_text_section',
            elements: [
              { type: 'text', text: 'Use ' },
              { type: 'text', text: 'deploy undo', style: { code: true } },
              { type: 'text', text: ' ' },
              { type: 'link', url: 'https://wiki.example/rollback', text: '[1]' },
              { type: 'text', text: ', then ask' },
              { type: 'text', text: ' ' },
              { type: 'text', text: '[2]' },
              { type: 'text', text: '. Sure' },
              { type: 'text', text: '.' },
            ],
          },
        ],
      },
      {
        type: 'rich_text',
        elements: [
          {
            type: 'rich_text_section',
            elements: [
              { type: 'text', text: 'Sources', style: { bold: true } },
              { type: 'text', text: '\n[1] ' },
              { type: 'link', url: 'https://wiki.example/rollback', text: 'Roll back a deploy' },
              { type: 'text', text: ' · 2026-03-04' },
              { type: 'text', text: '\n[2] ' },
              { type: 'text', text: 'On call' },
            ],
          },
        ],
      },
    ])
    expect(message?.metadata).toEqual({ run: 'run-1', part: 'answer-1' })
    expect(message?.text).toContain('Use `deploy undo` [1], then ask [2]. Sure.')
  })

  test('every way models write citations', () => {
    for (const markdown of [
      'a [1][2]',
      'a [1, 2]',
      'a 【1†source】【2】',
      'a [^1] [^2]',
      '[1]: https://x.example\n\na [1] [2]',
    ]) {
      const text = JSON.stringify(answer(markdown))
      expect(text).toContain('"text":"[1]"')
      expect(text).toContain('"text":"[2]"')
      expect(text).not.toContain('x.example')
    }
  })

  test('code is not a citation', () => {
    expect(answer('`list[1]` and list[0]')[0]?.blocks).toHaveLength(1)
  })

  test('only those cited, ten at most', () => {
    const many = Array.from(
      { length: 14 },
      (_, i): Cited => ({ n: i + 1, passage: `p${i}`, title: `T${i + 1}`, heading: '', text: '' }),
    )
    const text = many.map(({ n }) => `[${n}]`).join(' ')
    const shown = JSON.stringify(answer(text, { cited: many })[0]?.blocks?.at(-1))
    expect(shown).toContain('T10')
    expect(shown).not.toContain('T11')
    expect(shown).toContain('and 4 more')
    expect(answer('nothing cited', { cited: many })[0]?.blocks).toHaveLength(1)
  })

  test('lists and ranges name each passage; what is no list of passages stays as it is', () => {
    const said = (markdown: string) => JSON.stringify(answer(markdown)[0]?.blocks)
    expect(answer('A [1-2]. B [1][2]. C [1; 2]. D [1–2].')[0]?.text).toContain(
      'A [1][2]. B [1][2]. C [1][2]. D [1][2].',
    )
    expect(answer('A [1-9].')[0]?.text).toContain('A [1][2].')
    expect(said('A [71-73].')).not.toContain('7')
    for (const code of ['[2026-05]', '[9-1]', '[1-4000]', 'list[0]'])
      expect(said(`see ${code}`)).toContain(code)
  })

  test('what people think of it is asked under the last message only, and only where it may be', () => {
    const long = answer('word '.repeat(3_000), { feedback: true })
    expect(long.length).toBeGreaterThan(1)
    const asked = long.map((message) => message.blocks?.some((block) => block.type === 'context_actions'))
    expect(asked).toEqual(long.map((_, i) => i === long.length - 1))
    const block = long.at(-1)?.blocks?.at(-1)
    expect(JSON.stringify(block)).toContain('"value":"down run-1"')
    expectHarmless({ text: 'x', blocks: block ? [block] : [] })
    expect(JSON.stringify(answer('Short.'))).not.toContain('feedback')
  })

  test('an answer that cites nothing of what was found says so where it is asked to', () => {
    const uncited = 'It cites none of them.'
    expect(answer('I think so.', { uncited })[0]?.text).toContain(uncited)
    expect(answer('I think so [99].', { uncited })[0]?.text).toContain(uncited)
    expect(answer('It is so [1].', { uncited })[0]?.text).not.toContain(uncited)
    expect(answer('I think so.', { uncited, cited: [] })[0]?.text).not.toContain(uncited)
  })

  test('a badge stands below', () => {
    expect(answer('a', { badge: 'stand-in model' })[0]?.blocks?.at(-1)).toMatchObject({
      type: 'context',
      elements: [{ type: 'plain_text', text: 'stand-in model' }],
    })
  })
})

describe('links', () => {
  test('to addresses in the passages only', () => {
    const [message] = answer('[board](https://status.example/board) [bad](https://evil.example/?q=secret)')
    expect(links(message?.blocks)).toEqual([
      { type: 'link', url: 'https://status.example/board', text: 'board' },
    ])
    expect(message?.text).toContain('bad (`https://evil.example/?q=secret`)')
  })

  test.each([
    'https://status.example/board.evil.example',
    'https://status.example/board?leak=1',
    'https://wiki.example/',
    'https://wiki.example/rollback/../x',
    'https://user@wiki.example/rollback',
    'javascript:alert(1)',
    'slack://channel?id=C1',
  ])('%s is not one of them', (url) => {
    expect(links(answer(`[x](${url}) <${url}> ${url}`))).toEqual([])
  })

  test.each([
    'bank.example',
    'bаnk.example',
    'bank。example',
    'bank．example',
    'https：／／x',
    'a@bank',
    '10.0.0.1',
  ])('words that look like the address %s are not a link elsewhere', (label) =>
    expect(links(answer(`[${label}](https://status.example/board)`))).toEqual([]),
  )

  test('words that pretend to be another address are not a link', () => {
    const [message] = answer('[https://bank.example](https://status.example/board)')
    expect(links(message?.blocks)).toEqual([])
    expect(JSON.stringify(message?.blocks)).toContain('https://status.example/board')
  })

  test('a picture is never shown', () => {
    const shown = JSON.stringify(answer('![a cat](https://evil.example/p.png?secret)'))
    expect(shown).not.toContain('"image"')
    expect(shown).toContain('a cat')
  })

  test('in the plain text an address that is not allowed cannot be pressed', () => {
    const [message] = answer('` [x](https://evil.example) slack://evil')
    expect(message?.text).toBe("' x (`https://evil.example`) slack: //evil")
  })
})

describe('shapes', () => {
  test('paragraphs, headings, quotes, rules', () => {
    expect(elements('# Title\n\none\n\ntwo')).toEqual([
      {
        type: 'rich_text_section',
        elements: [
          { type: 'text', text: 'Title', style: { bold: true } },
          { type: 'text', text: '\n\n' },
          { type: 'text', text: 'one' },
          { type: 'text', text: '\n\n' },
          { type: 'text', text: 'two' },
        ],
      },
    ])
    expect(elements('> a\n>\n> *b*')).toMatchObject([
      {
        type: 'rich_text_quote',
        elements: [{ text: 'a' }, { text: '\n' }, { text: 'b', style: { italic: true } }],
      },
    ])
  })

  test('nested lists and numbers', () => {
    expect(elements('3. a\n   - b\n     ```\n     c\n     ```\n4. d')).toMatchObject([
      {
        type: 'rich_text_list',
        style: 'ordered',
        indent: 0,
        offset: 2,
        elements: [{ elements: [{ text: 'a' }] }],
      },
      { type: 'rich_text_list', style: 'bullet', indent: 1, elements: [{ elements: [{ text: 'b' }] }] },
      { type: 'rich_text_preformatted', elements: [{ text: 'c' }] },
      {
        type: 'rich_text_list',
        style: 'ordered',
        indent: 0,
        offset: 3,
        elements: [{ elements: [{ text: 'd' }] }],
      },
    ])
  })

  test('within a quote lists become lines and code keeps its style', () => {
    expect(elements('> a\n>\n> 1. b\n> 2. c\n>\n> ```\n> d\n> ```')).toMatchObject([
      {
        type: 'rich_text_quote',
        elements: [
          { text: 'a' },
          { text: '\n' },
          { text: '1. ' },
          { text: 'b' },
          { text: '\n' },
          { text: '2. ' },
          { text: 'c' },
          { text: '\n' },
          { text: 'd', style: { code: true } },
        ],
      },
    ])
  })

  test('footnotes keep their names, unless the number is a passage', () => {
    const said = (markdown: string) => answer(markdown)[0]?.text
    expect(said('So it is.[^why]\n\n[^why]: Because.')).toBe('So it is.[why]\n\n[why] Because.')
    expect(said('So it is.[^8]\n\n[^8]: Because.')).toBe('So it is.[8]\n\n[8] Because.')
    expect(links(answer('So it is.[^1]\n\n[^1]: Because.')[0]?.blocks)[0]).toMatchObject({ text: '[1]' })
  })

  test('a line break of HTML is one, other HTML stands as it was written', () => {
    expect(answer('a<br>b <b>c</b>')[0]?.text).toBe('a\nb &lt;b&gt;c&lt;/b&gt;')
  })
})

describe('size', () => {
  const words = (count: number) => Array.from({ length: count }, (_, i) => `word${i} `).join('')

  test('a long answer is split between paragraphs, and nothing is lost', () => {
    const paragraphs = Array.from({ length: 40 }, (_, i) => `P${i}. ${'x '.repeat(180)}end${i}`)
    const messages = answer(paragraphs.join('\n\n'))
    expect(messages.length).toBeGreaterThan(1)
    expect(messages.length).toBeLessThanOrEqual(3)
    for (const message of messages) expectHarmless(message)
    const all = messages.map((message) => message.text).join('\n')
    for (let i = 0; i < 40; i++) {
      const home = messages.find((message) => message.text.includes(`P${i}. `))
      expect(home?.text).toContain(`end${i}`)
    }
    expect(all).not.toContain('left out')
    expect(messages.map((message) => message.metadata?.part)).toEqual(
      messages.map((_, i) => `answer-${i + 1}`),
    )
  })

  test('one endless paragraph, list, code block: split within', () => {
    for (const markdown of [
      words(1500),
      `- ${words(1500)}`,
      `\`\`\`\n${words(1500)}\n\`\`\``,
      `> ${words(1500)}`,
      'x'.repeat(12_000),
    ]) {
      const messages = answer(markdown)
      for (const message of messages) expectHarmless(message)
      const all = messages
        .map((message) => message.text)
        .join('')
        .replace(/[`\n• ]/g, '')
      expect(all).toContain(markdown.replace(/[`\n>\- ]/g, '').slice(-200))
    }
  })

  test('an empty answer says that it is empty', () => {
    expect(answer(' \n ')[0]?.text).toBe('The model gave an empty answer.')
  })

  test.each([
    ['brackets', '['.repeat(30_000)],
    ['quotes', '> '.repeat(15_000)],
    ['stars', '**a*b'.repeat(6000)],
    ['as many stars as are parsed', '**a*b '.repeat(990)],
    ['deep list', Array.from({ length: 170 }, (_, i) => `${' '.repeat(i * 2)}- x`).join('\n')],
    ['references', '[a]('.repeat(7500)],
  ])('%s in a row cost little time', (_name, markdown) => {
    const from = process.cpuUsage()
    const messages = answer(markdown)
    const { user } = process.cpuUsage(from)
    expect(user / 1e6).toBeLessThan(3)
    for (const message of messages) expectHarmless(message)
  })
})

/** Whether some piece of the text is this address. */
function standsIn(text: string, address: string): boolean {
  for (const { index } of text.matchAll(/https?:/gi)) {
    for (let end = index + 9; end <= text.length; end++) {
      const piece = text.slice(index, end)
      if (URL.canParse(piece) && new URL(piece).href === address) return true
    }
  }
  return false
}

test('whatever a model writes: no ping, no link of its own, no button, within the limits', () => {
  fc.assert(
    fc.property(hostileText, hostileText, hostileText, (markdown, title, passage) => {
      const given: Cited[] = [
        {
          n: 1,
          passage: 'p',
          title,
          heading: title,
          link: 'https://wiki.example/a',
          date: title,
          text: passage,
        },
        { n: 2, passage: 'p', title, heading: '', link: passage, text: '' },
      ]
      const { messages, files, unfiled } = layOut({ markdown, cited: given, run: 'r', badge: title })
      expect(messages.length).toBeLessThanOrEqual(3)
      for (const file of files) expect(hiddenLinks(file.bytes.toString())).toEqual([])
      expect(hiddenLinks(wholeAnswer(markdown, given).toString())).toEqual([])
      for (const message of [...messages, ...unfiled()]) {
        expectHarmless(message)
        for (const object of everyObject(message.blocks)) {
          expect(['user', 'button', 'actions', 'emoji']).not.toContain(object.type)
          if (object.type !== 'link') continue
          const address = String(object.url)
          expect(address === 'https://wiki.example/a' || standsIn(passage, address)).toBe(true)
        }
      }
    }),
    {
      numRuns: 300,
      examples: [
        ['<@U0ANA>www.evil.example', '', ''],
        ['\t<!channel>', '', ''],
      ],
    },
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { drip, undrip } from '../../../src/slack/blocks/drip.ts'
import { clean } from '../../../src/slack/blocks/text.ts'

const scraps = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      ...[
        '<',
        '>',
        '@',
        '!',
        '#',
        '&',
        '#60;',
        'lt;',
        '[',
        ']',
        '(',
        ')',
        ':',
        '/',
        '//',
        '\\',
        '.',
        '`',
        '```',
      ],
      ...[
        '<@U0ANA>',
        '<!channel>',
        '<!subteam^S0ONCALL>',
        '<#C0OPS>',
        '<!date^1^{date}^https://evil.example|x>',
      ],
      ...['https:', 'https://evil.example/?q=', '[click](https://evil.example)', '[a]: http://evil.example'],
      ...[
        '![x](https://evil.example/p.png)',
        '<https://evil.example|ok>',
        '<mailto:a@evil.example>',
        'tel:',
        '\n',
      ],
      ...[
        'www.',
        'evil',
        'example',
        'a@b.co',
        'https:\\/\\/evil.example',
        '&colon;',
        'ünï',
        '例え',
        '\ud83d',
        '\ude00',
      ],
      ...['\u200b', '\u202e', '\u2066', '\u00ad', '\ufeff', '\u0000', '\r', '\r\n', ' '],
    ),
  },
)
const hostile = fc.array(scraps, { maxLength: 40 }).map((parts) => parts.join(''))

/** What Slack would make a ping, a link or something else of than text. */
const LIVE = [
  /<[@!#]/,
  /<[a-z][a-z0-9+.-]*:/i,
  /<[a-z/]/i,
  /&(#\d|#x[0-9a-f]|[a-z])/i,
  /\]\(/,
  /\]:/,
  /:\/\//,
  /\\[/@!#.:<]/,
  /mailto:[^\s\u200b]/i,
  /[\p{L}\p{N}]\.[\p{L}\p{N}]/u,
  /[\p{L}\p{N}]@[\p{L}\p{N}]/u,
]

test('whatever a model writes, nothing of what streams can ping, link or hide, and it reads the same', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const shown = drip(text)
      for (const live of LIVE) expect(shown).not.toMatch(live)
      expect(shown).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u00ad\ufeff\0\r]/)
      expect(undrip(shown)).toBe(clean(text.replace(/[\ud800-\udbff]$/, '')))
    }),
    { numRuns: 2000 },
  )
})

test('however it is cut, what was shown stays the beginning of what is shown', () => {
  fc.assert(
    fc.property(hostile, fc.nat(), (text, at) => {
      const cut = text.length === 0 ? 0 : at % (text.length + 1)
      expect(drip(text).startsWith(drip(text.slice(0, cut)))).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

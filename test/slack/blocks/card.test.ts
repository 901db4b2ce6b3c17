import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Card, type CardState, cardMessage, fitsCard } from '../../../src/slack/blocks/card.ts'
import { everyObject, expectHarmless, hostileText } from '../../support/slack-blocks.ts'

const STATES: CardState[] = [
  'pending',
  'approved-running',
  'rejected',
  'expired',
  'void',
  'succeeded',
  'failed',
  'unknown',
]
const card = (more: Partial<Card> = {}): Card => ({
  approval: 'ap-1',
  run: 'run-1',
  tool: 'filesystem__write_file',
  server: 'filesystem',
  args: { path: 'notes.md', content: 'hello\nworld' },
  asker: 'U0ANA',
  approvers: ['U0ANA', 'U0BEN'],
  expires: '2026-11-02T10:00:00.000Z',
  state: 'pending',
  ...more,
})
const shownArguments = (value: unknown) =>
  everyObject(value)
    .filter((object) => object.type === 'rich_text_preformatted')
    .flatMap((object) => everyObject(object.elements))
    .map((object) => object.text)
    .join('')
const buttons = (value: unknown) => everyObject(value).filter((object) => object.type === 'button')

test('a pending card says what, with what, where, for whom, who may decide, until when', () => {
  const message = cardMessage(card())
  expect(shownArguments(message.blocks)).toBe(JSON.stringify(card().args, null, 2))
  expect(buttons(message.blocks).map((button) => [button.action_id, button.value])).toEqual([
    ['approve', 'ap-1'],
    ['deny', 'ap-1'],
  ])
  expect(
    everyObject(message.blocks)
      .filter((object) => object.type === 'user')
      .map((object) => object.user_id),
  ).toEqual(['U0ANA', 'U0ANA', 'U0BEN'])
  expect(everyObject(message.blocks).find((object) => object.type === 'date')?.timestamp).toBe(1793613600)
  expect(message.metadata).toEqual({ run: 'run-1', part: 'card-ap-1' })
  expect(message.text).toContain('May I run this? `write_file` on `filesystem`')
})

test.each(STATES.slice(1))('%s: no button, the arguments stay, and who decided', (state) => {
  const message = cardMessage(card({ state, by: 'U0BEN' }))
  expect(buttons(message.blocks)).toEqual([])
  expect(shownArguments(message.blocks)).toContain('notes.md')
  const people = everyObject(message.blocks).filter((object) => object.type === 'user')
  const named = people.some((object) => object.user_id === 'U0BEN')
  expect(named).toBe(state !== 'expired' && state !== 'void')
  expectHarmless(message)
})

describe('what is hidden is shown', () => {
  test('direction, zero width, look-alike spaces', () => {
    const shown = shownArguments(
      cardMessage(card({ args: { path: 'a\u202eb\u200bc\u00a0d\u{e0041}' } })).blocks,
    )
    expect(shown).toContain('a\\u202eb\\u200bc\\u00a0d\\udb40\\udc41')
  })

  test('every argument can be read back exactly', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 10 }), fc.string({ unit: 'binary', maxLength: 60 }), {
          maxKeys: 5,
        }),
        (args) => {
          expect(JSON.parse(shownArguments(cardMessage(card({ args })).blocks))).toEqual(
            JSON.parse(JSON.stringify(args)),
          )
        },
      ),
    )
  })

  test('what does not fit in full is said beforehand, and what fits is shown in full', () => {
    expect(fitsCard({ content: `begin${'"\n'.repeat(50_000)}end` })).toBe(false)
    const args = { content: `begin ${'x '.repeat(3000)}end` }
    expect(fitsCard(args)).toBe(true)
    expect(shownArguments(cardMessage(card({ args })).blocks)).toBe(JSON.stringify(args, null, 2))
  })
})

test('whatever a model proposes: no ping, no link, no button of its own', () => {
  fc.assert(
    fc.property(
      hostileText,
      hostileText,
      fc.jsonValue(),
      fc.constantFrom(...STATES),
      (name, note, value, state) => {
        const message = cardMessage(
          card({ tool: name, server: note, args: { name, value, note }, state, by: 'U0BEN', note, run: 'r' }),
        )
        expectHarmless(message)
        expect(buttons(message.blocks)).toHaveLength(state === 'pending' ? 2 : 0)
        for (const object of everyObject(message.blocks)) {
          expect(object.type).not.toBe('link')
          if (object.type === 'user') expect(['U0ANA', 'U0BEN']).toContain(object.user_id)
        }
      },
    ),
    { numRuns: 200 },
  )
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Card, type CardState, cardMessage, fitsCard } from '../../../src/slack/blocks/card.ts'
import { everyObject, expectHarmless, hostileText } from '../../support/slack-blocks.ts'

const STATES: CardState[] = [
  'pending',
  'running',
  'rejected',
  'expired',
  'void',
  'edited',
  'again',
  'succeeded',
  'failed',
  'unknown',
  'unresolved',
  'done',
  'not-done',
]
/** States that rest on a person's decision. */
const DECIDED = STATES.filter((state) => !['pending', 'expired', 'void'].includes(state))
const card = (more: Partial<Card> = {}): Card => ({
  approval: 'ap-1',
  run: 'run-1',
  tool: 'filesystem__write_file',
  server: 'filesystem',
  args: { path: 'notes.md', content: 'hello\nworld' },
  asker: 'U0ANA',
  approvers: [['U0ANA', 'U0BEN']],
  need: 1,
  votes: [],
  selfApprove: true,
  by: [],
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
const peopleIn = (value: unknown) =>
  everyObject(value).flatMap((object) => (object.type === 'user' ? [object.user_id] : []))
const wordsOf = (value: unknown) =>
  everyObject(value)
    .flatMap((object) => (typeof object.text === 'string' ? [object.text] : []))
    .join('')
const buttons = (value: unknown) => everyObject(value).filter((object) => object.type === 'button')

test('a pending card says what, with what, where, for whom, who may decide, until when', () => {
  const message = cardMessage(card())
  expect(shownArguments(message.blocks)).toBe(JSON.stringify(card().args, null, 2))
  expect(buttons(message.blocks).map((button) => [button.action_id, button.value])).toEqual([
    ['approve', 'ap-1'],
    ['deny', 'ap-1'],
    ['edit', 'ap-1'],
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

test.each(STATES.slice(1))(
  '%s: buttons only for what can still be said, the arguments stay, and who decided',
  (state) => {
    const message = cardMessage(card({ state, by: ['U0BEN'] }))
    expect(buttons(message.blocks).map((button) => button.action_id)).toEqual(
      state === 'unknown' ? ['done', 'not-done', 'again'] : [],
    )
    expect(shownArguments(message.blocks)).toContain('notes.md')
    expect(peopleIn(message.blocks).includes('U0BEN')).toBe(DECIDED.includes(state))
    expectHarmless(message)
  },
)

test('what it risks, who edited it, what came before, and how many have said yes', () => {
  const message = cardMessage(
    card({
      risk: 'It changes something. Before it, I have read pages of the team.',
      attempt: 2,
      previous: 'The process died.',
      editedBy: 'U0CHLOE',
      need: 2,
      votes: ['U0BEN'],
      selfApprove: false,
      approvers: [['U0BEN', 'U0CHLOE'], ['members of oncall']],
      hash: 'abcdef0123456789',
    }),
  )
  const words = wordsOf(message.blocks)
  for (const part of [
    'It changes something.',
    'pages of the team',
    'Attempt 2. Before: The process died.',
    ', edited by ',
    '1 of 2 said yes',
    'members of oncall',
    ', and also one of ',
    ', not ',
    'abcdef012345',
  ])
    expect(words).toContain(part)
  expect(everyObject(message.blocks).some((object) => object.type === 'usergroup')).toBe(false)
})

test('several people stay named after they approved, and nobody where the policy allowed it', () => {
  expect(wordsOf(cardMessage(card({ state: 'succeeded', by: ['U0BEN', 'U0ANA'] })).blocks)).toContain(' and ')
  const unasked = cardMessage(card({ state: 'unknown', unasked: true }))
  expect(wordsOf(unasked.blocks)).toContain('Run without asking')
})

test('arguments in a file: where they stand, their hash, their beginning, no Edit', () => {
  const args = { content: 'x'.repeat(20_000) }
  const file = { name: 'arguments-12345678.json', bytes: 20_020, sha256: '12345678abcd' }
  const message = cardMessage(card({ args, file }))
  expect(shownArguments(message.blocks)).toMatch(/^\{\n {2}"content": "x+…$/)
  expect(wordsOf(message.blocks)).toContain(
    'arguments-12345678.json above: 20020 bytes, SHA-256 12345678abcd',
  )
  expect(buttons(message.blocks).map((button) => button.action_id)).toEqual(['approve', 'deny'])
  expectHarmless(message)
})

test('a batch: every call with its own arguments, hash and buttons, and one for all that still wait', () => {
  const calls = [1, 2, 3].map((n) =>
    card({
      approval: `ap-${n}`,
      batch: 'b-1',
      args: { n },
      hash: `${n}`.repeat(64),
      state: n === 2 ? 'rejected' : 'pending',
    }),
  )
  const [first = card(), ...rest] = calls
  const message = cardMessage(first, ...rest)
  expectHarmless(message)
  const all = buttons(message.blocks).map((button) => `${button.action_id} ${button.value}`)
  expect(all).toEqual([
    ...['approve ap-1', 'deny ap-1', 'edit ap-1', 'approve ap-3', 'deny ap-3', 'edit ap-3'],
    ...['approve-all b-1', 'deny-all b-1'],
  ])
  for (const n of [1, 2, 3]) expect(shownArguments(message.blocks)).toContain(`"n": ${n}`)
  expect(wordsOf(message.blocks)).toContain('111111111111')
  expect(message.metadata).toEqual({ run: 'run-1', part: 'card-b-1' })
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
          card({
            ...{
              tool: name,
              server: note,
              args: { name, value, note },
              state,
              by: ['U0BEN'],
              note,
              run: 'r',
            },
            ...{ risk: name, previous: note, attempt: 2, approvers: [['U0BEN', name]] },
          }),
        )
        expectHarmless(message)
        expect(buttons(message.blocks)).toHaveLength(state === 'pending' || state === 'unknown' ? 3 : 0)
        for (const object of everyObject(message.blocks)) {
          expect(object.type).not.toBe('link')
          if (object.type === 'user') expect(['U0ANA', 'U0BEN']).toContain(object.user_id)
        }
      },
    ),
    { numRuns: 200 },
  )
})

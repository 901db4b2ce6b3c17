/** What a server wants to know, as it is read from its answer. */
import { describe, expect, test } from 'vitest'
import { maskedInput, wantedBy } from '../../src/tools/input.ts'

const form = (message: string) => ({
  method: 'elicitation/create',
  params: { message, requestedSchema: { type: 'object', properties: { a: { description: message } } } },
})
const wanting = (inputRequests: Record<string, unknown>, requestState?: string) => ({
  resultType: 'input_required',
  inputRequests,
  ...(requestState === undefined ? {} : { requestState }),
})

describe('what a server wants to know', () => {
  test('its own state goes back as it came; what must not be shown is hidden from the rest', () => {
    const wanted = wantedBy(wanting({ k: form('is it s3cret?') }, 's3cret'))
    if (typeof wanted !== 'object') throw new Error(String(wanted))
    const masked = maskedInput(wanted, (text) => text.replaceAll('s3cret', '***'))
    expect(masked).toEqual({
      requests: {
        k: {
          mode: 'form',
          message: 'is it ***?',
          schema: { type: 'object', properties: { a: { description: 'is it ***?' } } },
        },
      },
      state: 's3cret',
    })
  })

  test.each([
    ['nothing at all', wanting({}, 'x'), 'without a question'],
    [
      'too much at once',
      wanting(Object.fromEntries([...'abcdefghijk'].map((k) => [k, form(k)]))),
      'too many',
    ],
    ['a flood of words', wanting({ k: form('x'.repeat(40_000)) }), 'too long'],
    ['a flood of state', wanting({ k: form('x') }, 'x'.repeat(300_000)), 'too much to be kept'],
    ['a model', wanting({ k: { method: 'sampling/createMessage', params: { messages: [] } } }), 'nobody'],
    ['roots', wanting({ k: { method: 'roots/list' } }), 'nobody'],
    [
      'no web address',
      wanting({
        k: { method: 'elicitation/create', params: { mode: 'url', message: '', url: 'file:///x' } },
      }),
      'not a web address',
    ],
  ])('%s is refused with a sentence', (_, result, why) => expect(wantedBy(result)).toContain(why))
})

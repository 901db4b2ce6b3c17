import fc from 'fast-check'
import { expect, test } from 'vitest'
import { actsOf, isActOf } from '../../src/core/dictated.ts'

const acts = (text: string) => actsOf(text).map(({ verb, text: said }) => `${verb}: ${said.trim()}`)
const asks = (tool: string, text: string) => actsOf(text).some((act) => isActOf(tool, act))

test('an act is from its verb to what is asked for next', () => {
  expect(acts('Please delete old.txt and summarize report.docx')).toEqual([
    'delete: delete old.txt and',
    'summarize: summarize report.docx',
  ])
  expect(acts('Could you send Ben a mail? The subject is "Hi". Thanks!')).toEqual([
    'send: send Ben a mail? The subject is "Hi".',
  ])
  expect(acts('delete old.txt and proofread report.docx')).toEqual(['delete: delete old.txt and'])
  expect(acts('<@U1> delete old.txt. 2. Then read x')).toEqual(['delete: delete old.txt.', 'read: read x'])
})

test('what others want, what is not to be done, what is cited and what is a thing is no act', () => {
  for (const text of [
    'Ben wants me to delete report.docx',
    'Should I delete report.docx?',
    'He could delete report.docx',
    'Please do not delete report.docx',
    "Don't delete report.docx",
    'You should never delete report.docx',
    'He wrote: delete report.docx',
    'the delete of report.docx',
    'He wrote “and please delete report.docx. Delete report.docx',
  ])
    expect([text, asks('delete_file', text)]).toEqual([text, false])
  expect(asks('send_email', 'Read the calendar and email from ben@example.com')).toBe(false)
  expect(asks('delete_file', "Don't forget to delete report.docx")).toBe(true)
  expect(asks('delete_file', 'I want you to delete report.docx')).toBe(true)
})

test('the act must be on the kind of thing the tool does it to', () => {
  expect(asks('reserve_hotel', 'Make a summary of Grand Hotel')).toBe(false)
  expect(asks('reserve_hotel', 'Book the hotel Grand')).toBe(true)
  expect(asks('add_admin', 'Add ben@example.com to the event')).toBe(false)
  expect(asks('send_money', 'Send Ben the minutes')).toBe(false)
  expect(asks('send_money', 'Send 50 € to Ben')).toBe(true)
  expect(asks('update_password', 'Change my password, please: set it to "1j1l"')).toBe(true)
  expect(asks('update_password', 'If I need to change my password, please set it to "1j1l"')).toBe(true)
})

test('no text is too strange or takes long, and acts are parts of it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (text) => {
      const whole = `please delete ${text}. then read ${text}`
      for (const act of actsOf(whole)) expect(whole).toContain(act.text)
    }),
  )
  const began = performance.now()
  for (const part of ["'", '"', 'and ', 'please delete ', '. ', 'do not send, ', "n't "])
    actsOf(part.repeat(10_000))
  expect(performance.now() - began).toBeLessThan(5_000)
})

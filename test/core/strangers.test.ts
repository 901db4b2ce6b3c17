import { expect, test } from 'vitest'
import { cutCitations } from '../../src/core/cite.ts'
import { readDirect, readPrompted } from '../../src/core/command.ts'
import { actsOf } from '../../src/core/dictated.ts'
import { excused } from '../../src/core/excuse.ts'

const MANY = 100_000

const mail: Parameters<typeof excused>[1] = {
  tool: 'send_email',
  sensitive: ['to'],
  inputSchema: { properties: { to: {} } },
}
const excuse = (words: string) => excused('literal', mail, { to: 'ben@example.com' }, [words])

test.each<[string, (text: string) => unknown, string]>([
  ['quotes that never end', actsOf, '“'.repeat(MANY)],
  ['marks that end no sentence', actsOf, `please delete ${'!'.repeat(MANY)}x`],
  ['lines without words', actsOf, '\n '.repeat(MANY)],
  ['lines that could quote', excuse, `send an email${'\n'.repeat(MANY)}x`],
  ['marks within what is quoted', excuse, `send an email to ben@example.com "${'!'.repeat(MANY)}x"`],
  ['blanks within code', readDirect, `run mail__send \`\`\`{${' '.repeat(MANY)}}x`],
  ['a name without a value', readPrompted, `mail__send ${'a'.repeat(MANY)}`],
  ['blanks where a number would stand', cutCitations, `[1${' '.repeat(MANY)}-2]`],
])('whatever a stranger writes is read in time in step with its length: %s', (_, read, text) => {
  const began = performance.now()
  read(text)
  expect(performance.now() - began).toBeLessThan(2_000)
})

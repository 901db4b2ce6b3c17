import { expect, test } from 'vitest'
import { chunk } from '../../src/core/chunk.ts'
import { foundConversation } from '../../src/sources/conversation.ts'

const at = (time: string) => new Date(`${time}:00Z`)
const spoken = (time: string, speaker: string, text: string) => ({
  at: at(time),
  speaker,
  text,
  link: `l:${time}`,
})

async function read(...said: ReturnType<typeof spoken>[]) {
  const found = foundConversation('C1/thread/1', 'ops', said)
  const document = await found.read()
  if ('why' in document) throw new Error(document.why)
  return { found, document }
}

test('speakers, times, the day where it changes; dated by the last word, opened at the first', async () => {
  const { found, document } = await read(
    spoken('2026-11-02T23:58', 'Ana', 'Is it up?'),
    spoken('2026-11-02T23:59', 'Ben', 'Not yet.'),
    spoken('2026-11-03T00:01', 'Ben', 'Now it is.'),
  )
  expect(document.text).toBe(
    'Ana, 2026-11-02 23:58: Is it up?\nBen, 23:59: Not yet.\nBen, 2026-11-03 00:01: Now it is.\n',
  )
  expect(document.title).toBe('#ops: Is it up?')
  expect(found).toMatchObject({ date: '2026-11-03', link: 'l:2026-11-02T23:58' })
  expect(chunk(document).map(({ link }) => link)).toEqual(['l:2026-11-02T23:58'])
})

test('a title ends with a word', async () => {
  const { document } = await read(spoken('2026-11-02T10:00', 'Ana', `*Hello* > ${'wonderful '.repeat(20)}`))
  expect(document.title).toMatch(/^#ops: Hello (wonderful )+…$/)
  expect(document.title.length).toBeLessThan(90)
})

test('a message that is cut says in each part who speaks, and each part links to it', async () => {
  const { document } = await read(
    spoken('2026-11-02T10:00', 'Ana', 'How?'),
    spoken('2026-11-02T10:05', 'Ben', 'Then wait for the green light and go on. '.repeat(60)),
  )
  const parts = chunk(document)
  expect(parts.length).toBeGreaterThan(2)
  for (const part of parts.slice(1))
    expect(part).toMatchObject({ heading: 'Ben', link: 'l:2026-11-02T10:05' })
})

test('the fingerprint is another when a word, a name or a link is', async () => {
  const one = spoken('2026-11-02T10:00', 'Ana', 'How?')
  const of = async (said: typeof one) => (await read(said)).found.fingerprint
  const prints = [one, { ...one, text: 'Why?' }, { ...one, speaker: 'Anna' }, { ...one, link: 'other' }].map(
    of,
  )
  expect(new Set(await Promise.all(prints)).size).toBe(4)
})

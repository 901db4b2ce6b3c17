import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openFence } from '../../src/core/fence.ts'
import type { Plan } from '../../src/core/plan.ts'
import { drip } from '../../src/slack/blocks/drip.ts'
import { beginningOf, openPour } from '../../src/slack/pour.ts'

const plan: Plan = {
  title: 'Working',
  rows: [{ id: '1', title: 'Read', status: 'in_progress' }],
  done: false,
}

/** Streams as Slack keeps them: each takes 10,600 bytes and ends once. */
function slack() {
  const messages: { text: string; open: boolean }[] = []
  const textOf = (chunks: { type: string; text?: string }[]) =>
    chunks.flatMap(({ type, text = '' }) => (type === 'markdown_text' ? [text] : [])).join('')
  const write = (ts: string, chunks: { type: string; text?: string }[]) => {
    const message = messages[Number(ts)]
    if (!message?.open) throw new Error('message_not_in_streaming_state')
    message.text += textOf(chunks)
    if (Buffer.byteLength(message.text) > 10_600) throw new Error('msg_too_long')
    return message
  }
  return {
    messages,
    begin: (chunks: { type: string; text?: string }[]) => {
      messages.push({ text: '', open: true })
      write(String(messages.length - 1), chunks)
      return String(messages.length - 1)
    },
    streams: {
      append: async (_: string, ts: string, chunks: { type: string; text?: string }[]) => {
        write(ts, chunks)
        return 'sent' as const
      },
      stop: async (_: string, ts: string, chunks: { type: string; text?: string }[]) => {
        write(ts, chunks).open = false
        return 'stopped' as const
      },
    },
  }
}

const pieces = fc.array(
  fc.oneof(
    fc.constantFrom('```ts\n', '```\n', '~~~\n', 'word ', '\n', '\n\n', 'https://evil.example ', '<!here>'),
    fc.nat(9000).map((length) => 'ö'.repeat(length % 700)),
    fc.nat(4000).map((length) => `${'line of code\n'.repeat(length % 400)}`),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
  ),
  { minLength: 1, maxLength: 25 },
)

test('whatever is written and however old streams get: nothing is lost, doubled or too long, no code block stays open', async () => {
  await fc.assert(
    fc.asyncProperty(pieces, fc.infiniteStream(fc.boolean()), async (parts, ages) => {
      const { messages, begin, streams } = slack()
      const beginning = beginningOf(plan, '')
      let [old, text] = [false, '']
      const pour = openPour(
        {
          streams,
          channel: 'D1',
          get streamMs() {
            return old ? -1 : 60_000
          },
          next: async (chunks) => {
            old = false // It is as new as the stream.
            return begin(chunks)
          },
        },
        { ts: begin(beginning.chunks), since: Date.now(), shown: beginning.shown, text: '' },
      )
      for (const part of parts) {
        text += part
        const shown = drip(text)
        old = Boolean(ages.next().value) && shown !== ''
        for (let turn = 0; (await pour.grow(plan, shown)) === 'dropped'; turn++) expect(turn).toBeLessThan(60)
      }
      const whole = drip(text)
      await pour.end(plan, whole, 'active')
      const poured = pour.messages()
      expect(pour.written()).toBe(whole)
      const told = poured.map(({ from, lead }, i) => {
        const own = whole.slice(from, poured[i + 1]?.from ?? whole.length)
        const shown = messages[i]?.text ?? ''
        expect(shown.startsWith(own === '' ? '' : lead + own)).toBe(true)
        if (i < poured.length - 1) expect(openFence(shown)).toBeUndefined()
        return own
      })
      expect(told.join('')).toBe(whole)
      expect(messages.every(({ open }) => !open)).toBe(true)
    }),
    { numRuns: 150 },
  )
})

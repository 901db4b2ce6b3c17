import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readLines } from '../../src/tools/lines.ts'

function read(chunks: Buffer[], max: number) {
  const seen: (string | { head: string; tail: string })[] = []
  const feed = readLines(max, {
    line: (text) => void seen.push(text),
    oversized: (head, tail) => void seen.push({ head, tail }),
  })
  for (const chunk of chunks) feed(chunk)
  return seen
}

test('lines come out whole however they are cut into chunks', () => {
  const line = fc.string({ unit: 'grapheme' }).map((s) => s.replaceAll(/[\r\n]/g, ''))
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(40)), (lines, sizes) => {
      const whole = Buffer.from(lines.map((l) => `${l}\n`).join(''))
      const chunks: Buffer[] = []
      let at = 0
      for (const size of sizes) {
        chunks.push(whole.subarray(at, at + size))
        at += size
      }
      chunks.push(whole.subarray(at))
      expect(read(chunks, 1_000_000)).toEqual(lines)
    }),
  )
})

test('of a line that is too long only the ends are kept, and the next line is read', () => {
  const chunks = [Buffer.from(`{"id":1,${'x'.repeat(3_000)}`)]
  for (let i = 0; i < 100; i++) chunks.push(Buffer.alloc(1_000, 'y'))
  chunks.push(Buffer.from('z}\nnext\n'))
  const [first, second] = read(chunks, 2_000)
  const { head, tail } = first as { head: string; tail: string }
  expect(head).toMatch(/^\{"id":1,x+$/)
  expect(tail).toMatch(/^y+z\}$/)
  expect(head.length + tail.length).toBe(512)
  expect(second).toBe('next')
})

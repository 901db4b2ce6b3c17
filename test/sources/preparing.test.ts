import { expect, test } from 'vitest'
import { prepare } from '../../src/core/prepare.ts'
import { readPlain } from '../../src/sources/plain.ts'
import { openPreparing } from '../../src/sources/preparing.ts'

const LINK = 'https://wiki.example/{path}#L{line}'
const book = (word: string, times: number) =>
  readPlain(`${word}.txt`, `The ${word} is in the harbour.\npassword: hunter22!\n\n`.repeat(times))

test('a long document comes to the same in a thread of its own, however many are given at once', async () => {
  await using preparing = openPreparing()
  const books = [book('zeppelin', 4_000), book('ship', 10), book('lighthouse', 4_000)]
  const done = await Promise.all(books.map((one) => preparing.prepare(one, LINK)))
  expect(done).toEqual(books.map((one) => prepare(one, LINK)))
  expect(done.map(({ removed }) => removed)).toEqual([4_000, 10, 4_000])
  expect(done[2]?.chunks.at(-1)?.text).toContain('lighthouse')
})

test('while a book is prepared the thread that asked for it goes on', async () => {
  await using preparing = openPreparing()
  const long = book('zeppelin', 60_000)
  const began = process.threadCpuUsage()
  await preparing.prepare(long, LINK)
  const { user: waited } = process.threadCpuUsage(began)
  const before = process.threadCpuUsage()
  prepare(long, LINK)
  const { user: worked } = process.threadCpuUsage(before)
  expect(waited).toBeLessThan(worked)
})

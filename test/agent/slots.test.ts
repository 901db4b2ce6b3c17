import { expect, test } from 'vitest'
import { openSlots } from '../../src/agent/slots.ts'

const open = new AbortController().signal

/** Work that ends when it is told to. */
function pieces(slots: ReturnType<typeof openSlots>) {
  const begun: string[] = []
  const ends: (() => void)[] = []
  const begin = (workspace: string, signal = open) =>
    slots.use(workspace, signal, async () => {
      begun.push(workspace)
      await new Promise<void>((resolve) => ends.push(resolve))
    })
  return { begun, ends, begin }
}
const settle = () => new Promise((resolve) => setImmediate(resolve))

test('no more run at once than there are slots, and workspaces that wait take turns', async () => {
  const { begun, ends, begin } = pieces(openSlots(2))
  const all = ['A', 'A', 'A', 'A', 'A', 'B', 'C', 'B'].map((workspace) => begin(workspace))
  for (let n = 2; n < 8; n++) {
    await settle()
    expect(begun).toHaveLength(n)
    ends.shift()?.()
  }
  await settle()
  for (const end of ends) end()
  await Promise.all(all)
  expect(begun).toEqual(['A', 'A', 'A', 'B', 'C', 'A', 'B', 'A'])
})

test('who waits when the process ends is let through, and leaves every slot as it was', async () => {
  const slots = openSlots(1)
  const { begun, ends, begin } = pieces(slots)
  const ending = new AbortController()
  const first = begin('A')
  const waits = begin('B', ending.signal)
  await settle()
  ending.abort()
  await settle()
  expect(begun).toEqual(['A', 'B'])
  for (const end of ends.splice(0)) end()
  await Promise.all([first, waits])
  const next = [begin('A'), begin('A')]
  await settle()
  expect(begun).toHaveLength(3)
  ends.shift()?.()
  await settle()
  ends.shift()?.()
  await Promise.all(next)
})

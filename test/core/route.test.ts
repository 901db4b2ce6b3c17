import fc from 'fast-check'
import { expect, test } from 'vitest'
import { boundOf, type Candidate, orderFor, route } from '../../src/core/route.ts'

const idle = (id: string): Candidate => ({ id, load: 0, speed: 100, share: 1, spare: 0 })
const candidates = fc.uniqueArray(
  fc.record({
    id: fc.string({ minLength: 1, maxLength: 12 }),
    load: fc.integer({ min: 0, max: 50_000 }),
    speed: fc.integer({ min: 1, max: 5_000 }),
    share: fc.double({ min: 0.1, max: 1, noNaN: true }),
    spare: fc.constantFrom(0, 4_000),
  }),
  { minLength: 1, maxLength: 9, selector: (one) => one.id },
)

test('no server above its bound takes a call while another is under its own', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 30_000 }), candidates, (key, size, all) => {
      const chosen = all.find((one) => one.id === route(key, size, all))
      expect(chosen).toBeDefined()
      const isUnder = (one: Candidate) => one.load < boundOf(one, all, size)
      if (all.some(isUnder)) expect(chosen && isUnder(chosen)).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('the same key goes to the same server, whatever order they are listed in', () => {
  fc.assert(
    fc.property(fc.string(), candidates, (key, all) => {
      expect(route(key, 10, all)).toBe(route(key, 10, all.toReversed()))
    }),
  )
})

test('when a server leaves, only its keys move, and they spread over the others', () => {
  const all = ['a', 'b', 'c', 'd', 'e'].map(idle)
  const keys = Array.from({ length: 3_000 }, (_, i) => `T1 C1 17000${i}.000100`)
  const without = all.filter(({ id }) => id !== 'c')
  const moved = new Map<string, number>()
  for (const key of keys) {
    const before = orderFor(key, all)[0]?.id ?? ''
    const after = orderFor(key, without)[0]?.id ?? ''
    if (before === 'c') moved.set(after, (moved.get(after) ?? 0) + 1)
    else expect(after).toBe(before)
  }
  expect(moved.size).toBe(4)
  for (const count of moved.values()) expect(count).toBeGreaterThan(90)
})

test('keys are spread evenly over idle servers', () => {
  const all = ['http://10.0.0.1:8000/v1', 'http://10.0.0.2:8000/v1', 'http://10.0.0.3:8000/v1'].map(idle)
  const counts = new Map<string, number>()
  for (let i = 0; i < 6_000; i += 1) {
    const id = route(`T1 C${i % 7} 1700000${i}.0001`, 1, all) ?? ''
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  for (const count of counts.values()) expect(Math.abs(count - 2_000)).toBeLessThan(200)
})

test('many calls of one key fill the servers no further than the bound', () => {
  const all = ['a', 'b', 'c', 'd'].map(idle)
  for (let i = 0; i < 400; i += 1) {
    const chosen = all.find((one) => one.id === route('one thread', 100, all))
    if (chosen) chosen.load += 100
  }
  const total = all.reduce((sum, one) => sum + one.load, 0)
  for (const { load } of all) expect(load).toBeLessThanOrEqual((1.25 * total) / 4 + 100)
})

test('a server that warms up takes its smaller share', () => {
  const all = [idle('a'), { ...idle('b'), share: 0.2 }]
  for (let i = 0; i < 600; i += 1) {
    const chosen = all.find((one) => one.id === route(`key ${i}`, 10, all))
    if (chosen) chosen.load += 10
  }
  expect(all[1]?.load).toBeLessThanOrEqual((1.25 * 6_000 * 0.2) / 1.2 + 10)
})

test('where the first is full, the less busy of the next two for its speed takes the call', () => {
  const [first, second, third] = orderFor('key', ['a', 'b', 'c'].map(idle))
  if (!first || !second || !third) throw new Error('three')
  const slow = { ...second, load: 500, speed: 10 }
  const fast = { ...third, load: 600, speed: 1_000 }
  expect(route('key', 10, [{ ...first, load: 10_000 }, slow, fast])).toBe(fast.id)
})

test('no server, no route', () => {
  expect(route('key', 1, [])).toBeUndefined()
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { simulate } from '../../src/core/simulate.ts'
import {
  batchedTokens,
  erlangB,
  erlangC,
  expectWaits,
  leastPlaces,
  leastReplicas,
  serviceTimes,
  sizeOf,
  spreadOf,
  spreadOfParts,
} from '../../src/core/size.ts'

const loads = fc.record({
  rate: fc.double({ min: 0.01, max: 50, noNaN: true }),
  gapsCv2: fc.double({ min: 0, max: 9, noNaN: true }),
  work: fc.record({
    mean: fc.double({ min: 0.05, max: 30, noNaN: true }),
    cv2: fc.double({ min: 0, max: 9, noNaN: true }),
  }),
})
const farms = fc.record({
  replicas: fc.integer({ min: 1, max: 40 }),
  atOnce: fc.integer({ min: 1, max: 64 }),
  slow: fc.double({ min: 1, max: 4, noNaN: true }),
})

test('known values: Erlang B and C of tables, and a single server', () => {
  // 10 erlang on 12 places: tables of Erlang B say 0.1197, of Erlang C 0.4494.
  expect(erlangB(12, 10)).toBeCloseTo(0.1197, 4)
  expect(erlangC(12, 10)).toBeCloseTo(0.4494, 4)
  const one = { replicas: 1, atOnce: 1, slow: 1 }
  // M/M/1 waits rho / (1 - rho) service times, M/D/1 half of that, and Kingman's formula is met.
  const work = { mean: 2, cv2: 1 }
  expect(expectWaits({ rate: 0.4, gapsCv2: 1, work }, one).mean).toBeCloseTo(8)
  expect(expectWaits({ rate: 0.4, gapsCv2: 1, work: { mean: 2, cv2: 0 } }, one).mean).toBeCloseTo(4)
  expect(expectWaits({ rate: 0.4, gapsCv2: 3, work: { mean: 2, cv2: 2 } }, one).mean).toBeCloseTo(20)
})

test('another replica never makes anybody wait longer, and more calls never less', () => {
  fc.assert(
    fc.property(loads, farms, (traffic, servers) => {
      const now = expectWaits(traffic, servers)
      const more = expectWaits(traffic, { ...servers, replicas: servers.replicas + 1 })
      const busier = expectWaits({ ...traffic, rate: traffic.rate * 1.1 }, servers)
      for (const what of ['utilisation', 'waiting', 'mean', 'p95', 'left'] as const) {
        const least = 1e-9
        expect(more[what]).toBeLessThanOrEqual(now[what] * (1 + least))
        expect(busier[what]).toBeGreaterThanOrEqual(now[what] * (1 - least))
      }
    }),
  )
})

test('calls that never vary do not wait while there is room', () => {
  const traffic = { rate: 0.01, gapsCv2: 0, work: { mean: 0.05, cv2: 0 } }
  expect(expectWaits(traffic, { replicas: 1, atOnce: 400, slow: 1 })).toMatchObject({ mean: 0, p95: 0 })
})

test('where more comes than can be done nothing is promised', () => {
  fc.assert(
    fc.property(loads, farms, (traffic, servers) => {
      const { utilisation, mean, p95 } = expectWaits(traffic, servers)
      expect(mean === Number.POSITIVE_INFINITY).toBe(utilisation >= 1)
      expect(p95 === Number.POSITIVE_INFINITY).toBe(utilisation >= 1)
    }),
  )
  const goal = { traffic: { rate: 2, gapsCv2: 1, work: { mean: 1, cv2: 1 } }, atOnce: 1, slow: 1 }
  const full = sizeOf({ ...goal, waitS: 100, calls: 1_000, seed: 1 }, 2)
  expect(full).toMatchObject({ holds: false, expected: { utilisation: 1 } })
  expect(full.played).toBeUndefined()
  expect(leastReplicas({ ...goal, atOnce: 1, waitS: 1, calls: 1_000, seed: 1, slow: 1_000 })).toBeUndefined()
})

test('N is the fewest that hold the goal, and one less does not', () => {
  const cases = fc.record({
    rate: fc.double({ min: 0.1, max: 10, noNaN: true }),
    waitS: fc.constantFrom(0.1, 1, 5),
  })
  fc.assert(
    fc.property(cases, ({ rate, waitS }) => {
      const traffic = { rate, gapsCv2: 1.5, work: { mean: 3, cv2: 0.8 } }
      const goal = { traffic, atOnce: 8, slow: 1, waitS, calls: 20_000, seed: 1 }
      const least = leastReplicas(goal)
      expect(least?.holds).toBe(true)
      const replicas = least?.replicas ?? 0
      if (replicas > 1) expect(sizeOf(goal, replicas - 1).holds).toBe(false)
    }),
    { numRuns: 20 },
  )
}, 120_000)

test('the simulation knows constant, bursty and turned-away calls, and slow full replicas', () => {
  const play = (cv2: number, leaves = false, slow = 1) => {
    const traffic = { rate: 0.7, gapsCv2: 1, work: { mean: 1, cv2 } }
    const servers = { replicas: 1, atOnce: leaves || slow > 1 ? 2 : 1, slow }
    return {
      theory: expectWaits(traffic, servers),
      played: simulate(traffic, servers, { calls: 600_000, seed: 3, leaves }),
    }
  }
  // Pollaczek and Khinchine: exact where calls come by chance.
  for (const cv2 of [0, 0.25, 3]) {
    const { theory, played } = play(cv2)
    expect(Math.abs(played.mean / theory.mean - 1)).toBeLessThan(0.05)
  }
  // Erlang B holds whatever the times of calls are.
  for (const cv2 of [0, 1, 3]) {
    const { theory, played } = play(cv2, true)
    expect(Math.abs(played.left / theory.left - 1)).toBeLessThan(0.03)
  }
  const { theory, played } = play(1, false, 2)
  expect(played.mean).toBeLessThan(theory.mean)
  expect(
    simulate(
      { rate: 0.7, gapsCv2: 1, work: { mean: 1, cv2: 1 } },
      { replicas: 1, atOnce: 2, slow: 1 },
      { calls: 600_000, seed: 3 },
    ).mean,
  ).toBeLessThan(played.mean)
}, 120_000)

test('the same seed plays the same hour, another one another', () => {
  const traffic = { rate: 3, gapsCv2: 2, work: { mean: 1, cv2: 0.5 } }
  const servers = { replicas: 2, atOnce: 2, slow: 1.5 }
  const play = (seed: number) => simulate(traffic, servers, { calls: 5_000, seed })
  expect(play(1)).toEqual(play(1))
  expect(play(1)).not.toEqual(play(2))
})

test('histograms become times of calls', () => {
  const bars = [
    { tokens: 100, weight: 3 },
    { tokens: 500, weight: 1 },
  ]
  const values = serviceTimes([{ tokens: 1_000, weight: 1 }], bars, { read: 1_000, write: 100 })
  expect(values).toHaveLength(1_000)
  expect(values.filter((value) => value === 2)).toHaveLength(750)
  const { mean, cv2 } = spreadOf(values)
  expect(mean).toBeCloseTo(3)
  expect(cv2).toBeCloseTo(3 / 9)
  expect(spreadOfParts([1, 2, 3], 4)).toMatchObject({ mean: 4, values: [1, 2, 9] })
})

test('places and batches are rounded up to what is enough', () => {
  expect(leastPlaces(0)).toBe(1)
  expect(erlangC(leastPlaces(20), 20)).toBeLessThanOrEqual(0.05)
  expect(erlangC(leastPlaces(20) - 1, 20)).toBeGreaterThan(0.05)
  expect([batchedTokens(16, 100), batchedTokens(64, 6_000), batchedTokens(64, 90_000)]).toEqual([
    2_048, 8_192, 16_384,
  ])
})

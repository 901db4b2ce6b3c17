import { expect, test } from 'vitest'
import { simulate, type Traffic } from '../../src/core/simulate.ts'
import { expectWaits } from '../../src/core/size.ts'

const chance = (rate: number): Traffic => ({ rate, gapsCv2: 1, work: { mean: 1, cv2: 1 } })

/** The fuller the servers, the longer it takes until a mean wait is known: 4 million calls at 90 % leave about 1 %. */
test.each([
  [1, 0.5, 1],
  [1, 0.8, 2],
  [2, 0.7, 1],
  [4, 0.8, 4],
  [8, 0.85, 4],
  [20, 0.9, 4],
])(
  'M/M/%i at %d of its capacity waits as theory says, within 3 %%',
  (k, utilisation, millions) => {
    const traffic = chance(k * utilisation)
    const servers = { replicas: 1, atOnce: k, slow: 1 }
    const theory = expectWaits(traffic, servers)
    const played = simulate(traffic, servers, { calls: millions * 1_000_000, seed: 1 })
    for (const what of ['utilisation', 'waiting', 'mean', 'p95'] as const)
      expect(Math.abs(played[what] / theory[what] - 1), what).toBeLessThan(0.03)
  },
  600_000,
)

test('places wait the same on one replica and on many, where load does not slow calls down', () => {
  const play = (replicas: number, atOnce: number) =>
    simulate(chance(9.6), { replicas, atOnce, slow: 1 }, { calls: 100_000, seed: 1 })
  const one = play(1, 12)
  for (const [replicas, atOnce] of [
    [12, 1],
    [3, 4],
  ] as const) {
    const many = play(replicas, atOnce)
    for (const what of ['utilisation', 'waiting', 'mean', 'p95'] as const)
      expect(many[what]).toBeCloseTo(one[what], 6)
  }
}, 120_000)

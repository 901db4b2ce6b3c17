import { expect, test } from 'vitest'
import { simulate, type Traffic } from '../../src/core/simulate.ts'
import { expectWaits } from '../../src/core/size.ts'

const chance = (rate: number): Traffic => ({ rate, gapsCv2: 1, work: { mean: 1, cv2: 1 } })

test.each([
  [1, 0.5],
  [1, 0.8],
  [2, 0.7],
  [4, 0.8],
  [8, 0.85],
  [20, 0.9],
])(
  'M/M/%i at %d of its capacity waits as theory says, within 3 %%',
  (k, utilisation) => {
    const traffic = chance(k * utilisation)
    for (const servers of [
      { replicas: 1, atOnce: k, slow: 1 },
      { replicas: k, atOnce: 1, slow: 1 },
    ]) {
      const theory = expectWaits(traffic, servers)
      const played = simulate(traffic, servers, { calls: 1_000_000, seed: 1 })
      for (const what of ['utilisation', 'waiting', 'mean', 'p95'] as const)
        expect(Math.abs(played[what] / theory[what] - 1), what).toBeLessThan(0.03)
    }
  },
  300_000,
)

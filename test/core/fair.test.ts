import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  chooseTurns,
  expectedWait,
  type FairLane,
  Fairness,
  LANE_WEIGHTS,
  type Line,
  tellPlace,
  weightOf,
} from '../../src/core/fair.ts'

type Job = { person: string; lane: FairLane; tokens: number; weight: number; n: number }
type Flow = { lane: FairLane; person: string; weight: number; tokens: number[] }

/** The line, window after window of `places`, kept as the store keeps it, until nobody waits. */
function serve(flows: readonly Flow[], places: number) {
  const kept = new Map<string, number>()
  const clocks = new Map<string, number>()
  const left = flows.map((flow) => ({
    ...flow,
    jobs: flow.tokens.map((tokens, n): Job => ({ ...flow, tokens, n })),
  }))
  const served: Job[] = []
  const times: number[][] = []
  const keep = (map: Map<string, number>, key: string, value: number) =>
    map.set(key, Math.max(map.get(key) ?? 0, value))
  while (left.some(({ jobs }) => jobs.length > 0)) {
    const lanes = (Object.keys(LANE_WEIGHTS) as FairLane[])
      .map((lane) => ({
        ...{ lane, clock: clocks.get(lane) ?? 0, finish: kept.get(lane) ?? 0 },
        people: left
          .filter((flow) => flow.lane === lane && flow.jobs.length > 0)
          .map(({ person, jobs }) => ({
            ...{ person, finish: kept.get(`${lane} ${person}`) ?? 0 },
            jobs: jobs.slice(0, places + 1),
          })),
      }))
      .filter(({ people }) => people.length > 0)
    const line: Line<Job> = { clock: clocks.get('') ?? 0, lanes }
    const { turns } = chooseTurns(line, places, (job) => job)
    for (const turn of turns) {
      served.push(turn.job)
      const flow = left.find((one) => one.lane === turn.lane && one.person === turn.person)
      expect(flow?.jobs.shift()).toBe(turn.job)
      keep(kept, `${turn.lane} ${turn.person}`, turn.start + turn.charge)
      keep(kept, turn.lane, turn.laneStart + turn.laneCharge)
      keep(clocks, turn.lane, turn.start)
      keep(clocks, '', turn.laneStart)
      times.push([turn.laneStart])
    }
    expect(turns).toHaveLength(Math.min(places, turns.length + left.flatMap((one) => one.jobs).length))
  }
  return { served, times: times.flat() }
}

const flows = fc.uniqueArray(
  fc.record({
    lane: fc.constantFrom(...(Object.keys(LANE_WEIGHTS) as FairLane[])),
    person: fc.constantFrom('a', 'b', 'c', 'd'),
    weight: fc.constantFrom(0.5, 1, 2, 5),
    tokens: fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 40 }),
  }),
  { selector: ({ lane, person }) => `${lane} ${person}`, minLength: 1 },
)

test('everything is served once, in each person’s order, no place is left empty, and time never goes back', () => {
  fc.assert(
    fc.property(flows, fc.integer({ min: 1, max: 12 }), (waiting, places) => {
      const { served, times } = serve(waiting, places)
      expect(served).toHaveLength(waiting.flatMap(({ tokens }) => tokens).length)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
    }),
  )
})

test('two who wait in one lane never drift apart by more than one job of each, by weight', () => {
  fc.assert(
    fc.property(flows, fc.integer({ min: 1, max: 12 }), (all, places) => {
      const waiting = all.map((flow) => ({ ...flow, lane: 'interactive' as const }))
      const people = [...new Map(waiting.map((flow) => [flow.person, flow])).values()]
      const { served } = serve(people, places)
      for (const one of people)
        for (const other of people) {
          if (one === other) continue
          const most = (flow: Flow) => Math.max(...flow.tokens) / flow.weight
          const done = { [one.person]: 0, [other.person]: 0 }
          const left = { [one.person]: one.tokens.length, [other.person]: other.tokens.length }
          for (const job of served) {
            if (!(job.person in done)) continue
            if (Object.values(left).includes(0)) break
            done[job.person] = (done[job.person] ?? 0) + job.tokens / job.weight
            left[job.person] = (left[job.person] ?? 0) - 1
            const apart = Math.abs((done[one.person] ?? 0) - (done[other.person] ?? 0))
            expect(apart).toBeLessThanOrEqual(most(one) + most(other) + 1e-6)
          }
        }
    }),
  )
})

test('whoever comes new waits for at most one job of each other person, however much these have waiting', () => {
  const busy = { lane: 'interactive' as const, person: 'busy', weight: 1, tokens: Array(5000).fill(100) }
  const small = Array.from({ length: 50 }, (_, i) => ({ ...busy, person: `small${i}`, tokens: [100] }))
  const { served } = serve([busy, ...small], 12)
  const last = served.findLastIndex(({ person }) => person !== 'busy')
  expect(last).toBeLessThanOrEqual(51)
})

test('lower lanes wait for higher ones, and get their share all the same', () => {
  const flow = { person: 'a', weight: 1, tokens: Array(400).fill(100) }
  const { served } = serve(
    (Object.keys(LANE_WEIGHTS) as FairLane[]).map((lane) => ({ ...flow, lane })),
    8,
  )
  const first = Object.groupBy(served.slice(0, 200), ({ lane }) => lane)
  expect(first.interactive?.length).toBeGreaterThan(155)
  expect(first.long?.length).toBeGreaterThan(25)
  expect(first.background?.length).toBeGreaterThan(7)
})

test('where nobody is left waiting nothing is held against anybody', () => {
  const lane = { lane: 'interactive' as const, clock: 5, finish: 0 }
  const line = { clock: 0, lanes: [{ ...lane, people: [{ person: 'a', finish: 9, jobs: ['x', 'y'] }] }] }
  const one = { tokens: 100, weight: 1 }
  expect(chooseTurns(line, 5, () => one)).toMatchObject({
    turns: [{ charge: 0, laneCharge: 0 }, { charge: 0 }],
    drained: ['interactive'],
    all: true,
  })
  expect(chooseTurns(line, 1, () => one)).toMatchObject({ turns: [{ start: 9, charge: 100 }], drained: [] })
})

test('a person’s own weight comes before that of their teams; an agent’s is multiplied', () => {
  const fairness = Fairness.parse({ users: { U1: 0.5 }, teams: { S1: 2, S2: 3 }, agents: { slow: 0.1 } })
  expect(weightOf(fairness, { person: 'U1', teams: ['S1'], agent: 'quorum' })).toBe(0.5)
  expect(weightOf(fairness, { person: 'U2', teams: ['S1', 'S2', 'S3'], agent: 'quorum' })).toBe(3)
  expect(weightOf(fairness, { person: 'U2', teams: [], agent: 'slow' })).toBe(0.1)
  expect(Fairness.safeParse({ users: { U1: 0 } }).success).toBe(false)
  expect(Fairness.safeParse({ people: {} }).success).toBe(false)
})

test.each([
  [1, 4_000, 'Waiting: 1st in line, about 10 s'],
  [2, 33_000, 'Waiting: 2nd in line, about 40 s'],
  [7, 91_000, 'Waiting: 7th in line, about 2 min'],
  [11, 6_000_000, 'Waiting: 11th in line, about 2 h'],
  [23, undefined, 'Waiting: 23rd in line'],
])('the %ith in line that waits %s ms is told: %s', (place, ms, told) => {
  expect(tellPlace(place, ms)).toBe(told)
})

test('what is ahead is served by all slots at once', () => {
  expect(expectedWait(40, 8, 1000)).toBe(4125)
  expect(expectedWait(0, 8, 1000)).toBe(125)
  expect(expectedWait(40, 8, undefined)).toBeUndefined()
  expect(expectedWait(40, 0, 1000)).toBeUndefined()
})

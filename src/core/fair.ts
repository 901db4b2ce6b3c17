/**
 * Whose turn it is: start-time fair queueing in two levels, lanes and the people in them. Pure.
 *
 * Every job costs tokens. A lane and a person each have a finish: the virtual time at which what they were given is
 * paid for. Next is whoever starts first, `max(clock, finish)`; the clock is the start of the latest job. So whoever
 * asks rarely starts at the clock, before somebody with much waiting, and nobody waits for more than their share.
 * Goyal, Vin, Cheng: Start-time Fair Queueing (1996).
 */
import { z } from 'zod'

const weight = z.number('a weight such as 2 or 0.5').min(0.01).max(100)

/** `fairness` of budgets.yaml: how much of what is scarce somebody gets beside others who wait. 1 where nothing is said. */
export const Fairness = z.strictObject({
  users: z.record(z.string().regex(/^[UW][A-Z0-9]+$/, 'a Slack user id'), weight).default({}),
  teams: z.record(z.string().regex(/^S[A-Z0-9]+$/, 'a Slack user group id (S…)'), weight).default({}),
  agents: z.record(z.string(), weight).default({}),
})
export type Fairness = z.infer<typeof Fairness>

/** The weight of a job: its person's own, else the greatest of their teams, times that of the agent. */
export function weightOf(
  { users, teams, agents }: Fairness,
  of: { person: string; teams: readonly string[]; agent: string },
): number {
  const inTeams = of.teams.flatMap((team) => teams[team] ?? [])
  const own = users[of.person] ?? (inTeams.length > 0 ? Math.max(...inTeams) : 1)
  return own * (agents[of.agent] ?? 1)
}

/** Who goes first where several wait; the share of the places that each then gets, so that none starves. */
export const LANE_WEIGHTS = { interactive: 16, long: 3, background: 1 } as const
export type FairLane = keyof typeof LANE_WEIGHTS

/** What waits, as far as it is known: everybody's jobs in their own order, in which they are given out. */
export type Line<J> = { clock: number; lanes: LaneLine<J>[] }
type LaneLine<J> = { lane: FairLane; clock: number; finish: number; people: PersonLine<J>[] }
type PersonLine<J> = { person: string; finish: number; jobs: readonly J[] }

/**
 * One job whose turn it is. `start` and `charge` are its person's in the lane's time, `laneStart` and `laneCharge` its
 * lane's; a charge of 0 means that nobody else waited, and then nothing is held against anybody.
 */
export type Turn<J> = {
  job: J
  lane: FairLane
  person: string
  start: number
  charge: number
  laneStart: number
  laneCharge: number
}
/** `drained`: lanes in which nobody is left waiting; `all` where that is so for every lane. */
export type Turns<J> = { turns: Turn<J>[]; drained: FairLane[]; all: boolean }

/**
 * The next jobs, at most `places`, in order. `costOf`: what a job costs its lane in tokens, and by what its person's
 * cost is divided. Of two who start at once it is the one that comes first in the line.
 */
export function chooseTurns<J>(
  line: Line<J>,
  places: number,
  costOf: (job: J) => { tokens: number; weight: number },
): Turns<J> {
  let { clock } = line
  const lanes = line.lanes.map((lane) => ({
    ...lane,
    people: lane.people.map((person) => ({ ...person, next: 0 })),
  }))
  const turns: Turn<J>[] = []
  const waiting = (lane: (typeof lanes)[number]) => lane.people.filter((p) => p.next < p.jobs.length)
  while (turns.length < places) {
    const lane = firstToStart(
      lanes.filter((one) => waiting(one).length > 0),
      clock,
    )
    const person = lane && firstToStart(waiting(lane), lane.clock)
    if (!person) break
    const job = person.jobs[person.next++] as J
    const { tokens, weight } = costOf(job)
    const laneCharge = tokens / LANE_WEIGHTS[lane.lane]
    const charge = tokens / weight
    clock = Math.max(clock, lane.finish)
    lane.clock = Math.max(lane.clock, person.finish)
    turns.push({
      ...{ job, lane: lane.lane, person: person.person, start: lane.clock, charge },
      ...{ laneStart: clock, laneCharge },
    })
    lane.finish = clock + laneCharge
    person.finish = lane.clock + charge
  }
  const drained = lanes.filter((lane) => waiting(lane).length === 0).map(({ lane }) => lane)
  const all = drained.length === lanes.length
  for (const turn of turns) {
    if (drained.includes(turn.lane)) turn.charge = 0
    if (all) turn.laneCharge = 0
  }
  return { turns, drained, all }
}

function firstToStart<F extends { finish: number }>(flows: readonly F[], clock: number): F | undefined {
  let first: F | undefined
  for (const flow of flows)
    if (!first || Math.max(clock, flow.finish) < Math.max(clock, first.finish)) first = flow
  return first
}

/**
 * When the job with `ahead` others before it begins, in ms: they are served `slots` at a time and take `ms` each in
 * the mean. Undefined where nothing was measured yet.
 */
export function expectedWait(ahead: number, slots: number, ms: number | undefined): number | undefined {
  if (ms === undefined || slots <= 0) return undefined
  return (Math.max(1, ahead - slots + 1) / slots) * ms
}

/** A place in the line as the thread is told: `Waiting: 7th in line, about 40 s`. */
export function tellPlace(place: number, waitMs: number | undefined): string {
  const about = waitMs === undefined ? '' : `, about ${tellTime(waitMs)}`
  return `Waiting: ${ordinal(place)} in line${about}`
}

/** How long something may take, no more exactly than an estimate is. */
export function tellTime(ms: number): string {
  const seconds = ms / 1000
  if (seconds <= 10) return '10 s'
  if (seconds <= 90) return `${Math.ceil(seconds / 10) * 10} s`
  return seconds <= 5_400 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3_600)} h`
}

function ordinal(n: number): string {
  const tail = n % 100 >= 11 && n % 100 <= 13 ? 0 : n % 10
  return `${n}${['th', 'st', 'nd', 'rd'][tail] ?? 'th'}`
}

/** Waiting for a worker: whose questions weigh how much, and what their threads are told. */
import { chooseTurns, expectedWait, type Fairness, tellPlace, weightOf } from '../core/fair.ts'
import { claimPlaces, hasBegun, isLineLong, readLine, readRoom } from '../store/line.ts'
import { readRun, readSteps } from '../store/runs.ts'
import { type Repeating, repeat } from './repeat.ts'
import { showInLine, type ThreadContext } from './thread.ts'

export type LineContext = Pick<ThreadContext, 'pool' | 'log'> & {
  workspace: string
  speak: Pick<ThreadContext['speak'], 'post' | 'find' | 'update' | 'streams'>
  weigh: Weigh
}

/** Threads told at a time, and how far down the line. */
const MOST_TOLD = 5
const DEEPEST = 300

/** Tells some of those who have waited for a while, and were not told lately, of their place and of about how long. */
export async function tellPlaces(context: LineContext): Promise<void> {
  const { pool, workspace, weigh } = context
  if (!(await isLineLong(pool, workspace))) return
  const line = await readLine(pool, workspace, DEEPEST)
  const costOf = (job: { tokens: number; person: string; agent: string }) => ({
    tokens: job.tokens,
    weight: weigh(job),
  })
  const { turns } = chooseTurns(line, DEEPEST, costOf)
  const places = turns.map(({ job }, i) => ({ run: job.run, place: i + 1 }))
  const room = await readRoom(pool, workspace)
  for (const { run, place } of await claimPlaces(pool, workspace, places, MOST_TOLD)) {
    const wait = expectedWait(room.underWay + place - 1, room.slots, room.ms)
    await tellOne(context, run, tellPlace(place, wait))
  }
}

async function tellOne(context: LineContext, id: string, sentence: string): Promise<void> {
  const run = await readRun(context.pool, id)
  if (!run?.active || run.reply) return
  const begun = () => hasBegun(context.pool, id)
  await showInLine(context, run, sentence, { begun, reread: () => readSteps(context.pool, id) })
}

export type Weigh = (of: { person: string; agent: string }) => number

/** Who is in which user group is looked up this often, in ms. */
const TEAMS_MS = 60_000

/** Weights of `fairness`. Members of its teams are read in the background; until then a team counts for nobody. */
export function openWeights(
  fairness: Fairness,
  members: (team: string) => Promise<string[]>,
  log: Parameters<typeof repeat>[2],
): { weigh: Weigh; close(): Promise<void> } {
  let teamsOf = new Map<string, string[]>()
  const names = Object.keys(fairness.teams)
  const reading: Repeating = repeat(
    TEAMS_MS,
    async () => {
      const read = new Map<string, string[]>()
      for (const team of names)
        for (const person of await members(team)) read.set(person, [...(read.get(person) ?? []), team])
      teamsOf = read
    },
    log,
  )
  if (names.length > 0) reading.poke()
  return {
    weigh: ({ person, agent }) => weightOf(fairness, { person, agent, teams: teamsOf.get(person) ?? [] }),
    close: () => reading.close(),
  }
}

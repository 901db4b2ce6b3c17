/**
 * Processes of the product die at random moments while people ask, approve and deny, and the queue is wiped once
 * in the middle: every question is answered, no tool works twice, and what no process can know a person is asked.
 *
 * CRASH_RUNS sets how many questions are asked, CRASH_SEED repeats the chances of an earlier time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { Workspace } from '../../src/demo/workspace/open.ts'
import { type Audit, audit, countOpen } from '../support/crash-audit.ts'
import { askCase, type Case, watchCards } from '../support/crash-cases.ts'
import { openDeployment } from '../support/deployment.ts'
import type { Fleet } from '../support/fleet.ts'
import { openRandom, type Random } from '../support/random.ts'
import { until } from '../support/stage.ts'

const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000)
const runs = Number(process.env.CRASH_RUNS ?? 200)

/** Between two questions, and between two kills, in milliseconds. */
const ASK = [50, 350] as const
const KILL = [500, 1500] as const
/** What a killed worker held is free after 15 s, and so are wake-ups that were lost with it. */
const SETTLE_MS = 240_000

const posts = [['start', '--only', 'slack'], ['start', '--only', 'slack'], ['worker'], ['worker']]

test(
  `${runs} runs while processes are killed (CRASH_SEED=${seed})`,
  async () => {
    const random = openRandom(seed)
    await using deployment = await openDeployment(posts, seed, random)
    const { workspace, pool, fleet, effects, queueUrl, team } = deployment

    const begun = Date.now()
    const cases: Case[] = []
    const people = watchCards(workspace, cases, effects)
    const storm = startStorm(fleet, workspace, random)
    for (let n = 1; n <= runs; n++) {
      cases.push(await askCase(workspace, random, n))
      if (n === Math.ceil(runs / 2)) await wipe(queueUrl, team)
      await sleep(random.between(...ASK))
    }
    await storm.end()
    const stormMs = Date.now() - begun

    let found: Audit = { wrong: ['nothing was looked at'], calls: {} }
    const look = async () => {
      if ((await countOpen(pool)) > 0) return false
      found = await audit(pool, workspace, cases, effects)
      return found.wrong.length === 0
    }
    await until(look, SETTLE_MS).catch(look)
    const settledMs = Date.now() - begun - stormMs
    await people.stop()
    const retiring = Date.now()
    const codes = await fleet.retire()
    const retiredMs = Date.now() - retiring
    found = await audit(pool, workspace, cases, effects)
    const took = {
      stormMs,
      settledMs,
      retiredMs,
      kills: fleet.kills(),
      pressed: people.pressed(),
    }
    console.log(JSON.stringify({ seed, runs, ...took, ...found.calls, wrong: found.wrong.length }))
    if (process.env.CRASH_LOG) console.log(fleet.log())

    expect(found.wrong).toEqual([])
    expect(fleet.fallen()).toEqual([])
    expect(codes).toEqual(posts.map(() => 0))
  },
  SETTLE_MS + 300_000 + runs * 1_000,
)

/** Kills somebody every now and then; every other time just when Slack has heard something of one of them. */
function startStorm(fleet: Fleet, workspace: Workspace, random: Random): { end(): Promise<void> } {
  let over = false
  const blowing = (async () => {
    for (let turn = 0; !over; turn++) {
      await sleep(random.between(...KILL))
      const called = workspace.calls.length
      if (turn % 2) await workspace.until(() => workspace.calls.length > called, 1000).catch(() => undefined)
      fleet.strike()
    }
  })()
  return {
    end() {
      over = true
      return blowing
    },
  }
}

/** Takes everything of the workspace out of the queue's server at one moment, as a wipe would. */
async function wipe(url: string, team: string): Promise<void> {
  const redis = new Redis(url)
  const script = `for _, key in ipairs(redis.call('keys', ARGV[1])) do redis.call('del', key) end`
  await redis.eval(script, 0, `*${team}*`)
  redis.disconnect()
}

/**
 * Processes of the product die at random moments while people ask, approve and deny, and the queue is wiped once
 * in the middle: every question is answered, no tool works twice, and what no process can know a person is asked.
 *
 * CRASH_RUNS sets how many questions are asked, CRASH_SEED repeats the chances of an earlier time.
 */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import pg from 'pg'
import { expect, test } from 'vitest'
import { ToolServer } from '../../src/core/home.ts'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { type Audit, audit, countOpen } from '../support/crash-audit.ts'
import { askCase, type Case, caseModel, policy, watchCards } from '../support/crash-cases.ts'
import { type Fleet, openFleet } from '../support/fleet.ts'
import { makeHome } from '../support/home.ts'
import { openModelServer } from '../support/model-server.ts'
import { openTestQueueServer } from '../support/queue.ts'
import { openRandom, type Random } from '../support/random.ts'
import { until } from '../support/stage.ts'
import { openTestDatabaseServer } from '../support/store.ts'
import { acceptAll } from '../support/tools.ts'

const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000)
const runs = Number(process.env.CRASH_RUNS ?? 200)

/** Between two questions, and between two kills, in milliseconds. */
const ASK = [50, 350] as const
const KILL = [500, 1500] as const
/** What a killed worker held is free after 15 s, and so are wake-ups that were lost with it. */
const SETTLE_MS = 60_000

const posts = [['start', '--only', 'slack'], ['start', '--only', 'slack'], ['worker'], ['worker']]

test(
  `${runs} runs while processes are killed (CRASH_SEED=${seed})`,
  async () => {
    const random = openRandom(seed)
    const team = { id: `T${seed}`, name: 'Storm' }
    await using database = await openTestDatabaseServer()
    await using queue = await openTestQueueServer()
    await using workspace = await openWorkspace({ team })
    await using model = await openModelServer(caseModel(seed))
    await using home = await makeHome(await homeFiles(model.url))
    await using store = new AsyncDisposableStack()
    const pool = store.adopt(new pg.Pool({ connectionString: database.url, max: 2 }), (it) => it.end())
    const env = {
      SLACK_BOT_TOKEN: workspace.botToken,
      SLACK_APP_TOKEN: workspace.appToken,
      SLACK_API_URL: workspace.apiUrl,
      DATABASE_URL: database.url,
      REDIS_URL: queue.url,
      QUORUM_HOME: home.dir,
      PORT: '0',
      LOG_LEVEL: process.env.CRASH_LOG ?? 'warn',
    }
    await using fleet = openFleet(posts, { cwd: home.dir, env, random })
    await workspace.until(() => workspace.connections() > 0, 30_000)

    const begun = Date.now()
    const cases: Case[] = []
    const effects = path.join(home.dir, 'effects')
    const people = watchCards(workspace, cases, effects)
    const storm = startStorm(fleet, workspace, random)
    for (let n = 1; n <= runs; n++) {
      cases.push(await askCase(workspace, random, n))
      if (n === Math.ceil(runs / 2)) await wipe(queue.url, team.id)
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
  SETTLE_MS + 60_000 + runs * 1_000,
)

async function homeFiles(url: string): Promise<Record<string, string>> {
  const script = fileURLToPath(import.meta.resolve('../support/servers/desk.ts'))
  const written = { desk: { command: process.execPath, args: [script, 'effects'] } }
  const lock = await acceptAll({ desk: ToolServer.parse(written.desk) }, written)
  return {
    'mcp.json': JSON.stringify({ mcpServers: written }),
    'tools.lock.json': JSON.stringify(lock),
    'policy.yaml': JSON.stringify({ tools: policy }),
    'models.yaml': JSON.stringify({
      pools: { main: { model: 'test', replicas: [url] } },
      embeddings: { url, model: 'test-embed', dimensions: 8 },
    }),
  }
}

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

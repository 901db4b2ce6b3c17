/**
 * Twelve processes, of which whoever comes first to a point between the press of Approve and the result on the card
 * kills itself there, before and after every statement, byte and call of Slack that a call is made of: one effect at
 * most, and never a word that is not true.
 *
 * KILL_ROUNDS sets how many die at each point, KILL_SEED repeats the chances of an earlier time.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Audit, audit, countOpen } from '../support/crash-audit.ts'
import { askCase, type Case, watchCards } from '../support/crash-cases.ts'
import { openDeployment } from '../support/deployment.ts'
import { openRandom } from '../support/random.ts'
import { until } from '../support/stage.ts'
import { makeTemporary } from '../support/temporary.ts'
import { POINTS } from '../support/workers/mortal.ts'

const rounds = Number(process.env.KILL_ROUNDS ?? 2)
const seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000)
const posts = [
  ...Array.from({ length: 2 }, () => ['start', '--only', 'slack']),
  ...Array.from({ length: 10 }, () => ['worker']),
]
/** Deaths after the claim end a call, so each needs one of its own; some calls reach their end untouched. */
const calls = rounds * (POINTS.length + 1)
const SETTLE_MS = 240_000

test(
  `${rounds} deaths at each of ${POINTS.length} points, 12 processes (KILL_SEED=${seed})`,
  async () => {
    const random = openRandom(seed)
    await using orders = await makeTemporary()
    await using deployment = await openDeployment(posts, seed, random, orders.dir)
    const { workspace, pool, fleet, effects } = deployment
    await until(async () => (await pool.query('select 1 from workers')).rowCount === 10, 180_000)
    await mkdir(path.join(orders.dir, 'obeyed'))
    const files = POINTS.flatMap((point) => Array.from({ length: rounds }, (_, i) => `${point}.${i}`))
    for (const file of files) await writeFile(path.join(orders.dir, file), '')

    const cases: Case[] = []
    const people = watchCards(workspace, cases, effects)
    for (let n = 1; n <= calls; n++) {
      cases.push(await askCase(workspace, random, n, 'booked'))
      await sleep(random.between(50, 250))
    }

    let found: Audit = { wrong: ['nothing was looked at'], calls: {} }
    const look = async () => {
      if ((await countOpen(pool)) > 0) return false
      found = await audit(pool, workspace, cases, effects)
      return found.wrong.length === 0
    }
    await until(look, SETTLE_MS).catch(look)
    await people.stop()
    const left = (await readdir(orders.dir)).filter((name) => name !== 'obeyed')
    const codes = await fleet.retire()
    console.log(JSON.stringify({ seed, kills: fleet.kills(), left, ...found.calls }))
    if (process.env.CRASH_LOG) console.log(fleet.log())

    expect(found.wrong).toEqual([])
    // At every point somebody died, as often as was asked for, and nobody anywhere else.
    expect(left).toEqual([])
    expect(fleet.kills()).toBe(files.length)
    expect(fleet.fallen()).toEqual([])
    expect(codes).toEqual(posts.map(() => 0))
  },
  SETTLE_MS + 480_000 + rounds * 10_000,
)

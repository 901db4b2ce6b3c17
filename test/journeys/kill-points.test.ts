/**
 * Whoever works on a call is killed at one point on its way, from the press of Approve to the result on the card, while
 * eleven other processes stand by: one effect at most, and never a word that is not true.
 *
 * KILL_ROUNDS sets how many calls there are for each point, KILL_SEED repeats the chances of an earlier time.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Audit, audit, countOpen } from '../support/crash-audit.ts'
import { askCase, type Case, watchCards } from '../support/crash-cases.ts'
import { type Deployment, openDeployment } from '../support/deployment.ts'
import { openRandom } from '../support/random.ts'
import { until } from '../support/stage.ts'

const rounds = Number(process.env.KILL_ROUNDS ?? 3)
const seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000)
const posts = [['start', '--only', 'slack'], ...Array.from({ length: 11 }, () => ['worker'])]

/** What can be seen of a call from outside; each point is struck as soon as it is seen. */
type Seen = { kinds: string[]; effect: boolean; edited: boolean }
const POINTS: Record<string, (seen: Seen) => boolean> = {
  'decided, not claimed': ({ kinds }) => kinds.includes('decided'),
  'claimed, before the effect': ({ kinds }) => kinds.includes('started'),
  'after the effect, before the answer': ({ effect }) => effect,
  'answered and recorded': ({ kinds }) => kinds.includes('returned'),
  'while the card is edited': ({ edited }) => edited,
  'after the end is said': ({ kinds }) => kinds.includes('finished'),
}
const SETTLE_MS = 60_000

test(
  `${rounds} calls for each point, 12 processes (KILL_SEED=${seed})`,
  async () => {
    const random = openRandom(seed)
    await using deployment = await openDeployment(posts, seed, random)
    const { workspace, pool, fleet, effects } = deployment
    await until(async () => (await workersOf(deployment)).length === 11, 60_000)

    const cases: (Case & { point: string; struck?: string })[] = []
    const people = watchCards(workspace, cases, effects)
    const names = Object.keys(POINTS).flatMap((point) => Array.from({ length: rounds }, () => point))
    for (const [i, point] of names.entries()) {
      cases.push({ ...(await askCase(workspace, random, i + 1, 'booked')), point })
      await sleep(random.between(50, 250))
    }
    let over = false
    const striking = (async () => {
      while (!over) {
        for (const one of cases.filter((other) => !other.struck)) await strikeWhenSeen(deployment, one)
        await sleep(5)
      }
    })()

    let found: Audit = { wrong: ['nothing was looked at'], calls: {} }
    const look = async () => {
      if ((await countOpen(pool)) > 0) return false
      found = await audit(pool, workspace, cases, effects)
      return found.wrong.length === 0
    }
    await until(look, SETTLE_MS).catch(look)
    over = true
    await striking
    await people.stop()
    const codes = await fleet.retire()
    const struck = Object.groupBy(cases, (one) => `${one.point}: ${one.struck ? 'struck' : 'missed'}`)
    const counts = Object.fromEntries(Object.entries(struck).map(([key, all]) => [key, all?.length]))
    console.log(JSON.stringify({ seed, kills: fleet.kills(), ...counts, ...found.calls }))

    expect(found.wrong).toEqual([])
    expect(fleet.fallen()).toEqual([])
    expect(codes).toEqual(posts.map(() => 0))
    // A quick call may be over before it is seen; most are seen.
    expect(cases.filter((one) => one.struck).length).toBeGreaterThan(cases.length / 2)
  },
  SETTLE_MS + 120_000 + rounds * 10_000,
)

/** Kills whoever holds the lease of a call's run, once its point is seen. */
async function strikeWhenSeen(
  { pool, workspace, fleet, effects }: Deployment,
  one: Case & { point: string; struck?: string },
): Promise<void> {
  const found = await pool.query(
    `select w.pid, r.id, (select array_agg(s.kind) from steps s where s.run = r.id) as kinds
     from runs r left join workers w on w.id = r.lease_owner where r.message = $1`,
    [one.ts],
  )
  const run = found.rows[0]
  if (!run) return
  const recorded = readFileSync(effects, 'utf8').split('\n').includes(`book-${one.n}`)
  const card = workspace
    .messages(one.channel, one.ts)
    .find((m) => JSON.stringify(m.metadata ?? {}).includes('card-'))?.ts
  const edited = workspace.calls.some(({ method, args }) => method === 'chat.update' && args.ts === card)
  if (!POINTS[one.point]?.({ kinds: run.kinds, effect: recorded, edited: card !== undefined && edited }))
    return
  const over = run.kinds.includes('finished')
  // Nobody holds it just now: whoever is next will, or it is over and anybody may still be showing it.
  if (run.pid === null && !over) return
  if (run.pid === null) fleet.strike()
  else if (!fleet.strikeAt(run.pid)) return
  one.struck = run.kinds.at(-1)
}

async function workersOf({ pool }: Deployment): Promise<unknown[]> {
  return (await pool.query('select 1 from workers')).rows
}

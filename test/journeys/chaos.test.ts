/**
 * Model servers, the queue's server and workers die in turn while people ask: every thread ends with an answer or with
 * a sentence, and nobody is answered twice.
 *
 * CHAOS_SECONDS sets how long (120 is the whole of it, with 50 threads), CHAOS_SEED repeats the chances of an earlier time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, test } from 'vitest'
import { openWorkspace } from '../../src/demo/workspace/open.ts'
import { openFleet } from '../support/fleet.ts'
import { makeHome } from '../support/home.ts'
import { openModelServer } from '../support/model-server.ts'
import { openTestQueueServer, openWire } from '../support/queue.ts'
import { openRandom } from '../support/random.ts'
import { until } from '../support/stage.ts'
import { openTestDatabaseServer } from '../support/store.ts'
import { openVllm, type VllmFault } from '../support/vllm-server.ts'

const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000)
const seconds = Number(process.env.CHAOS_SECONDS ?? 12)
const threads = seconds >= 60 ? 50 : 12
/** After the last disaster everybody is left alone for so long at most. */
const SETTLE_MS = 120_000

const posts = [['start', '--only', 'slack'], ['worker'], ['worker']]
const faults: VllmFault[] = [
  'refuse',
  'stall-before',
  'stall-after',
  'cut',
  'error-chunk',
  'overloaded',
  'broken',
]
const answer = 'That is how it is done, step by step, to the very end of it.'

test(
  `${threads} threads for ${seconds} s while everything dies in turn (CHAOS_SEED=${seed})`,
  async () => {
    const random = openRandom(seed)
    await using opened = new AsyncDisposableStack()
    const database = opened.use(await openTestDatabaseServer())
    const queue = opened.use(await openTestQueueServer())
    const wire = opened.use(await openWire(queue.url))
    const workspace = opened.use(await openWorkspace({ team: { id: `T${seed}`, name: 'Storm' } }))
    const servers = await Promise.all(
      [1, 2, 3].map(() =>
        openVllm({ maxRunning: 4, prefill: 50_000, decode: 100, reply: () => ({ text: answer }) }),
      ),
    )
    for (const one of servers) opened.use(one)
    const pools = {
      main: {
        model: 'test',
        replicas: servers.map(({ url }) => url),
        timers: { firstToken: '3s', idle: '3s', total: '60s' },
      },
    }
    // Vectors come from a server that stays well: their own model takes seconds to load in every process.
    const vectors = opened.use(await openModelServer())
    const embeddings = { url: vectors.url, model: 'test-embed', dimensions: 8 }
    const home = opened.use(await makeHome({ 'models.yaml': JSON.stringify({ pools, embeddings }) }))
    const pool = opened.adopt(new pg.Pool({ connectionString: database.url, max: 2 }), (it) => it.end())
    const env = {
      SLACK_BOT_TOKEN: workspace.botToken,
      SLACK_APP_TOKEN: workspace.appToken,
      SLACK_API_URL: workspace.apiUrl,
      DATABASE_URL: database.url,
      REDIS_URL: wire.url,
      QUORUM_HOME: home.dir,
      PORT: '0',
      LOG_LEVEL: process.env.CHAOS_LOG ?? 'error',
    }
    const fleet = opened.use(openFleet(posts, { cwd: home.dir, env, random }))
    await workspace.until(() => workspace.connections() > 0, 120_000)

    const { ana } = workspace.users
    const { general } = workspace.channels
    const asked: string[] = []
    const ends = Date.now() + seconds * 1_000
    const disasters: string[] = []
    const storm = (async () => {
      for (let turn = 0; Date.now() < ends; turn += 1) {
        if (turn % 3 === 0) {
          const fault = random.pick(faults)
          disasters.push(fault)
          const one = random.pick(servers)
          await one.fail(fault)
          await sleep(random.between(500, 4_000))
          await one.fail(undefined)
        } else if (turn % 3 === 1) {
          disasters.push('worker')
          fleet.strike()
        } else {
          disasters.push('queue')
          await wire.cut()
          await sleep(random.between(200, 2_000))
          await wire.mend()
        }
        await sleep(random.between(200, 1_500))
      }
    })()
    for (let n = 0; n < threads; n += 1) {
      asked.push(await workspace.say(ana, general, `@quorum question ${n}: how is it done?`))
      await sleep((seconds * 800) / threads)
    }
    await storm

    const open = async () => (await pool.query('select count(*)::int as n from runs where active')).rows[0]?.n
    const runs = async () => (await pool.query('select count(*)::int as n from runs')).rows[0]?.n
    await until(async () => (await runs()) === threads && (await open()) === 0, SETTLE_MS).catch(
      () => undefined,
    )
    const saidIn = (ts: string) =>
      workspace.messages(general, ts).flatMap((m) => (m.user === workspace.botUser ? [m.text ?? ''] : []))
    const ended = (text: string) => text.includes(answer) || /\(run [0-9a-f]{8}\)/.test(text)
    const wrong = asked.filter((ts) => saidIn(ts).filter(ended).length !== 1)
    const answers = asked.filter((ts) => saidIn(ts).some((text) => text.includes(answer))).length
    console.log(
      JSON.stringify({
        seed,
        seconds,
        threads,
        answers,
        sentences: threads - answers - wrong.length,
        disasters,
      }),
    )
    expect(wrong.map(saidIn)).toEqual([])
    expect(await open()).toBe(0)
    expect(fleet.fallen()).toEqual([])
    const codes = await fleet.retire()
    expect(codes).toEqual(posts.map(() => 0))
  },
  SETTLE_MS + 180_000 + seconds * 3_000,
)

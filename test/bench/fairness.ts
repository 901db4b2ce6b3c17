/**
 * One person with thousands of questions beside fifty who ask one each: how long the fifty wait for a worker when they
 * are alone, when turns are given out fairly, and when the oldest question goes first (the same relay, with everything
 * asked in one name); and whether the busy one gets all that is idle. The store, queue and worker are the product's, on
 * the embedded engines; a run takes its lease, works for some ms, and ends. Flags: `--quick`, `--jobs N`.
 */
import { availableParallelism, cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { openWorker } from '../../src/agent/work.ts'
import { openQueue, type Queue } from '../../src/queue/open.ts'
import { appendSteps, takeLease } from '../../src/store/leases.ts'
import { ask } from '../support/asking.ts'
import { openTestStore } from '../support/store.ts'
import type { Report } from './run.ts'

const SMALL = 50
const SLOTS = 8
const WORK_MS = 5
/** p95 beside the busy one over p95 alone. */
const TARGET = 2

type Side = 'alone' | 'fair' | 'oldest first'
type Row = {
  side: Side
  /** From asked to begun, of the fifty, in ms. */
  p50: number
  p95: number
  /** Questions of everybody until the last one was answered, a second. */
  perSecond: number
}

export async function run(flags: string[]): Promise<Report> {
  const { values } = parseArgs({
    args: flags,
    options: { quick: { type: 'boolean', default: false }, jobs: { type: 'string', default: '5000' } },
  })
  const jobs = values.quick ? 300 : Number(values.jobs)
  const before = await measure('alone', 0)
  const fair = await measure('fair', jobs)
  const oldest = await measure('oldest first', jobs)
  const busyAlone = await measure('fair', jobs, 0)
  // What else the machine does meets both sides: once before and once after.
  const alone = mean(before, await measure('alone', 0))
  const ratio = round(fair.p95 / alone.p95)
  const kept = round(fair.perSecond / busyAlone.perSecond)
  const json = {
    bench: 'fairness',
    machine: { node: process.version, cores: availableParallelism(), cpu: cpus()[0]?.model ?? '' },
    ...{ jobs, small: SMALL, slots: SLOTS, workMs: WORK_MS },
    results: [alone, fair, oldest],
    busyAlone,
    ratio,
    kept,
    target: { ratio: TARGET, met: ratio <= TARGET },
  }
  return { json, table: tableOf(json) }
}

/** The busy one has asked everything already when the worker starts and the small ones come, one after the other. */
async function measure(side: Side, jobs: number, small = SMALL): Promise<Row> {
  await using store = await openTestStore()
  await using queue = await openQueue({})
  const { pool } = store
  const nameOf = (name: string) => (side === 'oldest first' ? 'UALL' : name)
  // The first questions of an engine are slow whoever asks them.
  await askMany(pool, 'UFIRST', 100)
  await using first = await openWorking(pool, queue)
  await first.ended(100)
  await first.close()
  await askMany(pool, nameOf('UBUSY'), jobs)
  await using working = await openWorking(pool, queue)
  const asked = new Map<string, number>()
  const from = performance.now()
  for (let i = 0; i < small; i++) {
    const at = performance.now()
    asked.set(await ask(pool, nameOf(`USMALL${i}`)), at)
    working.poke()
  }
  await working.ended(jobs + small)
  const ms = performance.now() - from
  const waits = [...asked].map(([id, at]) => (working.begun.get(id) ?? Number.NaN) - at)
  waits.sort((a, b) => a - b)
  const at = (share: number) => Math.round(waits[Math.floor(waits.length * share)] ?? 0)
  return { side, p50: at(0.5), p95: at(0.95), perSecond: Math.round(((jobs + small) * 1000) / ms) }
}

/** A worker that knows when each run began, and tells when so many have ended. */
async function openWorking(pool: pg.Pool, queue: Queue) {
  const begun = new Map<string, number>()
  const failed = Promise.withResolvers<never>()
  let count = 0
  let heard = () => {}
  const advance = async (id: string, owner: string) => {
    const taken = await takeLease(pool, id, owner, 60_000)
    if (typeof taken === 'string') return taken
    begun.set(id, performance.now())
    await sleep(WORK_MS)
    const at = new Date().toISOString()
    await appendSteps(pool, taken.lease, taken.run.n, [
      { kind: 'finished', at, outcome: 'answered', text: '' },
    ])
    count += 1
    heard()
    return 'finished' as const
  }
  const log = (level: string, message: string, fields?: object) => {
    if (level === 'error') failed.reject(new Error(`${message} ${JSON.stringify(fields)}`))
  }
  const worker = await openWorker({ pool, workspace: 'T1', queue, slots: SLOTS, advance, log })
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= worker.close(5_000)
    return closing
  }
  const ended = (many: number) => {
    const all = new Promise<void>((resolve) => {
      heard = () => count >= many && resolve()
      heard()
    })
    return Promise.race([all, failed.promise])
  }
  return { begun, poke: worker.poke, ended, close, [Symbol.asyncDispose]: close }
}

/** Many questions of one person in one statement, as `createRun` writes each. */
async function askMany(pool: pg.Pool, person: string, many: number): Promise<void> {
  await pool.query(
    `with made as (
       insert into runs (id, workspace, channel, thread, message, asker, agent, dm, n, due_at)
       select gen_random_uuid(), 'T1', 'C1', $1 || i, $1 || i, $1, 'quorum', false, 1, now()
       from generate_series(1, $2::int) i returning id
     ), begun as (
       insert into steps (run, n, kind, body) select id, 1, 'asked', jsonb_build_object('kind', 'asked', 'at',
         '2026-01-01T00:00:00.000Z', 'user', $1::text, 'text', 'A question?', 'ts', '1.0') from made
     )
     insert into wakeups (run, id, lane, workspace, person)
     select id, gen_random_uuid(), 'interactive', 'T1', $1 from made`,
    [person, many],
  )
}

function mean(one: Row, other: Row): Row {
  const of = (key: 'p50' | 'p95' | 'perSecond') => Math.round((one[key] + other[key]) / 2)
  return { side: one.side, p50: of('p50'), p95: of('p95'), perSecond: of('perSecond') }
}

const round = (value: number) => Math.round(value * 100) / 100

function tableOf(json: {
  machine: { node: string; cores: number; cpu: string }
  jobs: number
  results: readonly Row[]
  busyAlone: Row
  ratio: number
  kept: number
  target: { met: boolean }
}): string {
  const { machine, jobs, results, busyAlone, ratio, kept, target } = json
  const beside = (row: Row) =>
    row.side === 'alone' ? 'nobody' : `${jobs.toLocaleString('en-US')} questions of one`
  const turns = (row: Row) => (row.side === 'alone' ? 'fair' : row.side)
  return [
    '| beside | turns | wait of the fifty p50 / p95, ms | all answered a second |',
    '|---|---|---|---|',
    ...results.map(
      (row) => `| ${beside(row)} | ${turns(row)} | ${row.p50} / ${row.p95} | ${row.perSecond} |`,
    ),
    '',
    `The busy one without the fifty: ${busyAlone.perSecond} a second; with them everybody together has ${kept} times that.`,
    `Node ${machine.node}, ${machine.cores} cores (${machine.cpu}), embedded engines, one process, ${SLOTS} slots, ${WORK_MS} ms of work each.`,
    `Target: p95 at most ${TARGET} times that alone: ${ratio} times, ${target.met ? 'met' : 'missed'}.`,
  ].join('\n')
}

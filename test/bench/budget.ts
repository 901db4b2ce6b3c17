/**
 * Two hundred callers on one hot window: pairs of reserve and settle a second, beside how often the same database can
 * update one row for as many callers in the same way; whether anything is overdrawn; and what is left after processes
 * that hold tokens were killed. On the embedded engine, and with `--database URL` (a superuser's, of PostgreSQL with
 * pgvector) also there, by one and by four processes. Flags: `--quick`, `--database URL`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { availableParallelism, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openLedger } from '../../src/store/ledger.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import { auditOf, limitsOf, spendAtOnce } from '../support/spending.ts'
import { until } from '../support/stage.ts'
import { openTestDatabaseServer, openTestStore } from '../support/store.ts'
import { type Driven, drive } from './budget/drive.ts'
import type { Report } from './run.ts'

const CALLERS = 200
/** Pairs a second over bare updates a second. */
const TARGET = 0.5
const ENDLESS = 1_000_000_000_000
const worker = (name: string) => fileURLToPath(new URL(name, import.meta.url))

type Rate = {
  processes: number
  updates: number
  pairs: number
  ratio: number
  pairMs: { p50: number; p95: number }
}
type Checked = {
  overdrawn: number
  leftUnused: number
  killed: number
  heldWhenKilled: number
  drift: number
}
type Row = { engine: string; rates: Rate[]; checked: Checked }

export async function run(flags: string[]): Promise<Report> {
  const { values } = parseArgs({
    args: flags,
    options: { quick: { type: 'boolean', default: false }, database: { type: 'string' } },
  })
  const seconds = values.quick ? 1 : 10
  const results: Row[] = [await embedded(seconds)]
  if (values.database) {
    process.env.TEST_DATABASE_URL = values.database
    results.push(await onServer(seconds))
  }
  const rates = results.flatMap((row) => row.rates)
  const json = {
    bench: 'budget',
    machine: { node: process.version, cores: availableParallelism(), cpu: cpus()[0]?.model ?? '' },
    callers: CALLERS,
    seconds,
    results,
    target: { ratio: TARGET, met: rates.every(({ ratio }) => ratio >= TARGET) },
  }
  return { json, table: tableOf(json) }
}

async function embedded(seconds: number): Promise<Row> {
  delete process.env.TEST_DATABASE_URL
  await using store = await openTestStore()
  const rate = await rateOf(1, (mode) => drive(store, mode, { callers: CALLERS, seconds }))
  return { engine: 'embedded', rates: [rate], checked: await check() }
}

async function onServer(seconds: number): Promise<Row> {
  await using server = await openTestDatabaseServer()
  await using store = await openStore({ databaseUrl: server.url, dataDir: '' })
  const rates: Rate[] = []
  for (const processes of [1, 4]) {
    const each = { callers: CALLERS / processes, seconds }
    rates.push(
      await rateOf(processes, async (mode) => {
        const workspace = randomUUID()
        const driven = await Promise.all(
          Array.from({ length: processes }, () => driveElsewhere(server.url, mode, { ...each, workspace })),
        )
        return {
          perSecond: driven.reduce((sum, one) => sum + one.perSecond, 0),
          times: driven.flatMap((one) => one.times),
        }
      }),
    )
  }
  const { rows } = await store.pool.query<{ server_version: string }>('show server_version')
  const version = rows[0]?.server_version.split(' ')[0]
  return { engine: `PostgreSQL ${version}`, rates, checked: await check() }
}

type Mode = 'updates' | 'pairs'

/** Both in turn, twice, so that what else the machine does meets both. */
async function rateOf(processes: number, go: (mode: Mode) => Promise<Driven>): Promise<Rate> {
  const sums = { updates: 0, pairs: 0 }
  const times: number[] = []
  for (const mode of ['updates', 'pairs', 'updates', 'pairs'] as const) {
    const driven = await go(mode)
    sums[mode] += driven.perSecond / 2
    if (mode === 'pairs') times.push(...driven.times)
  }
  const [updates, pairs] = [Math.round(sums.updates), Math.round(sums.pairs)]
  return {
    processes,
    updates,
    pairs,
    ratio: Math.round((pairs / updates) * 100) / 100,
    pairMs: quantiles(times),
  }
}

async function driveElsewhere(
  url: string,
  mode: Mode,
  options: { callers: number; seconds: number; workspace: string },
): Promise<Driven> {
  const args = [url, mode, options.callers, options.seconds, options.workspace].map(String)
  const child = spawn(process.execPath, [worker('budget/drive.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  await once(child, 'close')
  return JSON.parse(out)
}

/** A budget that is far too small for the callers, and processes that are killed while they hold tokens of another. */
async function check(): Promise<Checked> {
  await using server = await openTestDatabaseServer()
  await using store = await openStore({ databaseUrl: server.url, dataDir: '' })
  const workspace = randomUUID()
  const allowed = 50_000
  await using ledger = openLedger(store.pool, { patienceMs: 60_000 })
  await spendAtOnce(ledger, { workspace, limits: limitsOf(allowed), callers: CALLERS, ms: 120_000 })
  const { used } = await auditOf(store.pool, workspace)
  const after = await killHolders(server.url, store)
  return {
    overdrawn: Math.max(0, used - allowed) + Math.max(0, after.used - after.allowed),
    leftUnused: Math.max(0, allowed - used),
    killed: after.killed,
    heldWhenKilled: after.open,
    drift: after.drift + after.held,
  }
}

async function killHolders(url: string, store: Store) {
  const workspace = randomUUID()
  const spender = worker('../support/workers/spender.ts')
  const children: ChildProcess[] = Array.from({ length: 4 }, () =>
    spawn(process.execPath, [spender, url, workspace, ...[ENDLESS, 50, 200].map(String)], {
      stdio: 'ignore',
    }),
  )
  await until(async () => (await auditOf(store.pool, workspace)).open >= 150, 60_000)
  await Promise.all(
    children.map(async (child) => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }),
  )
  const { open } = await auditOf(store.pool, workspace)
  await using ledger = openLedger(store.pool)
  await until(async () => {
    await ledger.sweep()
    return (await auditOf(store.pool, workspace)).open === 0
  }, 60_000)
  return { ...(await auditOf(store.pool, workspace)), open, killed: children.length }
}

function quantiles(values: readonly number[]): { p50: number; p95: number } {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10
  return { p50: at(0.5), p95: at(0.95) }
}

function tableOf(json: {
  machine: { node: string; cores: number; cpu: string }
  results: readonly Row[]
  target: { met: boolean }
}): string {
  const { machine, results, target } = json
  const rates = results.flatMap(({ engine, rates }) =>
    rates.map(
      (r) =>
        `| ${engine} | ${r.processes} | ${r.updates} | ${r.pairs} | ${r.ratio} | ${r.pairMs.p50} / ${r.pairMs.p95} |`,
    ),
  )
  const sum = (key: keyof Checked) => results.reduce((total, { checked }) => total + checked[key], 0)
  return [
    '| database | processes | bare updates a second | pairs a second | ratio | pair p50 / p95, ms |',
    '|---|---|---|---|---|---|',
    ...rates,
    '',
    `Overdrawn: ${sum('overdrawn')} tokens. Left after ${sum('killed')} processes were killed with ${sum('heldWhenKilled')} holds open, and swept: ${sum('drift')} tokens.`,
    `Node ${machine.node}, ${machine.cores} cores (${machine.cpu}), ${CALLERS} callers. Target: ratio of at least ${TARGET}: ${target.met ? 'met' : 'missed'}.`,
  ].join('\n')
}

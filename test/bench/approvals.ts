/**
 * Fifty people press Approve at the same time: how many decisions a second, how long from the press to the call of the
 * tool, and how long from the press to Slack's acknowledgement, alone and while a hundred runs are working. Everything
 * in this process: listener, workers, embedded engines, the local Slack. Flags: `--quick`, `--repetitions N`.
 */
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ToolServer } from '../../src/core/home.ts'
import type { Script } from '../support/model-server.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { makeTemporary } from '../support/temporary.ts'
import type { Report } from './run.ts'

/** What an acknowledgement may take at p95 while runs are working, in ms. */
const TARGET_MS = 300

type Two = { p50: number; p95: number }
type Round = { ack: number[]; call: number[]; decisions: number; ms: number; working: number }

export async function run(flags: string[]): Promise<Report> {
  const { values } = parseArgs({
    args: flags,
    options: { quick: { type: 'boolean', default: false }, repetitions: { type: 'string' } },
  })
  const people = values.quick ? 10 : 50
  const repetitions = Number(values.repetitions ?? (values.quick ? 1 : 3))
  // What is loaded and compiled once is no part of any figure.
  if (!values.quick) await measure(10, 0)
  const rows = []
  for (const working of [0, values.quick ? 10 : 100]) {
    const rounds: Round[] = []
    for (let i = 0; i < repetitions; i++) rounds.push(await measure(people, working))
    rows.push(summary(people, working, rounds))
  }
  const loaded = rows.at(-1)
  const json = {
    bench: 'approvals',
    unit: 'ms',
    machine: { node: process.version, cores: availableParallelism(), cpu: cpus()[0]?.model ?? '' },
    engines: 'PGlite on disk, embedded Valkey',
    repetitions,
    results: rows,
    target: { ackP95: TARGET_MS, met: (loaded?.ack.p95 ?? Number.POSITIVE_INFINITY) < TARGET_MS },
  }
  return { json, table: tableOf(rows, json.machine, json.target.met) }
}

/** One approval for each of `people`, all pressed at once, while `working` runs wait for their model. */
async function measure(people: number, working: number): Promise<Round> {
  await using temporary = await makeTemporary()
  const desk = fileURLToPath(import.meta.resolve('../support/servers/desk.ts'))
  const servers = {
    desk: ToolServer.parse({ command: process.execPath, args: [desk, path.join(temporary.dir, 'record')] }),
  }
  await using stage = await openStage({
    model: script,
    servers,
    policy: {
      desk__book: { decision: 'ask', approvers: ['requester'] },
      'desk__*': { limits: { at_once: 64 } },
    },
    slots: working + people,
  })
  const { workspace } = stage
  const { general } = workspace.channels
  const asked = await Promise.all(
    workspace.hire(people).map(async (user, i) => {
      const ts = await workspace.say(user, general, `@quorum book ${i}`)
      return { user, ts, card: await untilCard(stage, ts) }
    }),
  )
  for (let i = 0; i < working; i++) await workspace.say(workspace.users.ana, general, `@quorum think ${i}`)
  await until(async () => (await thinking(stage)) >= working, 60_000)

  const pressed = new Map<string, number>()
  const ack: number[] = []
  await Promise.all(
    asked.map(async ({ user, card, ts }) => {
      const at = performance.now()
      pressed.set(ts, Date.now())
      await workspace.click(user, general, card, 'approve')
      ack.push(performance.now() - at)
    }),
  )
  const busy = await thinking(stage)
  const call = await until(async () => {
    const started = await startsOf(stage)
    return started.size === people && asked.map(({ ts }) => (started.get(ts) ?? 0) - (pressed.get(ts) ?? 0))
  }, 60_000)
  return { ack, call, decisions: people, ms: Math.max(...call), working: busy }
}

/** Books, or thinks for a long while. */
const script: Script = ({ body }) => {
  const words = JSON.stringify(body.messages)
  if (body.messages.some((m) => m.role === 'tool')) return { text: 'Booked.' }
  const [, id] = /book (\d+)/.exec(words) ?? []
  if (id === undefined) return { text: Array.from({ length: 20 }, () => 'Hm. '), paceMs: 1_000 }
  return { calls: [{ id: `call-${id}`, name: 'desk__book', args: { id, before: 0, after: 0 } }] }
}

async function untilCard(stage: Stage, ts: string): Promise<string> {
  const { workspace } = stage
  const found = await workspace.until(
    () =>
      workspace
        .messages(workspace.channels.general, ts)
        .find((m) => JSON.stringify(m.blocks ?? []).includes('"approve"')),
    60_000,
  )
  return found.ts
}

/** Runs that wait for their model just now. */
async function thinking({ engines }: Stage): Promise<number> {
  const found = await engines.store.pool.query(
    `select count(*)::int as n from runs r join steps a on a.run = r.id and a.n = 1
     where r.active and r.n = 2 and r.lease_until is not null and a.body ->> 'text' like 'think%'`,
  )
  return found.rows[0].n
}

/** When the call of each question was begun: written before the first byte leaves. */
async function startsOf({ engines }: Stage): Promise<Map<string, number>> {
  const found = await engines.store.pool.query(
    `select r.message, s.body ->> 'at' as at from steps s join runs r on r.id = s.run where s.kind = 'started'`,
  )
  return new Map(found.rows.map((row) => [row.message, Date.parse(row.at)]))
}

function summary(people: number, working: number, rounds: readonly Round[]) {
  const all = (key: 'ack' | 'call') => quantiles(rounds.flatMap((round) => round[key]))
  const rates = rounds.map(({ decisions, ms }) => (decisions * 1000) / ms)
  return {
    people,
    working: Math.min(...rounds.map((round) => round.working), working),
    decisionsPerSecond: Math.round(quantiles(rates).p50),
    ack: all('ack'),
    call: all('call'),
  }
}

function quantiles(values: readonly number[]): Two {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
  return { p50: at(0.5), p95: at(0.95) }
}

function tableOf(
  rows: ReturnType<typeof summary>[],
  machine: { node: string; cores: number; cpu: string },
  met: boolean,
): string {
  return [
    '| people pressing at once | runs working | decisions a second | press to acknowledged p50 / p95, ms | press to call p50 / p95, ms |',
    '|---|---|---|---|---|',
    ...rows.map(
      (row) =>
        `| ${row.people} | ${row.working} | ${row.decisionsPerSecond} | ${row.ack.p50} / ${row.ack.p95} | ${row.call.p50} / ${row.call.p95} |`,
    ),
    '',
    `Node ${machine.node}, ${machine.cores} cores (${machine.cpu}), embedded engines, one process.`,
    `Target: acknowledged within ${TARGET_MS} ms at p95 while 100 runs are working: ${met ? 'met' : 'missed'}.`,
  ].join('\n')
}

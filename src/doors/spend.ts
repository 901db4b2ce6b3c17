/** `quorum spend --by agent --since 7d`: what was spent on models, by whom and on what. */
import { parseArgs } from 'node:util'
import { tellAmount } from '../core/budget.ts'
import { readHome } from '../home/read.ts'
import { migrate } from '../store/migrate.ts'
import { openStore } from '../store/open.ts'
import { readSpend, SPEND_BY, type SpendBy, type Spent } from '../store/spend.ts'
import type { Db } from '../store/transaction.ts'
import { openLog } from '../telemetry/log.ts'
import { readEnv } from './environment.ts'
import { print } from './print.ts'
import { readSince } from './since.ts'

const SPEND_USAGE = `quorum spend [--by ${SPEND_BY.join('|')}] [--since 7d|2026-11-01] [--workspace T…] [--json]`

type Context = { pool: Db; zone: string; print: (line: string) => void }

export async function openSpend(args: string[]): Promise<number> {
  const env = readEnv()
  const { logger } = openLog(env.LOG_LEVEL === 'info' ? 'warn' : env.LOG_LEVEL)
  const { budgets } = await readHome(env.QUORUM_HOME, process.env)
  const { DATABASE_URL: databaseUrl, QUORUM_DATA: dataDir } = env
  await using store = await openStore({ databaseUrl, dataDir, log: logger })
  await migrate(store.pool)
  return await spendDoor(args, { pool: store.pool, zone: budgets.zone, print })
}

/** Prints a table, or one line of JSON with money in millionths of a dollar. Answers the exit code. */
export async function spendDoor(args: string[], context: Context): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      by: { type: 'string', default: 'agent' },
      since: { type: 'string', default: '7d' },
      workspace: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const by = SPEND_BY.find((one) => one === values.by)
  const since = readSince(values.since)
  if (!by || !since) {
    context.print(`Usage: ${SPEND_USAGE}`)
    return 2
  }
  const { zone, pool } = context
  const rows = await readSpend(pool, { by, since, zone, workspace: values.workspace })
  if (values.json) context.print(JSON.stringify({ by, since, unit: 'microdollars', rows }))
  else for (const line of tableOf(by, rows)) context.print(line)
  return 0
}

/** What a line without a name stands for. */
const NAMELESS: Record<SpendBy, string> = {
  agent: '(knowledge)',
  channel: '(deleted, or none)',
  user: '(deleted, or none)',
  run: '(deleted, or none)',
  step: '(without an answer)',
  tool: '(answers without a tool)',
  model: '(unknown)',
  day: '(unknown)',
}

function* tableOf(by: SpendBy, rows: readonly Spent[]): Generator<string> {
  if (rows.length === 0) return yield 'Nothing was spent.'
  const sum = (key: Exclude<keyof Spent, 'what'>) => rows.reduce((total, row) => total + row[key], 0)
  // A call of several tools stands in several lines.
  const calls = by === 'tool' ? [] : [sum('calls')]
  const total = [sum('prompt'), sum('cached'), sum('completion')].map(number)
  const cells = [
    [by, 'calls', 'read', 'of it cached', 'written', 'cost'],
    ...rows.map((row) => [
      row.what || NAMELESS[by],
      ...[row.calls, row.prompt, row.cached, row.completion].map(number),
      money(row.cost),
    ]),
    ['total', calls.map(number).join(''), ...total, money(sum('cost'))],
  ]
  const widths = cells[0]?.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0))) ?? []
  for (const row of cells)
    yield row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
}

const number = (value: number) => value.toLocaleString('en-US')
const money = (micro: number) => tellAmount('dollars', micro)

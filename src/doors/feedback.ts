/** `quorum feedback`: what people thought of answers, said with a thumb or shown by what they did. */
import { parseArgs } from 'node:util'
import { CATEGORIES } from '../core/feedback.ts'
import { shortRun } from '../core/tell.ts'
import { readFeedback, type Thought } from '../store/feedback.ts'
import { migrate } from '../store/migrate.ts'
import { openStore } from '../store/open.ts'
import type { Db } from '../store/transaction.ts'
import { openLog } from '../telemetry/log.ts'
import { readEnv } from './environment.ts'
import { print } from './print.ts'
import { readSince } from './since.ts'

const FEEDBACK_USAGE = 'quorum feedback [--down] [--since 30d|2026-11-01] [--workspace T…] [--json]'

type Context = { pool: Db; print: (line: string) => void }

export async function openFeedback(args: string[]): Promise<number> {
  const { LOG_LEVEL: level, DATABASE_URL: databaseUrl, QUORUM_DATA: dataDir } = readEnv()
  const { logger } = openLog(level === 'info' ? 'warn' : level)
  await using store = await openStore({ databaseUrl, dataDir, log: logger })
  await migrate(store.pool)
  return await feedbackDoor(args, { pool: store.pool, print })
}

/** A line each, the newest first, or one line of JSON; with `--down` bad answers only. Answers the exit code. */
export async function feedbackDoor(args: string[], context: Context): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      down: { type: 'boolean', default: false },
      since: { type: 'string', default: '30d' },
      workspace: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const since = readSince(values.since)
  if (!since) {
    context.print(`Usage: ${FEEDBACK_USAGE}`)
    return 2
  }
  const signals = values.down ? ['down'] : undefined
  const rows = await readFeedback(context.pool, { workspace: values.workspace, since, signals })
  if (values.json) context.print(JSON.stringify({ since, rows }))
  else if (rows.length === 0) context.print('Nobody said or showed what they thought of an answer.')
  else for (const row of rows) context.print(tell(row))
  return 0
}

function tell({ at, signal, run, channel, person, question, category, note }: Thought): string {
  const why = category ? `: ${CATEGORIES[category] ?? category}` : ''
  const more = note ? ` (${plain(note, 300)})` : ''
  const head = `${at.toISOString().slice(0, 16).replace('T', ' ')}  ${signal.padEnd(11)}  ${shortRun(run)}  ${channel}  ${person}`
  return `${head}  “${plain(question, 80)}”${why}${more}`
}

/** On one line, without the control characters by which a text could steer the terminal. */
function plain(text: string, most: number): string {
  const flat = text
    .replace(/\s+/g, ' ')
    .replace(/\p{Cc}|\p{Cf}/gu, '')
    .trim()
  return flat.length > most ? `${flat.slice(0, most - 1)}…` : flat
}

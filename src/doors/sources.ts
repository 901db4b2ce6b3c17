/** `quorum sources [NAME] [--json]`: what is kept of each source, how fresh it is, and what went wrong. */
import { parseArgs } from 'node:util'
import type { Home } from '../core/home.ts'
import { listSources, type SourceState } from '../store/sources.ts'
import type { Db } from '../store/transaction.ts'
import { formatSkippedFor } from './ingest.ts'

type Context = {
  pool: Db
  workspace: string
  sources: Home['sources']
  print: (line: string) => void
}

export const SOURCES_USAGE = 'quorum sources [NAME] [--json]'

/** Answers the exit code: 1 where a source failed the last time, or there is none of that name. */
export async function sourcesDoor(args: string[], context: Context): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean' } },
  })
  const [wanted, ...more] = positionals
  const { print } = context
  if (more.length > 0) {
    print(`Usage: ${SOURCES_USAGE}`)
    return 2
  }
  const all = allOf(await listSources(context.pool, context.workspace), context.sources)
  const shown = wanted === undefined ? all : all.filter(({ name }) => name === wanted)
  if (values.json) print(JSON.stringify(shown))
  else if (shown.length === 0 && wanted !== undefined)
    print(
      `There is no source ${JSON.stringify(wanted)}; there are: ${all.map(({ name }) => name).join(', ') || 'none'}`,
    )
  else if (shown.length === 0) print('There is no source. Name one in sources.yaml of the home.')
  else for (const one of shown) for (const line of formatSource(one, wanted !== undefined)) print(line)
  return (wanted !== undefined && shown.length === 0) || shown.some(({ error }) => error !== undefined)
    ? 1
    : 0
}

type Shown = SourceState & { named: boolean }

/** Those of the home in its order, then what else is kept. */
function allOf(known: SourceState[], sources: Home['sources']): Shown[] {
  const nothing = { documents: 0, passages: 0, audiences: [], reading: false, skipped: [] }
  const last = { added: 0, changed: 0, removed: 0, secrets: 0 }
  const named = Object.keys(sources).map((name) => {
    const state = known.find((one) => one.name === name) ?? { name, ...nothing, last }
    return { ...state, named: true }
  })
  const others = known.filter(({ name }) => !Object.hasOwn(sources, name))
  return [...named, ...others.map((state) => ({ ...state, named: false }))]
}

/** One source in lines; `all`: everything that is known of it. */
export function formatSource(source: Shown, all: boolean, now = Date.now()): string[] {
  const { name, documents, passages, readAt, triedAt, reading, error, skipped, last, named } = source
  const count = skipped.reduce((sum, one) => sum + one.count, 0)
  const facts = [
    `${many(documents, 'document')}, ${many(passages, 'passage')}`,
    readAt ? `read ${ago(readAt, now)}` : 'not read yet',
    ...(reading ? ['being read now'] : []),
    ...(count > 0 ? [`${count} skipped`] : []),
    ...(named ? [] : ['not in sources.yaml']),
  ]
  const failed =
    error === undefined ? [] : [`  failed ${triedAt ? ago(triedAt, now) : 'the last time'}: ${error}`]
  const details = [
    ...(readAt
      ? [
          `  the last reading took ${((source.ms ?? 0) / 1000).toFixed(1)} s: ${last.added} added, ${last.changed} changed, ${last.removed} removed`,
        ]
      : []),
    ...(last.secrets > 0 ? [`  ${last.secrets} secrets found then were not stored`] : []),
    ...skipped.map(formatSkippedFor),
  ]
  return [`${name}: ${facts.join('; ')}`, ...failed, ...(all ? details : [])]
}

function many(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

const UNITS: [number, string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
]

/** `3 min ago`. */
export function ago(time: string, now: number): string {
  const ms = Math.max(0, now - Date.parse(time))
  const [unit, name] = UNITS.find(([one]) => ms >= one) ?? [1_000, 's']
  return `${Math.floor(ms / unit)} ${name} ago`
}

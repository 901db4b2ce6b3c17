/** `quorum ingest [DIR]`: reads knowledge, so that it can be recalled. */
import path from 'node:path'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { embedMissing } from '../agent/knowledge/embed.ts'
import { slackSources } from '../agent/knowledge/follower.ts'
import type { Ingested, Progress } from '../agent/knowledge/ingest.ts'
import type { Readers } from '../agent/knowledge/readers.ts'
import { groupSkipped, type Outcome, readAll, readSource } from '../agent/knowledge/upkeep.ts'
import { Fault } from '../core/fault.ts'
import { Source, type Sources } from '../core/home.ts'
import type { Embedder } from '../models/embed.ts'
import type { SkippedFor } from '../store/sources.ts'

type Context = {
  pool: pg.Pool
  /** Absent: no vectors are made. */
  embedder?: Embedder | undefined
  /** The directory of the home. */
  home: string
  git?: Readers['git']
  workspace: string
  sources: Sources['sources']
  web?: Readers['web']
  print: (line: string) => void
  /** Shows how far it is in one line that is written again and again, where there is a terminal. */
  show?: ((line: string) => void) | undefined
  signal?: AbortSignal
}

const INGEST_USAGE = 'quorum ingest [DIR [--name name] [--channel C0123] [--link https://…/{path}]]'

/**
 * Without DIR: everything in sources.yaml. With DIR: that directory, as its source of sources.yaml where it is one,
 * else under `--name` for everyone or for the readers of `--channel`. Answers the exit code.
 */
export async function ingestDoor(args: string[], context: Context): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      channel: { type: 'string', multiple: true },
      link: { type: 'string' },
    },
  })
  const [directory, ...more] = positionals
  if (more.length > 0 || (directory === undefined && Object.keys(values).length > 0)) {
    context.print(`Usage: ${INGEST_USAGE}`)
    return 2
  }
  let well: boolean
  try {
    well =
      directory === undefined
        ? await readEverything(context)
        : await readDirectory(path.resolve(directory), values, context)
  } catch (error) {
    if (!context.signal?.aborted) throw error
    context.show?.('')
    context.print('Stopped. What was read is kept; the next time goes on from there.')
    return 130
  }
  const embedded = await embed(context)
  return well && embedded ? 0 : 1
}

async function readEverything(context: Context): Promise<boolean> {
  const { forgotten, sources } = await readAll(
    telling(context),
    context.workspace,
    context.sources,
    context.signal,
  )
  if (forgotten > 0) context.print(`${forgotten} documents forgotten whose source is not in sources.yaml`)
  if (Object.keys(context.sources).length === 0)
    context.print('sources.yaml names no source; see also: quorum ingest DIR')
  for (const name of Object.keys(slackSources(context.sources)))
    context.print(`${name}: channels of Slack are followed by \`quorum start\``)
  const each = Object.entries(sources).map(([name, outcome]) => printOutcome(context, name, outcome))
  return each.every((well) => well)
}

function printOutcome({ print, show }: Context, name: string, outcome: Outcome): boolean {
  show?.('')
  if (outcome === 'busy') print(`${name}: another process is reading it just now`)
  else if (outcome instanceof Fault) print(`${name}: ${outcome.message}`)
  else for (const line of formatIngested(name, outcome)) print(line)
  return !(outcome instanceof Fault)
}

/** How often progress is shown, in ms: often in place on a terminal, seldom as lines of their own elsewhere. */
const SHOW_MS = 100
const PRINT_MS = 10_000

function telling({ print, show, ...context }: Context) {
  let told = performance.now()
  const onProgress = (progress: Progress) => {
    if (performance.now() - told < (show ? SHOW_MS : PRINT_MS)) return
    told = performance.now()
    if (show) show(formatProgress(progress))
    else print(formatProgress(progress))
  }
  return { ...context, onProgress }
}

const BAR = 24

/** `handbook  ████░░░░ 120 of 400, 3 added, 1 changed`; without the bar where nobody knows how many there are. */
export function formatProgress({ source, read, total = 0, added, changed }: Progress): string {
  const counts = `${added} added, ${changed} changed`
  if (total === 0) return `${source}  ${read} looked at, ${counts}`
  const full = Math.round((Math.min(read, total) / total) * BAR)
  return `${source}  ${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${read} of ${Math.max(read, total)}, ${counts}`
}

async function readDirectory(
  directory: string,
  values: { name?: string; channel?: string[]; link?: string },
  context: Context,
): Promise<boolean> {
  const known = Object.entries(context.sources).find(
    ([, source]) => 'directory' in source && path.resolve(context.home, source.directory) === directory,
  )
  const name = values.name ?? known?.[0] ?? nameOf(directory)
  const parsed = Source.safeParse({
    ...(values.name === undefined ? known?.[1] : {}),
    directory,
    ...(values.channel ? { audience: values.channel } : {}),
    ...(values.link === undefined ? {} : { link: values.link }),
  })
  if (!parsed.success) {
    context.print(`${parsed.error.issues.map((issue) => issue.message).join('; ')}. Usage: ${INGEST_USAGE}`)
    return false
  }
  const outcome = await readSource(telling(context), context.workspace, name, parsed.data, context.signal)
  const well = printOutcome(context, name, outcome)
  if (well && !context.sources[name])
    context.print(`${name} is not in sources.yaml: it is kept until everything in sources.yaml is read again`)
  return well
}

function nameOf(directory: string): string {
  const name = path
    .basename(directory)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
  return name.replace(/^-+|-+$/g, '').slice(0, 40) || 'files'
}

async function embed({ pool, workspace, embedder, print, signal }: Context): Promise<boolean> {
  if (!embedder) return true
  let told = 0
  try {
    const { made, refused, ms } = await embedMissing(
      { pool, workspace, embedder },
      {
        ...(signal ? { signal } : {}),
        onProgress: ({ made, total }) => {
          if (Date.now() - told < 2_000) return
          told = Date.now()
          print(`vectors: ${made} of ${total}`)
        },
      },
    )
    print(
      `${made} vectors made in ${(ms / 1000).toFixed(1)} s${refused > 0 ? `, ${refused} passages refused` : ''}`,
    )
    return true
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    print(`Words can be searched; meaning cannot: ${error.message}`)
    return false
  }
}

/** What reading a source took, in lines for a terminal: what was skipped by reason, the most frequent first. */
export function formatIngested(name: string, done: Ingested): string[] {
  const { added, changed, unchanged, removed, passages, secrets, ms } = done
  return [
    `${name}: ${added} added, ${changed} changed, ${unchanged} unchanged, ${removed} removed; ` +
      `${passages} passages written in ${(ms / 1000).toFixed(1)} s`,
    ...(secrets > 0 ? [`  ${secrets} secrets found in documents were not stored`] : []),
    ...formatSkipped(done.skipped),
  ]
}

function formatSkipped(skipped: Ingested['skipped']): string[] {
  return groupSkipped(skipped, 3).map(formatSkippedFor)
}

/** Files left out for one reason, in a line. */
export function formatSkippedFor({ why, count, examples }: SkippedFor): string {
  const more = count - examples.length
  const some = examples.map((file) => JSON.stringify(file)).join(', ')
  return `  skipped ${count}: ${why} (${some}${more > 0 ? `, and ${more} more` : ''})`
}

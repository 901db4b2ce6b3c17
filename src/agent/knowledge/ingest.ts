/** Ingest: what a source holds becomes what can be recalled. */
import { createHash } from 'node:crypto'
import path from 'node:path'
import type pg from 'pg'
import { audienceOf } from '../../core/audience.ts'
import { chunk } from '../../core/chunk.ts'
import { Fault } from '../../core/fault.ts'
import type { Source } from '../../core/home.ts'
import { type FoundFile, readDirectory, type SkippedFile } from '../../sources/directory.ts'
import { type ResourceServer, readResources } from '../../sources/resources.ts'
import {
  type DocumentRow,
  describeDocument,
  forgetOtherSources,
  listDocuments,
  putDocument,
  refreshStatistics,
  relabelSource,
  removeDocuments,
  type Shelf,
} from '../../store/documents.ts'

/** Raised when documents are read or cut differently, so that all are read again. */
const CUT = '1'

export type Ingested = {
  added: number
  /** Documents whose text, link, date or audience is another now. */
  changed: number
  unchanged: number
  removed: number
  skipped: { path: string; why: string }[]
  /** Passages written; the others stayed as they were. */
  passages: number
  ms: number
}

export type IngestContext = {
  pool: pg.Pool
  /** The directory that relative directories of sources start from. */
  home: string
  /** The resources of a tool server; absent where no tools are open. */
  resources?: ((server: string) => ResourceServer) | undefined
  /** Told after every document of a source. */
  onProgress?: (progress: { source: string; read: number; added: number; changed: number }) => void
}

/**
 * Brings what is kept of a source up to what it holds now, and answers what that took. Only what changed is
 * written, each document in a transaction of its own, so it may be ended at any time and run again, and run
 * by several at once. Words can be searched at once; `embedMissing` makes the vectors.
 *
 * A narrower audience holds before anything is read. A document that is there but cannot be read just now
 * is kept as it was.
 *
 * @throws Fault `source-unreadable` where the directory cannot be read, or where it holds no document at all
 *   though it did before (a disk that is not mounted looks like that): nothing is removed then
 */
export async function ingest(
  context: IngestContext,
  workspace: string,
  name: string,
  source: Source,
  signal?: AbortSignal,
): Promise<Ingested> {
  const { pool, onProgress } = context
  const began = performance.now()
  const shelf: Shelf = { workspace, source: name }
  const audience = audienceOf(source)
  const relabelled = await relabelSource(pool, shelf, audience)
  const kept = await listDocuments(pool, shelf)
  const done: Ingested = { added: 0, changed: 0, unchanged: 0, removed: 0, skipped: [], passages: 0, ms: 0 }
  const present = new Set<string>()
  const unsure: string[] = []
  const { place, entries } = openSource(context, source)
  for await (const entry of entries) {
    signal?.throwIfAborted()
    if ('skipped' in entry) note(entry.skipped, done, unsure)
    else {
      present.add(entry.found.path)
      await keep(pool, shelf, { source, audience, kept }, entry.found, done)
      onProgress?.({ source: name, read: present.size, added: done.added, changed: done.changed })
    }
  }
  if (relabelled > 0) {
    done.changed += done.unchanged
    done.unchanged = 0
  }
  const gone = [...kept.keys()].filter((at) => !present.has(at) && !isUnsure(at, unsure))
  if (gone.length > 0 && present.size === 0)
    throw new Fault(
      'source-unreadable',
      `${place} holds no documents now, but ${gone.length} were read from it before, and they are kept. ` +
        'If that is right, take the source out of sources.yaml.',
    )
  done.removed = gone.length === 0 ? 0 : await removeDocuments(pool, shelf, gone)
  if (done.added + done.changed + done.removed > 0) await refreshStatistics(pool)
  done.ms = Math.round(performance.now() - began)
  return done
}

/**
 * Brings everything named in sources.yaml up to date, one source after another, and forgets documents of
 * sources that are not named any more. A source that fails is told as its `Fault`; the others go on.
 */
export async function ingestAll(
  context: IngestContext,
  workspace: string,
  sources: Record<string, Source>,
  signal?: AbortSignal,
): Promise<{ forgotten: number; sources: Record<string, Ingested | Fault> }> {
  const forgotten = await forgetOtherSources(context.pool, workspace, Object.keys(sources))
  const results: Record<string, Ingested | Fault> = {}
  for (const [name, source] of Object.entries(sources)) {
    results[name] = await ingest(context, workspace, name, source, signal).catch((error) => {
      if (error instanceof Fault) return error
      throw error
    })
  }
  return { forgotten, sources: results }
}

/** What a source holds, and how it is called where it fails. */
function openSource({ home, resources }: IngestContext, source: Source) {
  if ('directory' in source) {
    const directory = path.resolve(home, source.directory)
    return { place: directory, entries: readDirectory(directory) }
  }
  const { tool_server: server } = source
  if (!resources)
    throw new Fault('source-unreadable', `The resources of ${server} are read by \`quorum start\` only.`)
  const entries = readResources(resources(server), source.resources)
  return { place: `The tool server ${server}`, entries: asFault(server, entries) }
}

/** A server that cannot be asked is a source that cannot be read. */
async function* asFault<T>(server: string, entries: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* entries
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    throw new Fault('source-unreadable', `The resources of ${server} cannot be read: ${cause.message}`, {
      cause,
    })
  }
}

/** Writes a document where it is new or has changed, and counts it. */
async function keep(
  pool: pg.Pool,
  shelf: Shelf,
  { source, audience, kept }: { source: Source; audience: string[]; kept: Map<string, DocumentRow> },
  found: FoundFile,
  done: Ingested,
): Promise<void> {
  const row = {
    path: found.path,
    hash: hashOf(found),
    audience,
    ...(found.date === undefined ? {} : { date: found.date }),
    ...(source.link === undefined ? {} : { link: linkTo(source.link, found.path) }),
  }
  const before = kept.get(found.path)
  if (before?.hash !== row.hash) {
    const document = await found.read()
    done.passages += await putDocument(pool, shelf, { ...row, title: document.title }, chunk(document))
    done[before ? 'changed' : 'added'] += 1
  } else if (before.link !== row.link || before.date !== row.date) {
    await describeDocument(pool, shelf, row)
    done.changed += 1
  } else done.unchanged += 1
}

function hashOf({ path: at, text }: FoundFile): string {
  return createHash('sha256')
    .update(JSON.stringify([CUT, at, text]))
    .digest('hex')
}

function linkTo(template: string, at: string): string {
  return template.replaceAll('{path}', () => at.split('/').map(encodeURIComponent).join('/'))
}

function note({ path: at, why, unsure }: SkippedFile, done: Ingested, unsureOf: string[]): void {
  done.skipped.push({ path: at, why })
  if (unsure) unsureOf.push(at)
}

/** A directory that cannot be read now ends with a slash and stands for all that is below it. */
function isUnsure(at: string, unsure: string[]): boolean {
  return unsure.some((place) => (place.endsWith('/') ? at.startsWith(place) : at === place))
}

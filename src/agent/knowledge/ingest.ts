/** Ingest: what a source holds becomes what can be recalled. */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import { audienceOf } from '../../core/audience.ts'
import { chunk } from '../../core/chunk.ts'
import { Fault } from '../../core/fault.ts'
import type { Source, Sources } from '../../core/home.ts'
import { removeSecrets } from '../../core/secrets.ts'
import type { Found, Skipped } from '../../sources/entry.ts'
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
import { forgetOtherPages } from '../../store/pages.ts'
import { openSource, type Readers } from './readers.ts'

/** Raised when documents are read or cut differently, so that all are read again. */
const CUT = '2'

export type Ingested = {
  added: number
  /** Documents whose text, link, date or audience is another now. */
  changed: number
  unchanged: number
  removed: number
  skipped: { path: string; why: string }[]
  /** Secrets that were taken out of what was written. */
  secrets: number
  /** Passages written; the others stayed as they were. */
  passages: number
  ms: number
}

export type IngestContext = Readers & {
  pool: pg.Pool
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
  const relabelled = await relabelSource(pool, shelf, audienceOf(source))
  const kept = await listDocuments(pool, shelf)
  const done = nothing()
  const present = new Set<string>()
  const gone: string[] = []
  const unsure: string[] = []
  const { place, entries, changesOnly } = openSource(context, { shelf, source, signal })
  for await (const entry of entries) {
    signal?.throwIfAborted()
    if ('gone' in entry) gone.push(entry.gone.path)
    else if ('skipped' in entry) note(entry.skipped, done, unsure)
    else {
      const { found } = entry
      if (await keep(pool, shelf, { source, before: kept.get(found.path) }, found, done))
        present.add(found.path)
      onProgress?.({ source: name, read: present.size, added: done.added, changed: done.changed })
    }
  }
  if (relabelled > 0) {
    done.changed += done.unchanged
    done.unchanged = 0
  }
  if (!changesOnly) {
    gone.push(...[...kept.keys()].filter((at) => !present.has(at) && !isUnsure(at, unsure)))
    if (gone.length > 0 && present.size === 0) throw emptied(place, gone.length)
  }
  done.removed = gone.length === 0 ? 0 : await removeDocuments(pool, shelf, gone)
  if (done.added + done.changed + done.removed > 0) await refreshStatistics(pool)
  done.ms = Math.round(performance.now() - began)
  return done
}

function nothing(): Ingested {
  return { added: 0, changed: 0, unchanged: 0, removed: 0, skipped: [], secrets: 0, passages: 0, ms: 0 }
}

function emptied(place: string, before: number): Fault {
  return new Fault(
    'source-unreadable',
    `${place} holds no documents now, but ${before} were read from it before, and they are kept. ` +
      'If that is right, take the source out of sources.yaml.',
  )
}

/**
 * Keeps documents of a source that somebody tells of as they change, and forgets those that are gone; the
 * others stay as they are. May run beside a reading of the whole source.
 */
export async function follow(
  { pool }: Pick<IngestContext, 'pool'>,
  shelf: Shelf,
  source: Pick<Source, 'audience' | 'link'>,
  changes: { found?: Found[]; gone?: string[] },
): Promise<Ingested> {
  const began = performance.now()
  const { found = [] } = changes
  const gone = [...(changes.gone ?? [])]
  const done = nothing()
  const kept = await listDocuments(
    pool,
    shelf,
    found.map((one) => one.path),
  )
  for (const one of found) {
    if (!(await keep(pool, shelf, { source, before: kept.get(one.path) }, one, done))) gone.push(one.path)
  }
  if (gone.length > 0) done.removed = await removeDocuments(pool, shelf, gone)
  done.ms = Math.round(performance.now() - began)
  return done
}

/**
 * Brings everything named in sources.yaml up to date, one source after another, and forgets documents of
 * sources that are not named any more. A source that fails is told as its `Fault`; the others go on. Channels of Slack
 * are not read here: `openFollower` follows them.
 */
export async function ingestAll(
  context: IngestContext,
  workspace: string,
  sources: Sources['sources'],
  signal?: AbortSignal,
): Promise<{ forgotten: number; sources: Record<string, Ingested | Fault> }> {
  const forgotten = await forgetOtherSources(context.pool, workspace, Object.keys(sources))
  await forgetOtherPages(context.pool, workspace, Object.keys(sources))
  const results: Record<string, Ingested | Fault> = {}
  for (const [name, source] of Object.entries(sources)) {
    if ('slack' in source) continue
    results[name] = await ingest(context, workspace, name, source, signal).catch((error) => {
      if (error instanceof Fault) return error
      throw error
    })
  }
  return { forgotten, sources: results }
}

/** Writes a document where it is new or has changed, and counts it; false where it turned out to be none. */
async function keep(
  pool: pg.Pool,
  shelf: Shelf,
  { source, before }: { source: Pick<Source, 'audience' | 'link'>; before: DocumentRow | undefined },
  found: Found,
  done: Ingested,
): Promise<boolean> {
  const { path, date } = found
  const link = found.link ?? (source.link === undefined ? undefined : linkTo(source.link, path))
  const row = {
    path,
    hash: hashOf(found),
    audience: found.audience ?? audienceOf(source),
    ...(date === undefined ? {} : { date }),
    ...(link === undefined ? {} : { link }),
  }
  if (before?.hash !== row.hash) {
    const read = await found.read()
    if ('why' in read) {
      done.skipped.push({ path, why: read.why })
      return false
    }
    const { document, removed } = removeSecrets(read)
    done.secrets += removed
    done.passages += await putDocument(pool, shelf, { ...row, title: document.title }, chunk(document))
    done[before ? 'changed' : 'added'] += 1
  } else if (before.link !== row.link || before.date !== row.date || !sameScopes(before, row)) {
    await describeDocument(pool, shelf, row)
    done.changed += 1
  } else done.unchanged += 1
  return true
}

function sameScopes(one: { audience: string[] }, other: { audience: string[] }): boolean {
  return one.audience.toSorted().join() === other.audience.toSorted().join()
}

function hashOf({ path, fingerprint }: Found): string {
  return createHash('sha256')
    .update(JSON.stringify([CUT, path, fingerprint]))
    .digest('hex')
}

function linkTo(template: string, at: string): string {
  return template.replaceAll('{path}', () => at.split('/').map(encodeURIComponent).join('/'))
}

function note({ path: at, why, unsure }: Skipped, done: Ingested, unsureOf: string[]): void {
  done.skipped.push({ path: at, why })
  if (unsure) unsureOf.push(at)
}

/** A directory that cannot be read now ends with a slash and stands for all that is below it. */
function isUnsure(at: string, unsure: string[]): boolean {
  return unsure.some((place) => (place.endsWith('/') ? at.startsWith(place) : at === place))
}

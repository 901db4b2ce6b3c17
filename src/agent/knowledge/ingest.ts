/** Ingest: what a source holds becomes what can be recalled. */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import { audienceOf } from '../../core/audience.ts'
import { Fault } from '../../core/fault.ts'
import type { Source } from '../../core/home.ts'
import { withoutLines } from '../../core/place.ts'
import type { Found, Skipped } from '../../sources/entry.ts'
import {
  type DocumentRow,
  listDocuments,
  refreshStatistics,
  relabelSource,
  removeDocuments,
  type Shelf,
} from '../../store/documents.ts'
import { type Refused, readRefused } from '../../store/sources.ts'
import { openSource, type Readers } from './readers.ts'
import { openWriter, type Writer } from './write.ts'

/** Raised when documents are read or cut differently, so that all are read again. */
const CUT = '3'

export type Ingested = {
  added: number
  /** Documents whose text, link, date or audience is another now. */
  changed: number
  unchanged: number
  removed: number
  skipped: { path: string; why: string }[]
  /** Secrets that were taken out of what was written. */
  secrets: number
  /** What could not be taken apart, now or before, and is still the same. */
  refused: Refused
  /** Passages written; the others stayed as they were. */
  passages: number
  ms: number
}

export type Progress = {
  source: string
  read: number
  total?: number | undefined
  added: number
  changed: number
}

export type IngestContext = Readers & {
  pool: pg.Pool
  /** Told as documents of a source are looked at and written; `total` is about how many there are, if that is known. */
  onProgress?: (progress: Progress) => void
}

/**
 * Brings what is kept of a source up to what it holds now, and answers what that took. Only what changed is
 * written, a few documents in a transaction, so it may be ended at any time and run again, and run by several at
 * once. Words can be searched at once; `embedMissing` makes the vectors.
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
  const before = await readRefused(pool, shelf)
  const done = nothing()
  const seen = new Set<string>()
  const unsure: string[] = []
  const { place, entries, count } = openSource(context, { shelf, source, signal })
  const total = onProgress ? await count?.() : undefined
  let looked = 0
  const tell = () =>
    onProgress?.({ source: name, read: looked, total, added: done.added, changed: done.changed })
  await using writer = openWriter(pool, shelf, done, tell)
  for await (const entry of entries) {
    signal?.throwIfAborted()
    looked += 1
    if ('skipped' in entry) note(entry.skipped, done, unsure)
    else {
      const { found } = entry
      seen.add(found.path)
      await keep(writer, { source, kept: kept.get(found.path), refused: before[found.path] }, found)
    }
    if (looked % 100 === 0) tell()
  }
  await writer.finish()
  signal?.throwIfAborted()
  if (relabelled > 0) {
    done.changed += done.unchanged
    done.unchanged = 0
  }
  for (const path of writer.refused) seen.delete(path)
  const gone = [...kept.keys()].filter((at) => !seen.has(at) && !isUnsure(at, unsure))
  if (gone.length > 0 && seen.size === 0) throw emptied(place, gone.length)
  done.removed = gone.length === 0 ? 0 : await removeDocuments(pool, shelf, gone)
  if (done.added + done.changed + done.removed > 0) await refreshStatistics(pool)
  done.ms = Math.round(performance.now() - began)
  return done
}

function nothing(): Ingested {
  return {
    added: 0,
    changed: 0,
    unchanged: 0,
    removed: 0,
    skipped: [],
    secrets: 0,
    refused: {},
    passages: 0,
    ms: 0,
  }
}

function emptied(place: string, before: number): Fault {
  return new Fault(
    'source-unreadable',
    `${place} holds no documents now, but ${before} were read from it before, and they are kept. ` +
      'If that is right, take the source out of sources.yaml.',
  )
}

/**
 * Keeps documents of a source that somebody tells of as they change, and forgets those that turn out to be none; the
 * others stay as they are. May run beside a reading of the whole source.
 */
export async function follow(
  { pool }: Pick<IngestContext, 'pool'>,
  shelf: Shelf,
  source: Pick<Source, 'audience' | 'link'>,
  found: readonly Found[],
): Promise<Ingested> {
  const began = performance.now()
  const done = nothing()
  const kept = await listDocuments(
    pool,
    shelf,
    found.map((one) => one.path),
  )
  await using writer = openWriter(pool, shelf, done)
  for (const one of found) await keep(writer, { source, kept: kept.get(one.path) }, one)
  await writer.finish()
  if (writer.refused.length > 0) done.removed = await removeDocuments(pool, shelf, [...writer.refused])
  done.ms = Math.round(performance.now() - began)
  return done
}

/** Sees to it that a document that was found is kept as it is now. */
async function keep(
  writer: Writer,
  about: {
    source: Pick<Source, 'audience' | 'link'>
    kept: DocumentRow | undefined
    refused?: Refused[string] | undefined
  },
  found: Found,
): Promise<void> {
  const { path, date } = found
  const template = found.link ?? about.source.link
  const link = template === undefined ? undefined : linkTo(template, path)
  const lines = link !== undefined && withoutLines(link) !== link
  const row = {
    path,
    // What is filled in for each passage cannot be changed on the document alone.
    hash: hashOf(found, lines ? link : undefined),
    audience: audienceOf(about.source),
    ...(date === undefined ? {} : { date }),
    ...(link === undefined ? {} : { link }),
  }
  const { kept, refused } = about
  if (refused?.hash === row.hash) writer.refuse(row, refused.why)
  else if (kept?.hash !== row.hash) await writer.write(row, found, kept !== undefined)
  else if (
    kept.link !== (lines ? withoutLines(link) : link) ||
    kept.date !== row.date ||
    !sameScopes(kept, row)
  )
    await writer.describe(lines ? { ...row, link: withoutLines(link) } : row)
  else writer.leave()
}

function sameScopes(one: { audience: string[] }, other: { audience: string[] }): boolean {
  return one.audience.toSorted().join() === other.audience.toSorted().join()
}

function hashOf({ path, fingerprint }: Found, link: string | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify([CUT, path, fingerprint, link]))
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

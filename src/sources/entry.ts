/** What every reader of a source gives, wherever it reads: a row of entries, one at a time. */
import type { SourceDocument } from '../core/chunk.ts'

/**
 * A document that is there. `read` takes it apart, in another thread where that can take long; it is called only
 * where the fingerprint is another than before, and only before the next entry is asked for, though it may still
 * be under way then.
 */
export type Found = {
  /** Unique within the source and the same at the next reading. */
  path: string
  /** What it is made from, or a hash of it: equal means that it reads as it did. */
  fingerprint: string
  /** Bytes that are held until it is read, where that may be many. */
  size?: number
  /** YYYY-MM-DD, the day it says it is of, else the day it was changed (UTC). */
  date?: string
  /** Where it can be opened; the source's `link` where it is left out. */
  link?: string
  read(): Promise<SourceDocument | Unreadable>
}

/** What turned out to be no document. `why` begins with "it" and says so in words for people. */
export type Unreadable = { why: string }

/** What was not read. `unsure`: it may well be a document, only it cannot be read now; what is kept of it stays. */
export type Skipped = { path: string; why: string; unsure: boolean }

export type Entry = { found: Found } | { skipped: Skipped }

/** A source, opened. */
export type Opened = {
  /** How it is called where it fails, at the beginning of a sentence. */
  place: string
  entries: AsyncIterable<Entry>
  /** About how many entries there will be, where that is cheap to know. */
  count?: () => Promise<number>
}

export function skip(path: string, why: string, unsure = false): { skipped: Skipped } {
  return { skipped: { path, why, unsure } }
}

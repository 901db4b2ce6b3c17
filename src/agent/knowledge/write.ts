/** Writing documents as they are read: a few at once, while the next ones are being taken apart. */
import type pg from 'pg'
import { withoutLines } from '../../core/place.ts'
import { languageOf } from '../../models/language.ts'
import type { Found } from '../../sources/entry.ts'
import { openPreparing } from '../../sources/preparing.ts'
import {
  type Cut,
  type DocumentRow,
  describeDocument,
  putDocuments,
  type Shelf,
} from '../../store/documents.ts'
import type { Ingested } from './ingest.ts'

/** What is known of a document before it is read. */
type Row = Omit<DocumentRow, 'title'>

export type Writer = AsyncDisposable & {
  /** Paths of what turned out to be no document. */
  refused: readonly string[]
  /** Has a document read and written; returns before that is done, and waits where too much is under way. */
  write(row: Row, found: Found, known: boolean): Promise<void>
  /** Only what is known about it has changed. */
  describe(row: Row): Promise<void>
  /** It is as it was. */
  leave(): void
  /** It could not be taken apart before, and is the same. */
  refuse(row: Row, why: string): void
  /** Waits until everything is written. @throws what writing failed with */
  finish(): Promise<void>
}

/** Documents written in one transaction, and bytes of files held for them, at most. */
const MOST_DOCUMENTS = 16
const MOST_BYTES = 4_000_000
/** What could not be taken apart is remembered of so many. */
const MOST_REFUSED = 1_000

type Under = { row: Row; known: boolean; reading: ReturnType<Found['read']> }

/** Counts what it does in `done`; `onWritten` is called after each transaction. */
export function openWriter(
  pool: pg.Pool,
  shelf: Shelf,
  done: Ingested,
  onWritten: () => void = () => {},
): Writer {
  const preparing = openPreparing()
  const refused: string[] = []
  let batch: Under[] = []
  let bytes = 0
  let writing: Promise<void> = Promise.resolve()

  const refuse = ({ path, hash }: Row, why: string) => {
    refused.push(path)
    done.skipped.push({ path, why })
    if (Object.keys(done.refused).length < MOST_REFUSED) done.refused[path] = { hash, why }
  }
  const writeAll = async (some: Under[]) => {
    const cuts: Cut[] = []
    let known = 0
    for (const under of some) {
      const read = await under.reading
      if ('why' in read) {
        refuse(under.row, read.why)
        continue
      }
      const { link, ...row } = under.row
      const { title, head, chunks, removed } = await preparing.prepare(read, link)
      const language = languageOf(head)
      const about = {
        ...row,
        title,
        ...(link === undefined ? {} : { link: withoutLines(link) }),
        ...(language ? { language } : {}),
      }
      cuts.push({ document: about, chunks })
      done.secrets += removed
      known += under.known ? 1 : 0
    }
    if (cuts.length === 0) return
    done.passages += await putDocuments(pool, shelf, cuts)
    done.changed += known
    done.added += cuts.length - known
    onWritten()
  }
  const flush = async () => {
    const some = batch
    batch = []
    bytes = 0
    await writing
    writing = writeAll(some)
    // Whoever waits next is told; until then nobody is there to hear.
    writing.catch(() => {})
  }
  return {
    refused,
    async write(row, found, known) {
      const reading = found.read()
      reading.catch(() => {})
      batch.push({ row, known, reading })
      bytes += found.size ?? 0
      if (batch.length >= MOST_DOCUMENTS || bytes >= MOST_BYTES) await flush()
    },
    async describe(row) {
      await describeDocument(pool, shelf, row)
      done.changed += 1
    },
    leave() {
      done.unchanged += 1
    },
    refuse,
    async finish() {
      await flush()
      await writing
    },
    async [Symbol.asyncDispose]() {
      await writing.catch(() => {})
      await preparing[Symbol.asyncDispose]()
    },
  }
}

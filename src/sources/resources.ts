/** The resources of a tool server, read as documents. */
import { unlessAborted } from '../core/aborted.ts'
import { matches } from '../core/pattern.ts'
import { type Entry, skip } from './entry.ts'
import { BINARY, type Format, formatOf, formatOfType } from './format.ts'
import { openReader } from './reader.ts'

/** A resource as its server lists it; `modified` is an ISO time. */
export type Resource = {
  uri: string
  name: string
  mimeType?: string | undefined
  modified?: string | undefined
}

/** What is asked of the server. `read` answers undefined where a resource is no text. */
export type ResourceServer = {
  list(): Promise<Resource[]>
  read(uri: string): Promise<string | undefined>
  /** Has the server tell of changes of these, where it can. */
  follow?(uris: readonly string[]): Promise<void>
}

const LARGEST = 2 * 1024 * 1024
const LONGEST_URI = 1000

/**
 * Reads the texts among a server's resources, in the order of their addresses, one at a time. What is
 * listed and no such thing, too large, or refused comes as `skipped`, with the reason.
 *
 * @param patterns addresses to read, `*` for any characters; all where it is left out
 * @throws whatever listing them failed with, and the signal's reason
 */
export async function* readResources(
  server: ResourceServer,
  patterns: readonly string[] | undefined,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  const listed = (await unlessAborted(server.list(), signal)).filter(
    ({ uri }) => patterns === undefined || patterns.some((pattern) => matches(pattern, uri)),
  )
  // Without, they are read again when their time has come.
  const followed = server.follow?.(listed.map(({ uri }) => uri)).catch(() => {})
  await unlessAborted(Promise.resolve(followed), signal)
  await using reader = openReader({ signal })
  for (const { uri, name, mimeType, modified } of listed.sort((a, b) => (a.uri < b.uri ? -1 : 1))) {
    if (uri.length > LONGEST_URI) {
      yield skip(uri.slice(0, LONGEST_URI), `its address is longer than ${LONGEST_URI} characters`)
      continue
    }
    const format = formatFor(uri, mimeType)
    if (typeof format === 'object') {
      yield skip(uri, format.why)
      continue
    }
    const text = await unlessAborted(
      server.read(uri).catch((error: Error) => error),
      signal,
    )
    if (text instanceof Error) yield skip(uri, `it cannot be read: ${text.message}`, true)
    else if (text === undefined || text.includes('\0')) yield skip(uri, 'it is no text')
    else if (text.length > LARGEST) yield skip(uri, `it is larger than ${LARGEST / 1024 / 1024} MB`)
    else {
      const read = async () => {
        const document = await reader.read({ file: uri, format, content: text })
        const named = name === '' || format === 'markdown' || 'why' in document
        return named ? document : { ...document, title: name }
      }
      const date = modified?.slice(0, 10)
      const dated = date && /^\d{4}-\d{2}-\d{2}$/.test(date) ? { date } : {}
      yield { found: { path: uri, fingerprint: text.toWellFormed(), read, ...dated } }
    }
  }
  await reader.finish()
}

/** What a resource is read as: by its media type, else by the end of its address. */
function formatFor(uri: string, mimeType: string | undefined): Format | { why: string } {
  const byName = formatOf(uri)
  if (typeof byName === 'object' && byName.why.includes('secrets')) return byName
  if (mimeType === undefined) return typeof byName === 'string' && !BINARY.has(byName) ? byName : 'text'
  const byType = formatOfType(mimeType)
  if (!byType || BINARY.has(byType)) return { why: `it is ${mimeType}, which is not read from tool servers` }
  return byType === 'text' && typeof byName === 'string' && !BINARY.has(byName) ? byName : byType
}
